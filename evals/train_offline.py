"""Train the offline judge's decision, and measure it on questions it has not seen.

Deterministic: folds, solvers and data are fixed. Writes `coach/judges/data/offline.npz` and the card `offline.json`.
Figures come from five folds of questions: everything that is fitted, thresholds included, is fitted without the fold.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, precision_score
from sklearn.model_selection import GroupKFold

from coach.evaluation.grade import GradedRow, NoJudge, grade_with, make_coach
from coach.evaluation.labels import Labelled, load_labelled
from coach.evaluation.metrics import agreement
from coach.fingerprints import digest
from coach.judges.decision import (
    CLIP,
    DATA,
    FEATURE_SCALE,
    TRAINED_DIGITS,
    Decision,
    covered_probability,
    decide,
    point_inputs,
)
from coach.judges.features import FEATURES_VERSION, feature_names, model_inputs, point_features
from coach.models import JudgeTask
from evals import ANSWERS

ALPHA = 1.0
"""Strength of the ridge penalty; 0.5 to 4 made no difference beyond the intervals."""
FLAG_C = 20.0
MIN_FLAG_F1 = 0.3
MIN_FLAG_PRECISION = 0.55
"""A flag is given to the judge only if it reaches both on inner folds."""
FOLDS = 5
SHRINK = 0.95
"""Share of the labels' spread the levels are stretched to: ridge predictions crowd around the mean."""
BAND = 0.8


class Data(NamedTuple):
    """All answers as arrays, n rows."""

    rows: tuple[Labelled, ...]
    tasks: tuple[JudgeTask, ...]
    features: Any
    vectors: Any
    levels: Any
    """Shape (n, c), NaN where a label is null."""
    flags: Any
    groups: Any
    criteria: tuple[str, ...]
    flag_names: tuple[str, ...]


def build_data(rows: Sequence[Labelled]) -> Data:
    """Run the pipeline up to the judge; answers that the screen decides never reach it and are left out."""
    coach = make_coach(NoJudge())
    prepared = [(r, coach.prepare(r.question_id, r.answer)) for r in rows]
    rows = [r for r, p in prepared if not p.decided]
    tasks = tuple(p.task for _, p in prepared if not p.decided)
    inputs = [model_inputs(t) for t in tasks]
    criteria = tuple(rows[0].criteria)
    names = tuple(sorted({f for r in rows for f in r.red_flags}))
    levels = [[math.nan if r.criteria[c] is None else float(r.criteria[c] or 0) for c in criteria] for r in rows]
    return Data(
        rows=tuple(rows),
        tasks=tasks,
        features=np.array([f for f, _ in inputs]),
        vectors=np.array([v for _, v in inputs]),
        levels=np.array(levels),
        flags=np.array([[f in r.red_flags for f in names] for r in rows]),
        groups=np.array([r.question_id for r in rows]),
        criteria=criteria,
        flag_names=names,
    )


def train(data: Data, rows: Any) -> Decision:
    """Fit everything on some rows."""
    mean, spread = data.features[rows].mean(0), data.features[rows].std(0) + 1e-6
    scaled = FEATURE_SCALE * np.clip((data.features - mean) / spread, -CLIP, CLIP)
    inputs = np.hstack([data.vectors.reshape(len(data.rows), -1), scaled])
    width = data.vectors.shape[1] * data.vectors.shape[2]
    weights, offsets, errors = [], [], []
    held_out_coverage = np.zeros(len(data.rows))
    for j, criterion in enumerate(data.criteria):
        idx = rows[~np.isnan(data.levels[rows, j])]
        target = data.levels[idx, j]
        held = _held_out(lambda: Ridge(ALPHA), inputs[idx], target, data.groups[idx])
        stretch = SHRINK * target.std() / held.std()
        model = Ridge(ALPHA).fit(inputs[idx], target)
        centre = target.mean()
        weights.append(stretch * model.coef_)
        offsets.append(stretch * (model.intercept_ - centre) + centre)
        stretched = np.clip(centre + stretch * (held - centre), 0, 4)
        errors.append(float(np.quantile(np.abs(stretched - target), BAND)))
        if criterion == "expert_coverage":
            held_out_coverage[idx] = stretched
    thresholds = []
    for k in range(len(data.flag_names)):
        target = data.flags[rows, k]
        held = _held_out(_flag_model, inputs[rows], target, data.groups[rows])
        model = _flag_model().fit(inputs[rows], target)
        weights.append(model.coef_[0])
        offsets.append(float(model.intercept_[0]))
        thresholds.append(_threshold(target, held))
    stacked = np.array(weights, dtype=np.float32)
    return Decision(
        criteria=data.criteria,
        flags=data.flag_names,
        mean=mean.astype(np.float32),
        spread=spread.astype(np.float32),
        vector_weights=stacked[:, :width].reshape(len(stacked), *data.vectors.shape[1:]),
        feature_weights=stacked[:, width:],
        offsets=np.array(offsets, dtype=np.float32),
        errors=np.array(errors, dtype=np.float32),
        thresholds=np.array(thresholds, dtype=np.float32),
        point_weights=_train_points(data, rows, held_out_coverage),
        digest="",
    )


def _flag_model() -> LogisticRegression:
    return LogisticRegression(C=FLAG_C, class_weight="balanced", max_iter=3000)


def _held_out(make: Any, inputs: Any, target: Any, groups: Any) -> Any:
    """Predictions for each row by a model that has not seen its question."""
    found = np.zeros(len(target))
    for fit, test in GroupKFold(FOLDS).split(inputs, groups=groups):
        model = make().fit(inputs[fit], target[fit])
        found[test] = (
            model.decision_function(inputs[test])
            if hasattr(model, "decision_function")
            else model.predict(inputs[test])
        )
    return found


def _threshold(target: Any, odds: Any) -> float:
    """Log-odds with the best F1 on held-out rows among those precise enough; infinite where there is none.

    A flag caps the total, so one raised wrongly costs an honest answer more than one missed.
    """
    cuts = np.quantile(odds, np.linspace(0.5, 0.995, 60))
    precise = [t for t in cuts if precision_score(target, odds > t, zero_division=0) >= MIN_FLAG_PRECISION]
    best = max(((float(f1_score(target, odds > t)), float(t)) for t in precise), default=(0.0, math.inf))
    return best[1] if best[0] >= MIN_FLAG_F1 else math.inf


def _train_points(data: Data, rows: Any, coverage: Any) -> Any:
    inputs, target = [], []
    for i in rows:
        inputs.append(point_inputs(point_features(data.tasks[i]), float(coverage[i])))
        target += [p + 1 in data.rows[i].covered for p in range(len(inputs[-1]))]
    stacked = np.vstack(inputs)
    mean, spread = stacked.mean(0), stacked.std(0) + 1e-6
    model = LogisticRegression(C=1.0, max_iter=2000).fit((stacked - mean) / spread, target)
    weights = model.coef_[0] / spread
    return np.append(weights, model.intercept_[0] - (weights * mean).sum()).astype(np.float32)


def measure(data: Data, rows: Sequence[Labelled]) -> dict[str, Any]:
    """Figures on held-out questions: the judge trained without a fold grades the fold through the whole pipeline."""
    graded: list[GradedRow] = []
    probabilities, covered = [], []
    for fit, test in GroupKFold(FOLDS, shuffle=True, random_state=0).split(data.features, groups=data.groups):
        decision = train(data, fit)
        questions = set(data.groups[test])
        graded += grade_with(decision, [r for r in rows if r.question_id in questions])
        for i in test:
            levels = decide(decision, data.features[i], data.vectors[i]).levels
            coverage = float(levels[decision.criteria.index("expert_coverage")])
            probabilities += list(covered_probability(decision, point_features(data.tasks[i]), coverage))
            covered += [p + 1 in data.rows[i].covered for p in range(len(data.tasks[i].matches.points))]
    return agreement(graded, np.array(probabilities), np.array(covered))


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA)
    out = parser.parse_args().out
    rows = load_labelled(ANSWERS)
    data = build_data(rows)
    decision = train(data, np.arange(len(data.rows)))
    arrays = {name: value for name, value in decision._asdict().items() if name not in {"criteria", "flags", "digest"}}
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / "offline.npz", **arrays)
    card = {
        "what": "ridge regression per criterion, logistic regression per red flag and for expert points",
        "trained_on": f"{len(data.rows)} answers of evals/answers; the screen decides {len(rows) - len(data.rows)} more",
        "labels": "by language models, writer and labeller alike; no person took part",
        "trained_at": datetime.now(UTC).date().isoformat(),
        "limits": "English; questions on ML in products; labels by language models, no person's",
        "features_version": FEATURES_VERSION,
        "features": list(feature_names()),
        "criteria": list(decision.criteria),
        "flags": list(decision.flags),
        "held_out_questions": measure(data, rows),
        "answers": [digest(r.answer)[:TRAINED_DIGITS] for r in data.rows],
    }
    (out / "offline.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(card["held_out_questions"], indent=1))


if __name__ == "__main__":
    main()
