from __future__ import annotations

import pytest

from coach.judgement import Abstained, GapStatus, Judgement, LeftOpen, shortfall


@pytest.mark.parametrize(
    ("status", "incomplete"),
    [("abstained", False), ("refused", False), ("truncated", False), ("unreachable", True), ("over_budget", True)],
)
def test_a_judgement_with_a_gap_that_another_try_may_fill_is_incomplete(status: GapStatus, incomplete: bool) -> None:
    judgement = Judgement(verdicts=(Abstained(criterion_id="bias", reason="open", status=status),))
    assert judgement.incomplete == (status if incomplete else None)


def test_criteria_that_are_missing_for_one_reason_are_told_together() -> None:
    gaps = [Abstained(criterion_id=id, reason="gone", status="unreachable") for id in ("bias", "variance")]
    assert Judgement(verdicts=tuple(gaps)).open_parts == (LeftOpen(what="levels of bias, variance", reason="gone"),)


def test_nothing_is_missing_from_a_judgement_whose_judge_would_not_say() -> None:
    assert Judgement(verdicts=(Abstained(criterion_id="bias", reason="unsure"),)).open_parts == ()


def test_what_is_missing_is_told_also_where_nobody_says_which_part_it_is() -> None:
    (part,) = Judgement(verdicts=(), lost="unreachable").open_parts
    assert part == LeftOpen(what="a part of the judgement", reason="the endpoint could not be reached")


def test_want_of_money_is_told_before_an_endpoint_that_was_not_there() -> None:
    assert shortfall(["refused", "unreachable", "over_budget", None]) == "over_budget"
