from __future__ import annotations

import pytest
from builders import ANSWER, report

from coach.evaluation.invariants import broken_rules
from coach.judgement import Evidence
from coach.report import CriterionReport, ErrorReport, FeedbackReport


def whole(**changes: object) -> FeedbackReport:
    """An honest report: one criterion, level 2 of 4, a quote that stands."""
    criterion: dict[str, object] = {
        "id": "tradeoffs", "level": 2, "status": "ok", "weight": 100, "points": 50, "rationale": "",
        "evidence": (Evidence(quote=ANSWER[:27], start=0, end=27),),
    }  # fmt: skip
    criterion |= {k: changes.pop(k) for k in list(changes) if k in criterion}
    base: dict[str, object] = {"total": 50.0, "overall": 3, "criteria": (CriterionReport(**criterion),)}
    return report(ANSWER, **(base | changes))


def test_an_honest_report_breaks_nothing() -> None:
    assert broken_rules(whole(), ANSWER) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"level": None}, "level None and status ok"),
        ({"status": "truncated"}, "level 2 and status truncated"),
        ({"evidence": ()}, "without a quote that stands"),
        ({"evidence": (Evidence(quote="invented"),)}, "without a quote that stands"),
        ({"evidence": (Evidence(quote="invented", start=0, end=8),)}, "the answer says something else"),
        ({"total": None, "overall": None}, "total None, though 100 of 100"),
        ({"points": None, "level": None, "status": "abstained"}, "total 50.0, though 0 of 100"),
        ({"overall": 5}, "overall 5 with a total of 50"),
        ({"total": 60.0}, "above the cap of a red flag, 55"),
    ],
)
def test_a_broken_rule_is_told(changes: dict[str, object], told: str) -> None:
    assert told in "; ".join(broken_rules(whole(**changes), ANSWER))


def test_a_failure_that_carries_a_grade_is_told() -> None:
    failed = report(status="failed", error=ErrorReport(kind="x", message="y"))
    assert broken_rules(failed, ANSWER)[0] == "a failed report carries a grade, or no error"


def test_a_criterion_that_stands_twice_is_told() -> None:
    one = whole().criteria[0]
    assert "stands twice" in broken_rules(whole(criteria=(one, one)), ANSWER)[0]
