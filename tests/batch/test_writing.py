from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import report

from coach.batch.outcome import Outcome, graded
from coach.batch.reading import Format, find_sources, read_rows
from coach.batch.records import grade_of
from coach.batch.rows import Row
from coach.batch.writing import Shape, open_writer, shape_for, table_names
from coach.errors import InputError
from coach.report import FeedbackReport

SHAPE = Shape(("product_framing", "tradeoffs"))


def outcome(line: int = 1, made: FeedbackReport | None = None, **content: object) -> Outcome:
    return outcome_of(Row(line, content), made)


def outcome_of(row: Row, made: FeedbackReport | None = None) -> Outcome:
    return Outcome(row, graded(grade_of(made or report())))


def written(format: Format, *outcomes: Outcome, shape: Shape = SHAPE) -> bytes:
    file = io.BytesIO()
    writer = open_writer(format, file, shape)
    for o in outcomes:
        writer.write(o)
    writer.close()
    return file.getvalue()


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_what_is_live_is_passed_on_row_by_row(format: Format) -> None:
    raw = io.BytesIO()
    file = io.BufferedWriter(raw, buffer_size=1 << 20)
    writer = open_writer(format, file, SHAPE, live=True)
    writer.write(outcome())
    assert raw.getvalue().endswith(b"\n")


def table(*outcomes: Outcome, shape: Shape = SHAPE) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written("csv", *outcomes, shape=shape).decode("utf-8"), newline="")))


def parquet(*outcomes: Outcome, shape: Shape = SHAPE) -> pa.Table:
    return pq.read_table(io.BytesIO(written("parquet", *outcomes, shape=shape)))


def unreadable(line: int) -> Outcome:
    return outcome_of(Row(line, InputError(f"line {line}: not UTF-8")))


def test_jsonl_holds_a_line_for_each() -> None:
    assert [json.loads(line)["id"] for line in written("jsonl", outcome(1), outcome(2)).splitlines()] == ["1", "2"]


def test_a_table_has_what_people_sort_by() -> None:
    (row,) = table(outcome(cohort="spring"))
    assert (row["cohort"], row["total"], row["overall"], row["red_flags"]) == ("spring", "62.5", "4", "model_first")
    assert (row["level_product_framing"], row["level_tradeoffs"]) == ("3", "")
    assert row["next_steps"] == "tradeoffs +9: Name an alternative."
    assert json.loads(row["report"])["total"] == 62.5


def test_a_table_of_no_rows_has_its_header() -> None:
    assert written("csv").startswith(b"id,question_id,status,total")


def test_a_column_that_first_appears_later_stands_in_the_report() -> None:
    _, second = table(outcome(cohort="spring"), outcome(2, late="x"))
    assert (second["cohort"], json.loads(second["report"])["late"]) == ("", "x")


def test_carried_cells_stay_letter_by_letter() -> None:
    assert table(outcome(note='-5 "x",\n=y'))[0]["note"] == '-5 "x",\n=y'


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@x"])
def test_text_of_a_judge_is_no_formula(text: str) -> None:
    (row,) = table(outcome(made=report(follow_up=text)))
    assert row["follow_up"] == f"'{text}"


def test_columns_are_those_of_all_inputs_whatever_the_first_row_has() -> None:
    shape = Shape(SHAPE.criteria, {"cohort": None, "late": None})
    first, second = table(outcome(cohort="spring"), outcome(2, late="x"), shape=shape)
    assert (first["cohort"], first["late"], second["cohort"], second["late"]) == ("spring", "", "", "x")


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_rows_that_cannot_be_read_wait_for_one_that_names_the_columns(format: Format) -> None:
    outcomes = (unreadable(1), unreadable(2), outcome(3, cohort="spring"), unreadable(4))
    rows = table(*outcomes) if format == "csv" else parquet(*outcomes).to_pylist()
    assert [r["id"] for r in rows] == ["1", "2", "3", "4"]
    assert [r["cohort"] or "" for r in rows] == ["", "", "spring", ""]


def test_where_no_row_can_be_read_the_table_has_its_own_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coach.batch.writing._GROUP_ROWS", 3)
    rows = table(*(unreadable(n) for n in range(1, 6)))
    assert [r["id"] for r in rows] == ["1", "2", "3", "4", "5"]


def test_a_column_named_like_one_of_the_table_gets_another_name() -> None:
    carried = ["report", "cost_usd", "input_cost_usd", "level_tradeoffs", "level_of_study"]
    own = ["cost_usd", "level_tradeoffs", "report"]
    assert table_names(carried, own) == {
        "report": "input_report",
        "cost_usd": "input_cost_usd",
        "input_cost_usd": "input_input_cost_usd",
        "level_tradeoffs": "input_level_tradeoffs",
        "level_of_study": "level_of_study",
    }


def test_a_carried_column_and_one_of_the_table_stand_beside_each_other() -> None:
    rows = [table(outcome(report="mine"))[0], parquet(outcome(report="mine")).to_pylist()[0]]
    assert [(r["input_report"], json.loads(r["report"])["report"]) for r in rows] == [("mine", "mine")] * 2


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    content = {"id": "\ud800", "note": "\ud800", "nested": ["\ud800"], "\ud800": 1}
    (row,) = parquet(outcome_of(Row(1, content))).to_pylist()
    assert (row["id"], row["note"], row["nested"], row["\\ud800"]) == ("\\ud800", "\\ud800", '["\\ud800"]', "1")


def test_columns_of_jsonl_are_not_looked_for(tmp_path: Path) -> None:
    gone = find_sources([str(tmp_path / "gone.csv")])
    assert shape_for("jsonl", ["tradeoffs"], gone) == Shape(("tradeoffs",))


def test_a_column_of_two_types_keeps_its_values_as_text(tmp_path: Path) -> None:
    for name, comment in {"a": [1], "b": [1.5], "c": ["x"]}.items():
        columns = {"question_id": ["q01"], "answer": ["x"], "comment": comment, f"n_{name}": [7]}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    sources = find_sources([str(tmp_path / "*.parquet")])
    found = parquet(*map(outcome_of, read_rows(sources)), shape=shape_for("parquet", SHAPE.criteria, sources))
    assert found["comment"].to_pylist() == ["1", "1.5", "x"]
    assert found["n_b"].to_pylist() == [None, 7, None]


def test_parquet_keeps_numbers_and_the_types_of_carried_columns(tmp_path: Path) -> None:
    shape = Shape(SHAPE.criteria, {"n": pa.int16(), "other": None})
    (tmp_path / "a.parquet").write_bytes(written("parquet", outcome(n=7, other=[1]), shape=shape))
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.schema.field("n").type == pa.int16()
    (row,) = found.to_pylist()
    assert (row["n"], row["other"], row["total"], row["level_product_framing"]) == (7, "[1]", 62.5, 3)


def test_parquet_of_no_rows_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(written("parquet"))
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0


def test_csv_keeps_numbers_that_json_has_no_word_for() -> None:
    (row,) = table(outcome(score=float("nan"), top=float("inf")))
    assert (row["score"], row["top"]) == ("NaN", "Infinity")


def test_a_list_in_a_cell_is_json_whatever_its_numbers() -> None:
    (row,) = table(outcome(scores=[1.5, float("nan")]))
    assert row["scores"] == "[1.5, null]"


def test_parquet_keeps_numbers_that_json_has_no_word_for(tmp_path: Path) -> None:
    shape = Shape(SHAPE.criteria, {"score": pa.float32()})
    (tmp_path / "a.parquet").write_bytes(written("parquet", outcome(score=float("nan")), shape=shape))
    (row,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert math.isnan(row["score"])


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_the_report_in_a_table_is_json_whatever_is_carried(format: Format) -> None:
    carried = outcome(score=float("nan"))
    (row,) = table(carried) if format == "csv" else parquet(carried).to_pylist()
    assert json.loads(row["report"], parse_constant=pytest.fail)["score"] is None
