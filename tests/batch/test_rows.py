from __future__ import annotations

from typing import Any

import pytest

from coach.asked import Brought
from coach.batch.rows import Row, read_entry, rows_of
from coach.errors import InputError


def row(**content: Any) -> Row:
    return Row(3, content)


def test_a_row_names_a_question_of_the_bank() -> None:
    assert read_entry(row(question_id="q01", answer="A")) == ("q01", "A")


def test_a_row_may_bring_its_question_along() -> None:
    found = read_entry(row(question="W?", reference="R.", points=["one"], answer="A"))
    assert found.asked == Brought("W?", "R.", ("one",))


def test_points_may_be_the_text_of_a_csv_cell() -> None:
    found = read_entry(row(question="W?", reference="R.", points='["one", "two"]', answer="A"))
    assert found.asked == Brought("W?", "R.", ("one", "two"))


def test_an_empty_cell_brings_no_points() -> None:
    assert read_entry(row(question="W?", reference="R.", points="", answer="A")).asked == Brought("W?", "R.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"question_id": "q01"}, "line 3: no text under `answer`"),
        ({"question_id": "q01", "answer": 7}, "line 3: no text under `answer`"),
        ({"answer": "A"}, "line 3: neither `question_id` nor"),
        ({"question": "W?", "reference": "R.", "points": "one", "answer": "A"}, "line 3: `points` must be a list"),
        ({"question": "W?", "reference": "R.", "points": [1], "answer": "A"}, "line 3: `points` must be a list"),
        ({"question": "W?", "reference": "R.", "points": "[" * 9999, "answer": "A"}, "line 3: `points` must be a list"),
    ],
)
def test_what_a_row_lacks_is_told_with_its_line(content: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_entry(Row(3, content))


@pytest.mark.parametrize("column", ["question", "reference", "points"])
def test_half_a_surrogate_pair_is_told_with_its_column(column: str) -> None:
    content: dict[str, Any] = {"question": "W?", "reference": "R.", "points": ["one"], "answer": "A"}
    content[column] = ["\ud800"] if column == "points" else "\ud800"
    with pytest.raises(InputError, match=f"line 3: `{column}` holds half of a surrogate pair"):
        read_entry(Row(3, content))


def test_half_a_surrogate_pair_may_come_in_the_text_of_a_csv_cell() -> None:
    with pytest.raises(InputError, match="line 3: `points` holds half of a surrogate pair"):
        read_entry(row(question="W?", reference="R.", points='["\\ud800"]', answer="A"))


def test_a_question_id_can_always_be_written() -> None:
    assert row(question_id="\ud800", answer="A").question_id == "\\ud800"


def test_an_id_of_zero_is_an_id() -> None:
    assert row(id=0).id == "0"


def test_without_an_id_the_line_is_the_id() -> None:
    assert row(answer="A").id == "3"


def test_the_file_stands_before_the_line_where_there_are_several() -> None:
    assert (Row(3, {}, "a.jsonl").id, Row(3, {}, "a.jsonl").place) == ("a.jsonl:3", "a.jsonl line 3")


def test_columns_that_are_not_read_are_carried() -> None:
    assert row(id="x", answer="A", cohort="spring", n=1.5).carried == {"cohort": "spring", "n": 1.5}


def test_a_column_named_like_a_field_of_the_report_is_carried_under_another_name() -> None:
    assert row(total=3, input=1).carried == {"input_total": 3, "input": 1}


def test_a_bad_line_carries_nothing_and_raises_its_error() -> None:
    bad = Row(3, InputError("line 3: not JSON"))
    assert (bad.carried, bad.question_id, bad.id) == ({}, "", "3")
    with pytest.raises(InputError, match="not JSON"):
        read_entry(bad)


def test_rows_of_a_program_are_numbered_from_one() -> None:
    assert [r.place for r in rows_of([{}, {}])] == ["row 1", "row 2"]
