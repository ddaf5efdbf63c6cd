from __future__ import annotations

import json

import pytest
from builders import report
from hypothesis import given
from hypothesis import strategies as st

from coach.batch.records import body_of, finished, grade_of, line_of, report_of
from coach.batch.rows import Row
from coach.judgement import Usage

REPORT = report(usage=Usage(calls=1, prompt_tokens=10, completion_tokens=2, cost_usd=0.25))


def test_a_report_comes_back_under_any_id() -> None:
    assert report_of("b2", grade_of(REPORT).body) == REPORT.model_copy(update={"id": "b2"})


def test_a_line_is_the_report_with_the_carried_columns() -> None:
    line = line_of(Row(1, {"id": "b2", "answer": "A", "cohort": "spring"}), grade_of(REPORT).body)
    assert json.loads(line) == {"cohort": "spring", **REPORT.model_dump(mode="json"), "id": "b2"}


@given(id=st.text(min_size=1), value=st.text())
def test_whatever_is_carried_the_line_is_one_line_of_json(id: str, value: str) -> None:
    line = line_of(Row(1, {"id": id, "note": value}), grade_of(REPORT).body)
    assert line.count(b"\n") == 1
    assert (json.loads(line)["id"], json.loads(line)["note"]) == (id, value)


def test_reordering_characters_are_written_as_escapes() -> None:
    line = line_of(Row(1, {"note": "a\u202eb"}), grade_of(report(follow_up="c\u202ed")).body)
    assert "\u202e".encode() not in line
    assert json.loads(line)["follow_up"] == "c\u202ed"


def test_facts_are_what_a_summary_counts() -> None:
    facts = grade_of(REPORT).facts
    assert (facts.total, facts.overall, facts.flags, facts.missing) == (62.5, 4, ["model_first"], ["q01.2"])
    assert facts.levels == {"product_framing": 3, "tradeoffs": None}
    assert facts.usage == REPORT.usage


def test_the_prefixed_name_of_a_carried_column_stands_in_the_line() -> None:
    assert json.loads(line_of(Row(1, {"total": "9"}), grade_of(REPORT).body))["input_total"] == "9"


@pytest.mark.parametrize(("incomplete", "kept"), [(None, True), ("unreachable", False), ("over_budget", False)])
def test_a_grade_left_incomplete_by_the_endpoint_or_the_money_is_not_finished(
    incomplete: str | None, kept: bool
) -> None:
    assert finished(report(incomplete=incomplete)) is kept


def test_a_failed_report_is_not_finished() -> None:
    assert not finished(report(status="failed"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_no_word_for_is_carried_as_null(number: float) -> None:
    row = Row(1, {"answer": "x", "score": number, "nested": {"scores": [1.5, number]}})
    line = line_of(row, body_of(report()))
    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["score"], found["nested"]) == (None, {"scores": [1.5, None]})
