"""Agreement of a judge with labels; the statistics come from scikit-learn and scipy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import DegenerateDataWarning, bootstrap, spearmanr
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from coach.scoring import OVERALL_CUTS

if TYPE_CHECKING:
    from coach.evaluation.grade import GradedRow

RESAMPLES = 500
SEED = 7


def levels_agreement(found: Any, labelled: Any, *, interval: bool = False) -> dict[str, Any]:
    """Quadratic weighted kappa, Spearman, exact, within one, bias (above 0: lenient), for whole numbers.

    Args:
        found: shape (n,), the judge's.
        labelled: shape (n,).
        interval: add 95% bootstrap intervals over answers.
    """
    told: dict[str, Any] = {
        "n": len(found),
        "qwk": _qwk(found, labelled),
        "spearman": _spearman(found, labelled),
        "exact": float(np.mean(found == labelled)),
        "within_one": float(np.mean(np.abs(found - labelled) <= 1)),
        "bias": float(np.mean(found - labelled)),
    }
    if interval:
        for name, statistic in (("qwk", _qwk), ("spearman", _spearman)):
            with warnings.catch_warnings():
                # A few answers, drawn again, may all be alike: the interval is not defined then, and told as null.
                warnings.simplefilter("ignore", DegenerateDataWarning)
                drawn = bootstrap(
                    (found, labelled),
                    statistic,
                    paired=True,
                    vectorized=False,
                    n_resamples=RESAMPLES,
                    method="percentile",
                    rng=SEED,
                ).confidence_interval
            told[f"{name}_95"] = [_told(float(drawn.low)), _told(float(drawn.high))]
    return {k: _told(v) for k, v in told.items()}


def _told(value: Any) -> Any:
    """Rounded; None instead of NaN, which JSON does not have."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, 3)


def _qwk(found: Any, labelled: Any) -> float:
    """NaN where one value is all there is: agreement beyond chance is not defined then."""
    if len(set(found)) < 2 or len(set(labelled)) < 2:
        return math.nan
    return float(cohen_kappa_score(labelled.astype(int), found.astype(int), weights="quadratic"))


def _spearman(found: Any, labelled: Any) -> float:
    """NaN where one side does not vary."""
    if len(set(found)) < 2 or len(set(labelled)) < 2:
        return math.nan
    return float(spearmanr(found, labelled).statistic)


def agreement(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """All figures of one run: the three counts, overall, each criterion, red flags, points."""
    failed = [r for r in rows if r.report.status == "failed"]
    open_rows = [r for r in rows if r.report.status == "ok" and r.report.overall is None]
    judged = [r for r in rows if r.report.overall is not None]
    labelled = np.array([r.label.overall for r in judged])
    told: dict[str, Any] = {
        "judged": len(judged),
        "abstained": len(open_rows),
        "failed": len(failed),
        "overall": levels_agreement(np.array([r.report.overall for r in judged]), labelled, interval=True),
        "total_spearman": _told(_spearman(np.array([r.report.total for r in judged]), labelled)),
        "criteria": _criteria(rows),
        "red_flags": _flags(judged),
        "baselines_spearman": _baselines(rows),
        "by_margin": _by_margin(judged),
    }
    return told


def _criteria(rows: Sequence[GradedRow]) -> dict[str, Any]:
    told = {}
    for criterion in rows[0].label.criteria:
        pairs = [
            (c.level, r.label.criteria[criterion])
            for r in rows
            for c in r.report.criteria
            if c.id == criterion and c.level is not None and r.label.criteria[criterion] is not None
        ]
        found, labelled = np.array(pairs).T
        told[criterion] = levels_agreement(found, labelled)
    return told


def _flags(rows: Sequence[GradedRow]) -> dict[str, Any]:
    names = sorted({f for r in rows for f in r.label.red_flags})
    found = np.array([[f in {x.id for x in r.report.red_flags} for f in names] for r in rows])
    labelled = np.array([[f in r.label.red_flags for f in names] for r in rows])
    told: dict[str, Any] = {
        "micro_f1": round(float(f1_score(labelled, found, average="micro", zero_division=0)), 3),
        "micro_precision": round(float(precision_score(labelled, found, average="micro", zero_division=0)), 3),
        "micro_recall": round(float(recall_score(labelled, found, average="micro", zero_division=0)), 3),
    }
    for k, name in enumerate(names):
        hits = int((found[:, k] & labelled[:, k]).sum())
        told[name] = {"labelled": int(labelled[:, k].sum()), "raised": int(found[:, k].sum()), "right": hits}
    return told


def _baselines(rows: Sequence[GradedRow]) -> dict[str, float]:
    """What a judge has to beat: length, and mean best cosine of the expert points."""
    labelled = [r.label.overall for r in rows]
    length = [len(r.label.answer) for r in rows]
    cosine = [
        float(np.mean([p.passages[0].cosine if p.passages else 0.0 for p in r.report.points] or [0.0])) for r in rows
    ]
    return {
        "length": _told(_spearman(np.array(length), np.array(labelled))),
        "cosine_coverage": _told(_spearman(np.array(cosine), np.array(labelled))),
    }


def _by_margin(rows: Sequence[GradedRow]) -> list[dict[str, float]]:
    """How far the judge is right where its total lies at least so many points from a step of the hiring signal."""
    told = []
    for margin in (0, 4, 8, 10, 12, 14, 16):
        kept = [r for r in rows if _distance(r) >= margin]
        errors = np.array([abs((r.report.overall or 0) - r.label.overall) for r in kept])
        told.append(
            {
                "margin": margin,
                "share": round(len(kept) / len(rows), 3),
                "exact": round(float(np.mean(errors == 0)), 3) if kept else 0.0,
                "within_one": round(float(np.mean(errors <= 1)), 3) if kept else 0.0,
            }
        )
    return told


def _distance(row: GradedRow) -> float:
    scored = [(c.points, c.weight) for c in row.report.criteria if c.points is not None]
    total = 100 * sum(p for p, _ in scored) / sum(w for _, w in scored)
    return min(abs(total - cut) for cut in OVERALL_CUTS)
