from __future__ import annotations

import pytest

from coach.models import Abstained, GapStatus, Judgement, shortfall


@pytest.mark.parametrize(
    ("status", "incomplete"),
    [("abstained", False), ("refused", False), ("truncated", False), ("unreachable", True), ("over_budget", True)],
)
def test_a_judgement_with_a_gap_that_another_try_may_fill_is_incomplete(status: GapStatus, incomplete: bool) -> None:
    judgement = Judgement(verdicts=(Abstained(criterion_id="bias", reason="open", status=status),))
    assert judgement.incomplete == (status if incomplete else None)


def test_want_of_money_is_told_before_an_endpoint_that_was_not_there() -> None:
    assert shortfall(["refused", "unreachable", "over_budget", None]) == "over_budget"
