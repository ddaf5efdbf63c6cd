"""Intervals, probabilities and what a sample can see. The statistics are scipy's; this module says which, and on what.

Answers to one question share its rubric, so they are drawn together wherever there are questions enough to draw from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import beta, binomtest, bootstrap, false_discovery_control, permutation_test
from scipy.stats import t as student

RESAMPLES = 1000
SEED = 7
LEVEL = 0.95
"""Confidence of every interval."""
ALPHA = 0.05
POWER = 0.80
"""Chance with which the smallest visible effect is seen."""
MIN_CLUSTERS = 10
"""Questions below which answers are drawn one by one: so few clusters have hardly any spread to draw from."""
MIN_SAMPLE = 5
"""Answers below which no interval is given."""


class Interval(NamedTuple):
    """Lower and upper end of a 95% interval."""

    low: float
    high: float


def clusters(groups: Sequence[Hashable]) -> list[Any]:
    """Positions of the answers of each question; every answer by itself where questions are few.

    Returns:
        Arrays of positions 0..n-1, each position in exactly one.
    """
    by_group: dict[Hashable, list[int]] = {}
    for position, group in enumerate(groups):
        by_group.setdefault(group, []).append(position)
    if len(by_group) < MIN_CLUSTERS:
        return [np.array([i]) for i in range(len(groups))]
    return [np.array(members) for members in by_group.values()]


def bootstrap_interval(
    statistic: Callable[..., float], samples: Sequence[Any], groups: Sequence[Hashable]
) -> Interval | None:
    """Percentile bootstrap over questions (`clusters`) of any statistic of paired samples.

    Args:
        statistic: takes as many arrays as there are samples; NaN where it is not defined, which is left out.
        samples: arrays of shape (n,), drawn together.
        groups: n question ids.

    Returns:
        None for fewer than MIN_SAMPLE answers, or where the statistic is defined in no resample.
    """
    if len(groups) < MIN_SAMPLE:
        return None
    drawn = _drawn(statistic, samples, groups)
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return None
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _drawn(statistic: Callable[..., float], samples: Sequence[Any], groups: Sequence[Hashable]) -> Any:
    members = clusters(groups)
    if len(members) < 2:
        return np.array([])

    def of(chosen: Any) -> float:
        at = np.concatenate([members[i] for i in chosen])
        return statistic(*(s[at] for s in samples))

    with warnings.catch_warnings():
        # Resamples in which the statistic is not defined are left out by the caller; scipy warns of them.
        warnings.simplefilter("ignore")
        found = bootstrap(
            (np.arange(len(members)),), of, vectorized=False, n_resamples=RESAMPLES, method="percentile", rng=SEED
        )
    return np.atleast_1d(found.bootstrap_distribution)


def rate_interval(hits: int, n: int) -> Interval | None:
    """Wilson's interval of a share; None of nothing."""
    if not n:
        return None
    found = binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(found.low), float(found.high))


def mean_interval(values: Any, groups: Sequence[Hashable]) -> Interval | None:
    """Bootstrap interval of a mean, drawn by question."""
    return bootstrap_interval(np.mean, (np.asarray(values, dtype=float),), groups)


def sign_flip_p(differences: Any, groups: Sequence[Hashable]) -> float:
    """Two-sided probability of a mean this far from 0 if each question's differences could as well have the other sign.

    Exact up to 13 sums, which bootstrapping a handful of equal differences is not: that knows no doubt. Above, 9,999 random
    flips, so never below 0.0002. 1 for a single sum, whose sign tells nothing.
    """
    values = np.asarray(differences, dtype=float)
    sums = np.array([values[m].sum() for m in clusters(groups)])
    if len(sums) < 2 or not np.any(sums):
        return 1.0
    found = permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=9999, rng=SEED)
    return float(found.pvalue)


def mcnemar_p(gained: int, lost: int) -> float:
    """Exact McNemar: probability of a split this uneven of the answers that changed, if either way were as likely."""
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def adjusted(probabilities: Sequence[float]) -> tuple[float, ...]:
    """Benjamini and Hochberg's correction for looking at many things at once.

    Where nothing has changed at all, the chance of calling any of them changed stays at ALPHA.
    """
    return tuple(float(p) for p in false_discovery_control(probabilities)) if probabilities else ()


def detectable_mean(values: Any, groups: Sequence[Hashable], *, looks: int = 1) -> float | None:
    """Smallest true mean that a sample like this shows as different from 0, four times in five.

    (t(1 - ALPHA/(2 looks)) + t(POWER)) * SE, with SE from the bootstrap over questions and t of clusters - 1 degrees of
    freedom. None where the values do not vary: their noise cannot be told from them.

    Args:
        values: shape (n,).
        groups: n question ids.
        looks: things looked at together; where this one alone is there, `adjusted` asks as much of it as Bonferroni.

    Source: H. S. Bloom, "Minimum Detectable Effects", Evaluation Review 19(5), 1995, pp. 547-556.
    """
    data = np.asarray(values, dtype=float)
    if len(data) < MIN_SAMPLE or not data.std():
        return None
    error = float(_drawn(np.mean, (data,), groups).std(ddof=1))
    freedom = len(clusters(groups)) - 1
    return float((student.ppf(1 - ALPHA / (2 * looks), freedom) + student.ppf(POWER, freedom)) * error)


def detectable_rate(n: int, *, above: float) -> float:
    """Smallest true rate that n cases show, four times in five, as surely above a tolerated one.

    Surely: Wilson's interval of the cases seen lies above it as a whole. The rate is that of which at least so many cases
    are seen with probability POWER, a quantile of the beta distribution. 1 where no number of cases would do.

    Source: C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
    Binomial", Biometrika 26(4), 1934, pp. 404-413, for the quantile.

    Args:
        n: cases.
        above: the tolerated rate, 0..1.
    """
    for hits in range(1, n + 1):
        interval = rate_interval(hits, n)
        if interval is not None and interval.low > above:
            return float(beta.ppf(POWER, hits, n - hits + 1))
    return 1.0
