"""Two runs over the same answers, pair by pair: did the judge change beyond noise?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest, bootstrap

from coach.errors import InputError

RESAMPLES = 2000
SEED = 7
ALPHA = 0.05
"""Beyond this probability a change counts as noise."""


class Change(NamedTuple):
    """One thing that was compared."""

    what: str
    before: float
    after: float
    low: float
    high: float
    """95% interval of after - before, or the p-value twice for flags."""
    beyond_noise: bool


def compare_runs(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Mean level of every criterion, mean hiring signal (bootstrap over answers) and each red flag (exact McNemar).

    Args:
        before: a run as `coach eval --out` wrote it.
        after: another, over answers of the same ids.

    Raises:
        InputError: the runs share no answer.
    """
    first = {r["id"]: r for r in before["rows"]}
    second = {r["id"]: r for r in after["rows"]}
    shared = [id for id in first if id in second]
    if not shared:
        raise InputError("the two runs share no answer", hint="Compare runs over the same set.")
    pairs = [(first[id], second[id]) for id in shared]
    changes = [_levels("hiring signal", [(a["overall"], b["overall"]) for a, b in pairs])]
    for criterion in sorted({c for a, b in pairs for c in (*a["levels"], *b["levels"])}):
        changes.append(_levels(criterion, [(a["levels"].get(criterion), b["levels"].get(criterion)) for a, b in pairs]))
    for flag in sorted({f for a, b in pairs for f in (*a["red_flags"], *b["red_flags"])}):
        changes.append(_flag(flag, [(flag in a["red_flags"], flag in b["red_flags"]) for a, b in pairs]))
    return tuple(c for c in changes if c is not None)


def _levels(what: str, pairs: list[tuple[int | None, int | None]]) -> Change | None:
    known = np.array([(a, b) for a, b in pairs if a is not None and b is not None], dtype=float)
    if len(known) < 2:
        return None
    difference = known[:, 1] - known[:, 0]
    if (difference == difference[0]).all():
        low = high = float(difference[0])
    else:
        found = bootstrap((difference,), np.mean, n_resamples=RESAMPLES, rng=SEED, method="percentile")
        low, high = float(found.confidence_interval.low), float(found.confidence_interval.high)
    return Change(what, float(known[:, 0].mean()), float(known[:, 1].mean()), low, high, low > 0 or high < 0)


def _flag(what: str, pairs: list[tuple[bool, bool]]) -> Change:
    gained, lost = sum(b and not a for a, b in pairs), sum(a and not b for a, b in pairs)
    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    share = [sum(side) / len(pairs) for side in zip(*pairs, strict=True)]
    return Change(what, share[0], share[1], p, p, p < ALPHA)
