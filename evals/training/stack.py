"""The decision behind the network, fitted on what networks read of questions they had not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import f1_score, precision_score
from sklearn.model_selection import GroupKFold

from coach.errors import CoachError
from coach.evaluation.grade import make_preparer
from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import FLAGS, Reading
from coach.judges.decision import CLIP, CRITERIA, Decision, doubt_inputs, flag_inputs, point_inputs, tree_inputs
from coach.judges.features import answer_features, answer_vectors, flag_signs
from coach.models import MAX_LEVEL, JudgeTask
from evals.training.boosting import arrays, booster
from evals.training.swapped import MARK

FEATURE_SCALE = 0.06
"""Weight of a standardised feature beside a level of the network, before the penalty."""
ALPHA = 1.0
SHRINK = 0.95
"""Share of the labels' spread that levels are stretched to: ridge predictions crowd around the mean."""
SWAPPED_WEIGHT = 0.5
"""Of a swapped answer beside an honest one: see evals/README.md for what more and less of it do."""
INNER_FOLDS = 5
BAND = 0.8
FLAG_C = 0.03
FLAG_FEATURE_SCALE, FLAG_VECTOR_SCALE = 0.3, 8.0
"""Weight of a standardised feature and of a vector's component beside a standardised log-odds, before the penalty."""
MIN_FLAG_PRECISION = 0.5
"""A flag caps the total: one raised wrongly costs an honest answer more than one missed."""
ABSTAIN_WITHIN_ONE = 0.7
"""Estimates of a doubt at which fewer than this share lie within one level of the label are not given."""
ABSTAIN_LEAST = 20
"""Held-out answers a doubt limit must rest on."""
_CHUNK = 256
"""Answers encoded together."""


class Data(NamedTuple):
    """n answers that reach the judge."""

    rows: tuple[Labelled, ...]
    tasks: tuple[JudgeTask, ...]
    features: np.ndarray
    """Shape (n, f)."""
    signs: np.ndarray
    """Shape (n, s)."""
    vectors: np.ndarray
    """Shape (n, 2 d)."""
    readings: tuple[Reading, ...]
    """By a network that had not seen the question."""
    levels: np.ndarray
    """Shape (n, c), NaN where a label is null."""
    flags: np.ndarray
    """Shape (n, r)."""
    groups: np.ndarray
    swapped: np.ndarray
    """Shape (n,): answers put under another question, to be fitted on; everything that is calibrated rests on the others."""


def prepare(rows: Sequence[Labelled]) -> list[tuple[Labelled, JudgeTask]]:
    """Run the pipeline up to the judge; answers that the screen decides never reach it and are left out."""
    preparer = make_preparer()
    found = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        for row, prepared in zip(chunk, preparer.prepare_many([(r.asked, r.answer) for r in chunk]), strict=True):
            if isinstance(prepared, CoachError):
                raise prepared
            if not prepared.decided:
                found.append((row, prepared.task))
    return found


def build_data(prepared: Sequence[tuple[Labelled, JudgeTask]], readings: Sequence[Reading]) -> Data:
    """All that the decision is fitted on."""
    rows, tasks = zip(*prepared, strict=True)
    levels = [[math.nan if r.criteria[c] is None else float(r.criteria[c] or 0) for c in CRITERIA] for r in rows]
    return Data(
        rows=rows,
        tasks=tasks,
        features=np.array([answer_features(t).values for t in tasks]),
        signs=np.array([flag_signs(t) for t in tasks]),
        vectors=np.array([answer_vectors(t) for t in tasks]),
        readings=tuple(readings),
        levels=np.array(levels),
        flags=np.array([[f in r.red_flags for f in FLAGS] for r in rows]),
        groups=np.array([r.group for r in rows]),
        swapped=np.array([r.id.endswith(MARK) for r in rows]),
    )


class _Levels(NamedTuple):
    """One estimate of a criterion: weights, offset, and its held-out predictions on the rows it was fitted on."""

    weights: np.ndarray
    offset: float
    held: np.ndarray
    trees: GradientBoostingRegressor | None
    stretch: float


def fit_decision(data: Data, kept: np.ndarray, *, digest: str = "") -> Decision:
    """Fit everything on some rows.

    Args:
        data: all answers.
        kept: indices of the rows to fit on.
        digest: goes into the decision as it is.
    """
    features = data.features[kept]
    mean, spread = features.mean(0), features.std(0) + 1e-6
    counted = np.clip((features - mean) / spread, -CLIP, CLIP)
    read = np.array([data.readings[i].levels for i in kept])
    both = np.hstack([read, FEATURE_SCALE * counted])
    wide = np.array([tree_inputs(data.readings[i], c) for i, c in zip(kept, counted, strict=True)])
    found: dict[str, list[Any]] = {name: [] for name in ("first", "second", "doubt", "band", "limit")}
    coverage = np.full(len(kept), 2.0)
    for j, criterion in enumerate(CRITERIA):
        known = ~np.isnan(data.levels[kept, j])
        target, groups, honest = data.levels[kept, j][known], data.groups[kept][known], ~data.swapped[kept][known]
        first = _fit_levels(both[known], target, groups, honest, wide=wide[known])
        second = _fit_levels(FEATURE_SCALE * counted[known], target, groups, honest)
        errors = np.abs(first.held - target)[honest]
        inputs = np.column_stack(doubt_inputs(first.held[honest], second.held[honest]))
        model = LinearRegression(fit_intercept=False).fit(inputs, errors)
        doubt = np.maximum(inputs @ model.coef_, 0.1)
        found["first"].append(first)
        found["second"].append(second)
        found["doubt"].append(model.coef_)
        found["band"].append(float(np.quantile(errors / doubt, BAND)))
        found["limit"].append(_doubt_limit(doubt, errors))
        if criterion == "expert_coverage":
            coverage[known] = first.held
    t = read.shape[1]
    flags = _fit_flags(data, kept, counted)
    return Decision(
        mean=mean.astype(np.float32),
        spread=spread.astype(np.float32),
        level_weights=_array(f.weights[:t] for f in found["first"]),
        feature_weights=_array(FEATURE_SCALE * f.weights[t:] for f in found["first"]),
        offsets=_array(f.offset for f in found["first"]),
        trees=arrays([f.trees for f in found["first"]], [f.stretch for f in found["first"]]),
        second_weights=_array(FEATURE_SCALE * f.weights for f in found["second"]),
        second_offsets=_array(f.offset for f in found["second"]),
        doubt_weights=_array(found["doubt"]),
        band_factors=_array(found["band"]),
        doubt_limits=_array(found["limit"]),
        flag_weights=_array(f[0] for f in flags),
        flag_offsets=_array(f[1] for f in flags),
        thresholds=_array(f[2] for f in flags),
        point_weights=_fit_points(data, kept, coverage),
        digest=digest,
    )


def _array(values: Any) -> np.ndarray:
    return np.array(list(values), dtype=np.float32)


def held_out(
    make: Callable[[], Any], inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Predictions for each row by a model that was fitted without its question, on those of the others that weigh anything."""
    found = np.zeros(len(target))
    for fit, test in GroupKFold(INNER_FOLDS).split(inputs, groups=groups):
        model = _fitted(make(), inputs[fit], target[fit], weights[fit])
        tell = model.decision_function if hasattr(model, "decision_function") else model.predict
        found[test] = tell(inputs[test])
    return found


def _fitted(model: Any, inputs: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Any:
    some = weights > 0
    return model.fit(inputs[some], target[some], sample_weight=weights[some])


def _fit_levels(
    inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, honest: np.ndarray, wide: np.ndarray | None = None
) -> _Levels:
    """A linear estimate; with `wide`, also trees that put it right by what they see there."""
    held = np.zeros(len(target))
    for fit, test in GroupKFold(INNER_FOLDS).split(inputs, groups=groups):
        ridge, trees = _fit_once(
            inputs[fit], target[fit], groups[fit], honest[fit], None if wide is None else wide[fit]
        )
        held[test] = ridge.predict(inputs[test])
        if trees is not None and wide is not None:
            held[test] += trees.predict(wide[test])
    stretch, centre = SHRINK * target[honest].std() / held[honest].std(), target[honest].mean()
    ridge, trees = _fit_once(inputs, target, groups, honest, wide)
    return _Levels(
        weights=stretch * ridge.coef_,
        offset=float(stretch * (ridge.intercept_ - centre) + centre),
        held=np.clip(centre + stretch * (held - centre), 0.0, MAX_LEVEL),
        trees=trees,
        stretch=float(stretch),
    )


def _fit_once(
    inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, honest: np.ndarray, wide: np.ndarray | None
) -> tuple[Ridge, GradientBoostingRegressor | None]:
    """The linear estimate, and the trees grown on what it leaves open on questions it was not fitted on.

    No sum tells a swapped answer from an honest one, so the linear estimate rests on honest ones, and the trees see both.
    """
    alone = honest.astype(float)
    ridge = _fitted(Ridge(ALPHA), inputs, target, alone)
    if wide is None:
        return ridge, None
    left = target - held_out(lambda: Ridge(ALPHA), inputs, target, groups, alone)
    return ridge, _fitted(booster(), wide, left, _weights(honest))


def _weights(honest: np.ndarray) -> np.ndarray:
    return np.where(honest, 1.0, SWAPPED_WEIGHT)


def _doubt_limit(doubt: np.ndarray, errors: np.ndarray) -> float:
    """The smallest doubt from which on the estimates are within one level too rarely; infinite where there is none."""
    order = np.argsort(-doubt)
    within = np.cumsum(np.round(errors[order]) <= 1) / np.arange(1, len(order) + 1)
    poor = [i for i in range(ABSTAIN_LEAST - 1, len(order)) if within[i] < ABSTAIN_WITHIN_ONE]
    return float(doubt[order[poor[-1]]]) if poor else math.inf


def _fit_flags(data: Data, kept: np.ndarray, counted: np.ndarray) -> list[tuple[np.ndarray, float, float]]:
    """Weights, offset and threshold of each flag."""
    inputs = np.array(
        [flag_inputs(data.readings[i], data.signs[i], c, data.vectors[i]) for i, c in zip(kept, counted, strict=True)]
    )
    mean, scale = inputs.mean(0), 1.0 / (inputs.std(0) + 1e-6)
    features, vectors = counted.shape[1], data.vectors.shape[1]
    scale[-vectors - features : -vectors] = FLAG_FEATURE_SCALE
    scale[-vectors:] = FLAG_VECTOR_SCALE
    scaled = (inputs - mean) * scale
    honest = ~data.swapped[kept]
    found = []
    for k in range(len(FLAGS)):
        target = data.flags[kept, k]
        odds = held_out(_flag_model, scaled, target, data.groups[kept], _weights(honest))
        model = _fitted(_flag_model(), scaled, target, _weights(honest))
        weights = model.coef_[0] * scale
        found.append((weights, float(model.intercept_[0] - weights @ mean), _threshold(target[honest], odds[honest])))
    return found


def _flag_model() -> LogisticRegression:
    return LogisticRegression(C=FLAG_C, max_iter=3000)


def _threshold(target: np.ndarray, odds: np.ndarray) -> float:
    """Log-odds with the best F1 on held-out rows among those precise enough; infinite where there is none."""
    cuts = np.quantile(odds, np.linspace(0.5, 0.998, 120))
    precise = [t for t in cuts if precision_score(target, odds > t, zero_division=0) >= MIN_FLAG_PRECISION]
    best = max(((float(f1_score(target, odds > t)), float(t)) for t in precise), default=(0.0, math.inf))
    return best[1]


def _fit_points(data: Data, kept: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    inputs, target = [], []
    for place, i in enumerate(kept):
        made = data.rows[i].covered
        if made is not None:
            inputs.append(np.column_stack(point_inputs(data.readings[i].points, float(coverage[place]))))
            target += [p + 1 in made for p in range(len(inputs[-1]))]
    model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=2000).fit(np.vstack(inputs), target)
    weights: np.ndarray = model.coef_[0].astype(np.float32)
    return weights
