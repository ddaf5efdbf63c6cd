from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import report

from coach.batch.outcome import Outcome, graded
from coach.batch.reading import Format
from coach.batch.records import grade_of
from coach.batch.rows import Row
from coach.batch.writing import Shape, open_writer
from coach.report import FeedbackReport

SHAPE = Shape(("product_framing", "tradeoffs"))


def outcome(line: int = 1, made: FeedbackReport | None = None, **content: object) -> Outcome:
    return Outcome(Row(line, content), graded(grade_of(made or report())))


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


def table(*outcomes: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written("csv", *outcomes).decode("utf-8"), newline="")))


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


def test_parquet_keeps_numbers_and_the_types_of_carried_columns(tmp_path: Path) -> None:
    shape = Shape(SHAPE.criteria, {"n": pa.int16()})
    (tmp_path / "a.parquet").write_bytes(written("parquet", outcome(n=7, other=[1]), shape=shape))
    found = pq.read_table(tmp_path / "a.parquet")
    assert found.schema.field("n").type == pa.int16()
    (row,) = found.to_pylist()
    assert (row["n"], row["other"], row["total"], row["level_product_framing"]) == (7, "[1]", 62.5, 3)


def test_parquet_of_no_rows_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(written("parquet"))
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0
