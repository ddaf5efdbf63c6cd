"""Two runs over the same answers, pair by pair: did the judge change beyond noise?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from coach.errors import InputError
from coach.evaluation.intervals import ALPHA, adjusted, mcnemar_p, mean_interval, sign_flip_p

CORRECTION = (
    "Beyond noise: probability below 0.05 after Benjamini and Hochberg's correction for the number of things compared. "
    "Levels: sign flips by question; flags and answers without a total: exact McNemar. Intervals: 95%, bootstrap by question. "
    "Where fewer than 10 questions are shared, by answer."
)
MIN_SHARED = 6
"""Answers below which nothing could be beyond noise: of five, all going the same way have a probability of 2 / 2**5."""


class Change(NamedTuple):
    """One thing that was compared, over the pairs where both runs have it."""

    what: str
    n: int
    before: float
    after: float
    low: float | None
    """95% interval of after - before; None for too few answers."""
    high: float | None
    probability: float
    """Of a change this large by chance, after correction."""
    beyond_noise: bool
    split: tuple[int, int] | None = None
    """Of a flag: answers that gained it, and that lost it."""

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before


class _Paired(NamedTuple):
    what: str
    before: Any
    after: Any
    groups: list[str]
    binary: bool


def compare_runs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Hiring signal, total, distance from the label, every criterion, every red flag, what was left open and what failed.

    Args:
        before: a run as `coach eval --out` wrote it.
        after: another, over answers of the same ids.

    Raises:
        InputError: the runs share too few answers to tell anything.
    """
    pairs = shared_rows(before, after)
    if len(pairs) < MIN_SHARED:
        shared = f"share {len(pairs)} answers" if pairs else "share no answer"
        raise InputError(
            f"the two runs {shared}: nothing can be told from fewer than {MIN_SHARED}",
            hint="Compare runs over the same set.",
        )
    compared = [p for p in _paired(pairs) if len(p.groups) > 1 and not (p.binary and _never(p))]
    probabilities = adjusted([_probability(p) for p in compared])
    return tuple(_change(p, q) for p, q in zip(compared, probabilities, strict=True))


def shared_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Rows of the answers that are in both runs."""
    second = {r["id"]: r for r in after["rows"]}
    return [(r, second[r["id"]]) for r in before["rows"] if r["id"] in second]


def _paired(pairs: list[tuple[Any, Any]]) -> list[_Paired]:
    criteria = sorted({c for a, b in pairs for c in (*a["levels"], *b["levels"])})
    flags = sorted({f for a, b in pairs for f in (*a["red_flags"], *b["red_flags"])})
    values: list[tuple[str, Callable[[Any], Any], bool]] = [
        ("hiring signal", lambda r: r["overall"], False),
        ("total", lambda r: r.get("total"), False),
        ("off the label by", _off_label, False),
        *((c, lambda r, c=c: r["levels"].get(c), False) for c in criteria),
        *((f, lambda r, f=f: None if r["overall"] is None else f in r["red_flags"], True) for f in flags),
        ("without a total", lambda r: None if _failed(r) else r["overall"] is None, True),
        ("failed", _failed, True),
    ]
    return [_pair(what, of, pairs, binary=binary) for what, of, binary in values]


def _failed(row: Mapping[str, Any]) -> bool:
    return bool(row.get("status") == "failed")


def _off_label(row: Mapping[str, Any]) -> int | None:
    if row.get("labelled") is None or row["overall"] is None:
        return None
    return abs(int(row["overall"]) - int(row["labelled"]))


def _pair(what: str, of: Callable[[Any], Any], pairs: list[tuple[Any, Any]], *, binary: bool) -> _Paired:
    known = [(of(a), of(b), _group(a)) for a, b in pairs if of(a) is not None and of(b) is not None]
    sides = np.array([k[:2] for k in known], dtype=float).reshape(len(known), 2)
    return _Paired(what, sides[:, 0], sides[:, 1], [k[2] for k in known], binary)


def _group(row: Mapping[str, Any]) -> str:
    return str(row.get("group") or row.get("question_id") or row["id"])


def _never(pair: _Paired) -> bool:
    """Seen in neither run; to look at it would only raise the bar for the rest."""
    return not (pair.before.any() or pair.after.any())


def _split(pair: _Paired) -> tuple[int, int]:
    return int((pair.after > pair.before).sum()), int((pair.after < pair.before).sum())


def _probability(pair: _Paired) -> float:
    return mcnemar_p(*_split(pair)) if pair.binary else sign_flip_p(pair.after - pair.before, pair.groups)


def _change(pair: _Paired, probability: float) -> Change:
    interval = mean_interval(pair.after - pair.before, pair.groups)
    return Change(
        what=pair.what,
        n=len(pair.groups),
        before=float(pair.before.mean()),
        after=float(pair.after.mean()),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        probability=probability,
        beyond_noise=probability < ALPHA,
        split=_split(pair) if pair.binary else None,
    )
