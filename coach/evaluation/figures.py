"""What a run shows beyond agreement: by kind of answer, the confusion, the judge's own doubts, quotes, what stayed open."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.metrics import confusion_matrix

from coach.evaluation.intervals import rate_interval
from coach.evaluation.metrics import levels_agreement, told_interval
from coach.scoring import overall_signal

if TYPE_CHECKING:
    from coach.evaluation.grade import GradedRow

SIGNALS = (1, 2, 3, 4, 5)
WIDTH_STEPS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
"""Widths of a band, in levels, at which answers are told apart for the reliability of bands."""


def further_figures(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """Plain values for the run document, beside those of `agreement`."""
    return {
        "kinds": by_kind(rows),
        "confusion": confusion(rows),
        "reliability": reliability(rows),
        "quotes": quotes(rows),
        "abstention": abstention(rows),
        "twins": twins(rows),
    }


def kinds_of(row: GradedRow) -> dict[str, tuple[str, ...]]:
    """Ways to sort answers, and where this one belongs in each."""
    label = row.label
    flagged = "with a red flag" if label.red_flags else "without a red flag"
    return {
        "flags": (flagged, "twin") if label.twin_of else (flagged,),
        "kind": (label.kind,) if label.kind else (),
        "question": (label.group,),
    }


def by_kind(rows: Sequence[GradedRow]) -> dict[str, dict[str, Any]]:
    """Agreement on the hiring signal for each kind of answer, over the answers that got one."""
    found: dict[str, dict[str, list[GradedRow]]] = {}
    for row in rows:
        for way, names in kinds_of(row).items():
            for name in names:
                found.setdefault(way, {}).setdefault(name, []).append(row)
    return {way: {name: _of_kind(found[way][name]) for name in sorted(found[way])} for way in found}


def _of_kind(rows: Sequence[GradedRow]) -> dict[str, Any]:
    judged = [r for r in rows if r.report.overall is not None]
    return {
        "answers": len(rows),
        **levels_agreement(
            [r.report.overall for r in judged],
            [r.label.overall for r in judged],
            groups=[r.label.group for r in judged],
        ),
    }


def confusion(rows: Sequence[GradedRow]) -> list[list[int]]:
    """Answers by labelled (row) and found (column) hiring signal, 1..5 each."""
    judged = [(r.label.overall, r.report.overall) for r in rows if r.report.overall is not None]
    if not judged:
        return [[0] * len(SIGNALS) for _ in SIGNALS]
    labelled, found = zip(*judged, strict=True)
    return [[int(n) for n in line] for line in confusion_matrix(labelled, found, labels=SIGNALS)]


def reliability(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """Whether labels lie in the bands a judge gives, by the width of the band: what doubt is worth.

    Returns:
        `levels`: of the bands of criteria, a list by width of {up_to, width, n, inside, inside_95}; `all_levels`: the same
        of all widths together, {n, inside, inside_95};
        `signal`: share of hiring signals labelled between those of the total's band; `n` 0 where no band was given.
    """
    bands = [
        (c.band, label)
        for r in rows
        for c in r.report.criteria
        if c.band is not None and (label := r.label.criteria.get(c.id)) is not None
    ]
    by_width: dict[int, list[tuple[tuple[float, float], int]]] = {}
    for band, label in bands:
        by_width.setdefault(bisect_right(WIDTH_STEPS, band[1] - band[0] - 1e-9), []).append((band, label))
    totals = [(r.report.band, r.label.overall) for r in rows if r.report.band and r.report.overall is not None]
    signal = [overall_signal(low) <= label <= overall_signal(high) for (low, high), label in totals]
    return {
        "levels": [_of_width(step, by_width[step]) for step in sorted(by_width)],
        "all_levels": _share(low <= label <= high for (low, high), label in bands),
        "signal": _share(signal),
    }


def _of_width(step: int, bands: Sequence[tuple[tuple[float, float], int]]) -> dict[str, Any]:
    widths = [high - low for (low, high), _ in bands]
    return {
        "up_to": WIDTH_STEPS[step] if step < len(WIDTH_STEPS) else None,
        "width": round(sum(widths) / len(widths), 2),
        **_share(low <= label <= high for (low, high), label in bands),
    }


def _share(hits: Iterable[bool]) -> dict[str, Any]:
    all_hits = list(hits)
    right = sum(all_hits)
    return {
        "n": len(all_hits),
        "inside": round(right / len(all_hits), 3) if all_hits else None,
        "inside_95": told_interval(rate_interval(right, len(all_hits))),
    }


def quotes(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """How many of the quotes given for levels stand in the answer."""
    return _rate(rows, lambda r: [e.verified for c in r.report.criteria for e in c.evidence])


def abstention(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """Share of answers without a total, and of criteria without a level, among the answers that did not fail."""
    graded = [r for r in rows if r.report.status == "ok"]
    return {
        "answers": _rate(graded, lambda r: [r.report.total is None]),
        "criteria": _rate(graded, lambda r: [c.level is None for c in r.report.criteria]),
    }


def twins(rows: Sequence[GradedRow]) -> dict[str, Any]:
    """Pairs of answers that say the same in other words: how often their signals lie within one of each other."""
    by_id = {r.label.id: r.report.overall for r in rows}
    pairs = [
        (r.report.overall, by_id[r.label.twin_of])
        for r in rows
        if r.label.twin_of and by_id.get(r.label.twin_of) is not None and r.report.overall is not None
    ]
    near = sum(abs(a - b) <= 1 for a, b in pairs if b is not None)
    return {
        "pairs": len(pairs),
        "within_one": round(near / len(pairs), 3) if pairs else None,
        "within_one_95": told_interval(rate_interval(near, len(pairs))),
    }


def _rate(rows: Sequence[GradedRow], hits: Callable[[GradedRow], list[bool]]) -> dict[str, Any]:
    found = [h for r in rows for h in hits(r)]
    return {
        "of": len(found),
        "count": sum(found),
        "rate": round(sum(found) / len(found), 3) if found else None,
        "rate_95": told_interval(rate_interval(sum(found), len(found))),
    }
