from __future__ import annotations

import pytest
from builders import abstained, judged, rubric
from hypothesis import given
from hypothesis import strategies as st

from coach.judgement import Abstained, Evidence, Judged
from coach.scoring import COVERAGE_FLOOR, apply_caps, credit, gain_without_caps, gains, overall_signal, score

TWO = rubric(bias=75, variance=25)


def test_total_is_the_weighted_mean_of_levels() -> None:
    assert score(TWO, [judged("bias", 2), judged("variance", 4)]).total == pytest.approx(62.5)  # 37.5 + 25


def test_abstained_criterion_leaves_the_denominator() -> None:
    assert score(TWO, [judged("bias", 2), abstained("variance")]).total == pytest.approx(50.0)


def test_total_is_withheld_when_too_little_was_judged() -> None:
    card = score(TWO, [abstained("bias"), judged("variance", 4)])
    assert card.coverage < COVERAGE_FLOOR
    assert (card.total, card.overall, card.band) == (None, None, None)


def test_nothing_judged_gives_no_total_instead_of_zero() -> None:
    assert score(TWO, [abstained("bias"), abstained("variance")]).total is None


def test_verdicts_that_do_not_fit_the_rubric_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        score(TWO, [judged("bias", 2)])


def test_a_criterion_judged_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        score(rubric(bias=100), [judged("bias", 2), judged("bias", 3)])


def test_the_smallest_cap_wins() -> None:
    assert score(TWO, [judged("bias", 4), judged("variance", 4)], caps=[60, 25]).total == 25


def test_a_cap_never_raises_a_total() -> None:
    assert apply_caps(10, [50]) == 10


@pytest.mark.parametrize(("total", "signal"), [(0, 1), (15.9, 1), (16, 2), (39, 3), (61, 4), (85, 5), (100, 5)])
def test_signal_rises_at_the_cuts(total: float, signal: int) -> None:
    assert overall_signal(total) == signal


def test_band_spans_what_an_abstained_criterion_could_add() -> None:
    card = score(TWO, [judged("bias", 4), abstained("variance")])
    assert card.band == (75.0, 100.0)


def test_band_follows_the_verdicts_bands() -> None:
    assert score(rubric(bias=100), [judged("bias", 2, band=(1, 3))]).band == (25.0, 75.0)


def test_errors_of_two_criteria_partly_cancel_out_in_the_total() -> None:
    low, high = score(TWO, [judged("bias", 2, band=(1, 3)), judged("variance", 2, band=(1, 3))]).band or (0, 0)
    assert 25 < low < 50 < high < 75


def test_no_band_when_every_level_is_certain() -> None:
    assert score(rubric(bias=100), [judged("bias", 2)]).band is None


def test_level_with_a_quote_that_stands_in_the_answer_counts() -> None:
    verdict = judged("bias", 3, "squared error")
    assert credit(verdict) is verdict


@pytest.mark.parametrize("evidence", [(), (Evidence(quote="never said"),)])
def test_level_without_verified_evidence_counts_as_zero_and_says_so(evidence: tuple[Evidence, ...]) -> None:
    credited = credit(Judged(criterion_id="bias", level=3, evidence=evidence, rationale="fine"))
    assert isinstance(credited, Judged)
    assert credited.level == 0
    assert "level 3" in credited.rationale


def test_level_zero_needs_no_evidence() -> None:
    verdict = judged("bias", 0)
    assert credit(verdict) is verdict


def test_abstain_policy_leaves_the_level_open() -> None:
    assert isinstance(credit(judged("bias", 3), policy="abstain"), Abstained)


def test_an_invented_quote_cannot_raise_the_total() -> None:
    honest = score(TWO, [judged("bias", 4, "said"), credit(judged("variance", 0))])
    invented = score(TWO, [judged("bias", 4, "said"), credit(judged("variance", 4))])
    assert invented.total == honest.total


def test_gains_bring_a_criterion_to_level_three_most_first() -> None:
    won = gains(score(TWO, [judged("bias", 1), judged("variance", 0)]))
    assert [(g.criterion_id, g.to_level, g.points) for g in won] == [("bias", 3, 37.5), ("variance", 3, 18.8)]


def test_gain_from_level_three_is_one_level() -> None:
    assert gains(score(rubric(bias=100), [judged("bias", 3)]))[0][1:] == (4, 25.0)


def test_top_level_and_abstained_criteria_have_no_gain() -> None:
    assert gains(score(TWO, [judged("bias", 4), abstained("variance")])) == ()


def test_cost_of_the_caps_is_what_they_took() -> None:
    assert gain_without_caps(score(rubric(bias=100), [judged("bias", 2)], caps=[20])) == 30.0


levels = st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=4, max_size=4)
FOUR = rubric(a=40, b=30, c=20, d=10)


def verdicts(values: list[int | None]) -> list[Judged | Abstained]:
    return [abstained(i) if v is None else judged(i, v) for i, v in zip("abcd", values, strict=True)]


@given(levels, st.lists(st.floats(0, 100), max_size=3))
def test_total_stays_in_range_and_below_every_cap(values: list[int | None], caps: list[float]) -> None:
    total = score(FOUR, verdicts(values), caps=caps).total
    assert total is None or 0 <= total <= min([100, *(c + 0.05 for c in caps)])


@given(levels, st.integers(0, 3))
def test_a_higher_level_never_lowers_the_total(values: list[int | None], position: int) -> None:
    level = values[position]
    if level is None or level == 4:
        return
    raised = [*values[:position], level + 1, *values[position + 1 :]]
    before, after = score(FOUR, verdicts(values)).total, score(FOUR, verdicts(raised)).total
    assert (before is None and after is None) or (before is not None and after is not None and after > before)


@given(levels, st.permutations(range(4)))
def test_order_of_verdicts_does_not_matter(values: list[int | None], order: list[int]) -> None:
    given_order = verdicts(values)
    assert score(FOUR, given_order) == score(FOUR, [given_order[i] for i in order])


@given(
    levels,
    st.lists(st.tuples(st.floats(0, 4), st.floats(0, 4)), min_size=4, max_size=4),
    st.lists(st.floats(0, 100), max_size=2),
)
def test_the_total_lies_within_its_band(
    values: list[int | None], widths: list[tuple[float, float]], caps: list[float]
) -> None:
    unsure = [
        v.model_copy(update={"band": (max(0.0, v.level - low), min(4.0, v.level + high))})
        if isinstance(v, Judged)
        else v
        for v, (low, high) in zip(verdicts(values), widths, strict=True)
    ]
    card = score(FOUR, unsure, caps=caps)
    if card.total is not None and card.band is not None:
        assert 0 <= card.band[0] <= card.total <= card.band[1] <= 100
