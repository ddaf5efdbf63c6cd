from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest
from scipy.stats import t as student

from coach.evaluation.intervals import (
    MIN_CLUSTERS,
    adjusted,
    bootstrap_interval,
    clusters,
    detectable_mean,
    detectable_rate,
    mcnemar_p,
    mean_interval,
    rate_interval,
    sign_flip_p,
)


def test_answers_to_a_question_are_drawn_together() -> None:
    groups = [f"q{n % MIN_CLUSTERS}" for n in range(3 * MIN_CLUSTERS)]
    members = clusters(groups)
    assert [list(m) for m in members[:2]] == [[0, 10, 20], [1, 11, 21]]
    assert sum(len(m) for m in members) == len(groups)


def test_few_questions_are_no_clusters() -> None:
    assert len(clusters(["q01"] * 30)) == 30


def test_an_interval_of_a_mean_holds_the_mean() -> None:
    values = np.random.default_rng(1).normal(3, 1, 200)
    found = mean_interval(values, range(200))
    assert found is not None
    assert found.low < values.mean() < found.high
    # Half its width is about 1.96 standard errors.
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / math.sqrt(200), rel=0.15)


def test_answers_that_go_by_question_widen_the_interval() -> None:
    values = np.repeat(np.random.default_rng(2).normal(0, 1, 20), 10)
    by_answer = mean_interval(values, range(200))
    by_question = mean_interval(values, np.repeat(np.arange(20), 10).tolist())
    assert by_answer is not None
    assert by_question is not None
    assert by_question.high - by_question.low > 2 * (by_answer.high - by_answer.low)


def test_the_mean_is_covered_about_as_often_as_promised() -> None:
    draws = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        found = mean_interval(draws.normal(1, 2, 40), range(40))
        held += found is not None and found.low <= 1 <= found.high
    assert held >= 51  # 57 expected; fewer than 51 of 60 has a probability below 1%


def test_too_few_answers_have_no_interval() -> None:
    assert mean_interval([1.0, 2.0, 3.0], range(3)) is None


def test_a_statistic_that_is_never_defined_has_no_interval() -> None:
    assert bootstrap_interval(lambda _: math.nan, (np.arange(9),), range(9)) is None


def test_a_rate_has_wilsons_interval() -> None:
    found = rate_interval(0, 20)
    assert found is not None
    assert found.low == 0
    assert found.high == pytest.approx(1.96**2 / (20 + 1.96**2), abs=1e-3)  # Wilson at 0 hits: z² / (n + z²)


def test_a_rate_of_nothing_has_none() -> None:
    assert rate_interval(0, 0) is None


def test_sign_flips_are_exact_where_answers_are_few() -> None:
    assert sign_flip_p([1.0] * 5, range(5)) == pytest.approx(2 / 2**5)


def test_no_difference_is_no_evidence() -> None:
    assert sign_flip_p([0.0] * 9, range(9)) == 1.0


def test_mcnemar_looks_at_what_changed_only() -> None:
    assert mcnemar_p(6, 0) == pytest.approx(binomtest(6, 6).pvalue)
    assert mcnemar_p(0, 0) == 1.0


def test_many_looks_raise_the_bar() -> None:
    assert adjusted([0.01, 0.5, 0.9, 0.02]) == pytest.approx((0.04, 0.6667, 0.9, 0.04), abs=1e-3)
    assert adjusted([]) == ()


def test_the_detectable_mean_is_blooms() -> None:
    values = np.random.default_rng(4).normal(0, 10, 60)
    by_hand = (student.ppf(0.975, 59) + student.ppf(0.8, 59)) * values.std(ddof=1) / math.sqrt(60)
    assert detectable_mean(values, range(60)) == pytest.approx(by_hand, rel=0.08)


def test_a_true_mean_of_that_size_is_seen_four_times_in_five() -> None:
    draws = np.random.default_rng(5)
    size = detectable_mean(draws.normal(0, 10, 40), range(40))
    assert size is not None
    seen = sum(sign_flip_p(draws.normal(size, 10, 40), range(40)) < 0.05 for _ in range(50))
    assert 31 <= seen <= 49  # 40 expected, give or take three standard errors


def test_what_does_not_vary_has_no_detectable_mean() -> None:
    assert detectable_mean([0.0] * 30, range(30)) is None


@pytest.mark.parametrize("n", [10, 40, 75])
def test_a_true_rate_of_that_size_is_seen_four_times_in_five(n: int) -> None:
    rate = detectable_rate(n, above=0.05)
    hits = np.arange(n + 1)
    surely = np.array([(found := rate_interval(int(k), n)) is not None and found.low > 0.05 for k in hits])
    assert binom.pmf(hits, n, rate)[surely].sum() == pytest.approx(0.8)


def test_of_no_case_no_rate_is_seen() -> None:
    assert detectable_rate(0, above=0.05) == 1.0


def test_a_single_difference_is_no_evidence() -> None:
    assert sign_flip_p([3.0], ["q01"]) == 1.0


def test_more_looks_see_larger_means_only() -> None:
    values = np.random.default_rng(6).normal(0, 10, 40)
    alone, among = detectable_mean(values, range(40)), detectable_mean(values, range(40), looks=7)
    assert alone is not None
    assert among is not None
    assert among > alone
