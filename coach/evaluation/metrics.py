"""Agreement of a judge with labels; the statistics come from scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from coach.evaluation.intervals import Interval, bootstrap_interval, rate_interval
from coach.scoring import OVERALL_CUTS

if TYPE_CHECKING:
    from coach.evaluation.grade import GradedRow

STATISTICS = ("qwk", "spearman", "exact", "within_one", "bias")


def levels_agreement(found: Any, labelled: Any, *, groups: Sequence[Hashable] | None = None) -> dict[str, Any]:
    """Quadratic weighted kappa, Spearman, exact, within one, bias (above 0: lenient), for whole numbers.

    Args:
        found: shape (n,), the judge's.
        labelled: shape (n,).
        groups: question of each answer; adds a 95% bootstrap interval over questions to every figure, as `NAME_95`.

    Returns:
        None in place of a figure that is not defined: of nothing, or where one side does not vary.
    """
    found, labelled = np.asarray(found, dtype=float), np.asarray(labelled, dtype=float)
    told: dict[str, Any] = {"n": len(found)}
    if not len(found):
        return told | dict.fromkeys(STATISTICS) | dict.fromkeys(f"{s}_95" for s in STATISTICS if groups is not None)
    told |= {
        "qwk": _qwk(found, labelled),
        "spearman": _spearman(found, labelled),
        "exact": _exact(found, labelled),
        "within_one": _within_one(found, labelled),
        "bias": _bias(found, labelled),
    }
    if groups is not None:
        drawn = {"qwk": quick_qwk, "spearman": _spearman, "exact": _exact, "within_one": _within_one, "bias": _bias}
        for name, statistic in drawn.items():
            told[f"{name}_95"] = told_interval(bootstrap_interval(statistic, (found, labelled), groups))
    return {k: _told(v) for k, v in told.items()}


def told_interval(interval: Interval | None) -> list[float] | None:
    """Both ends, rounded, as JSON has them."""
    return None if interval is None else [round(interval.low, 3), round(interval.high, 3)]


def _told(value: Any) -> Any:
    """Rounded; None instead of NaN, which JSON does not have."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else round(value, 3)


def _varies(*sides: Any) -> bool:
    return all(len(side) > 1 and bool((side != side[0]).any()) for side in sides)


def _qwk(found: Any, labelled: Any) -> float:
    """NaN where one value is all there is: agreement beyond chance is not defined then."""
    if not _varies(found, labelled):
        return math.nan
    both = np.concatenate([found, labelled])
    # All steps between, named: scikit-learn weighs by position among the values it sees, and one may be missing.
    steps = np.arange(int(both.min()), int(both.max()) + 1)
    return float(cohen_kappa_score(labelled.astype(int), found.astype(int), labels=steps, weights="quadratic"))


def quick_qwk(found: Any, labelled: Any) -> float:
    """The same without a table of counts, for thousands of resamples: 1 - E(x - y)² / E(x - y')², y' of another answer.

    Source: J. L. Fleiss and J. Cohen, "The Equivalence of Weighted Kappa and the Intraclass Correlation Coefficient",
    Educational and Psychological Measurement 33, 1973, pp. 613-619.
    """
    if not _varies(found, labelled):
        return math.nan
    by_chance = found.var() + labelled.var() + (found.mean() - labelled.mean()) ** 2
    return float(1 - ((found - labelled) ** 2).mean() / by_chance)


def _spearman(found: Any, labelled: Any) -> float:
    """NaN where one side does not vary."""
    return float(spearmanr(found, labelled).statistic) if _varies(found, labelled) else math.nan


def _exact(found: Any, labelled: Any) -> float:
    return float(np.mean(found == labelled))


def _within_one(found: Any, labelled: Any) -> float:
    return float(np.mean(np.abs(found - labelled) <= 1))


def _bias(found: Any, labelled: Any) -> float:
    return float(np.mean(found - labelled))


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
        "overall": levels_agreement(
            [r.report.overall for r in judged], labelled, groups=[r.label.group for r in judged]
        ),
        "total_spearman": _told(_spearman(np.array([r.report.total for r in judged], dtype=float), labelled)),
        "criteria": _criteria(rows),
        "red_flags": _flags(judged),
        "baselines_spearman": _baselines(rows),
        "by_margin": _by_margin(judged),
    }
    return told


def _criteria(rows: Sequence[GradedRow]) -> dict[str, Any]:
    told = {}
    for criterion in dict.fromkeys(c for r in rows for c in r.label.criteria):
        known = [
            (c.level, label, r.label.group)
            for r in rows
            for c in r.report.criteria
            if c.id == criterion and c.level is not None and (label := r.label.criteria.get(criterion)) is not None
        ]
        found, labelled, groups = [k[0] for k in known], [k[1] for k in known], [k[2] for k in known]
        told[criterion] = levels_agreement(found, labelled, groups=groups)
    return told


def _flags(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """Precision and recall of all flags together, and of each one that was labelled or raised; None where not defined."""
    raised = [{f.id for f in r.report.red_flags} for r in rows]
    names = sorted({f for r in rows for f in r.label.red_flags}.union(*raised))
    found = np.array([[f in flags for f in names] for flags in raised], dtype=bool).reshape(len(rows), len(names))
    labelled = np.array([[f in r.label.red_flags for f in names] for r in rows], dtype=bool).reshape(
        len(rows), len(names)
    )
    hits, raises, labels = (found & labelled).sum(1), found.sum(1), labelled.sum(1)
    groups = [r.label.group for r in rows]
    told: dict[str, Any] = {}
    for name, statistic in {"f1": _micro_f1, "precision": _micro_precision, "recall": _micro_recall}.items():
        told[f"micro_{name}"] = _told(statistic(hits, raises, labels))
        told[f"micro_{name}_95"] = told_interval(bootstrap_interval(statistic, (hits, raises, labels), groups))
    return told | {name: _flag(found[:, k], labelled[:, k]) for k, name in enumerate(names)}


def _flag(found: Any, labelled: Any) -> dict[str, Any]:
    """One flag. Precision is None where it was never raised, recall where it was never labelled."""
    right, raises, labels = int((found & labelled).sum()), int(found.sum()), int(labelled.sum())
    return {
        "labelled": labels,
        "raised": raises,
        "right": right,
        "precision": round(right / raises, 3) if raises else None,
        "precision_95": told_interval(rate_interval(right, raises)),
        "recall": round(right / labels, 3) if labels else None,
        "recall_95": told_interval(rate_interval(right, labels)),
    }


def _micro_precision(hits: Any, raised: Any, labelled: Any) -> float:
    return float(hits.sum() / raised.sum()) if raised.sum() else math.nan


def _micro_recall(hits: Any, raised: Any, labelled: Any) -> float:
    return float(hits.sum() / labelled.sum()) if labelled.sum() else math.nan


def _micro_f1(hits: Any, raised: Any, labelled: Any) -> float:
    both = raised.sum() + labelled.sum()
    return float(2 * hits.sum() / both) if both else math.nan


def _baselines(rows: Sequence[GradedRow]) -> dict[str, float]:
    """What a judge has to beat: length, and mean best cosine of the expert points; of answers that failed, none is known."""
    rows = [r for r in rows if r.report.points]
    labelled = np.array([r.label.overall for r in rows], dtype=float)
    length = [len(r.label.answer) for r in rows]
    cosine = [float(np.mean([p.passages[0].cosine if p.passages else 0.0 for p in r.report.points])) for r in rows]
    return {
        "length": _told(_spearman(np.array(length, dtype=float), labelled)),
        "cosine_coverage": _told(_spearman(np.array(cosine, dtype=float), labelled)),
    }


def _by_margin(rows: Sequence[GradedRow]) -> list[dict[str, Any]]:
    """How far the judge is right where its total lies at least so many points from a step of the hiring signal.

    `exact` and `within_one` are None where no total does.
    """
    told = []
    for margin in (0, 4, 8, 10, 12, 14, 16) if rows else ():
        kept = [r for r in rows if _distance(r) >= margin]
        errors = np.array([abs((r.report.overall or 0) - r.label.overall) for r in kept])
        told.append(
            {
                "margin": margin,
                "share": round(len(kept) / len(rows), 3),
                "exact": round(float(np.mean(errors == 0)), 3) if kept else None,
                "within_one": round(float(np.mean(errors <= 1)), 3) if kept else None,
            }
        )
    return told


def _distance(row: GradedRow) -> float:
    total = total_before_caps(row.report)
    return 0.0 if total is None else min(abs(total - cut) for cut in OVERALL_CUTS)


def total_before_caps(report: Any) -> float | None:
    """What the judge's levels come to, 0..100, before red flags and checks cap it; None where none was given."""
    scored = [(c.points, c.weight) for c in report.criteria if c.points is not None]
    return 100 * sum(p for p, _ in scored) / sum(w for _, w in scored) if scored else None
