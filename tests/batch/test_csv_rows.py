from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coach.batch.csv_rows import Header, read_csv
from coach.batch.rows import MAX_ROW_BYTES, Row
from coach.errors import InputError


def read(content: bytes) -> list[Row]:
    return list(read_csv(io.BytesIO(content), ""))


def contents(rows: list[Row]) -> list[object]:
    return [r.content.message if isinstance(r.content, InputError) else dict(r.content) for r in rows]


def test_a_cell_may_hold_lines_and_quotes() -> None:
    rows = read('question_id,answer\nq01,"a ""b""\nc"\nq02,é\n'.encode())
    assert [(r.line, r.content["answer"]) for r in rows if not isinstance(r.content, InputError)] == [
        (2, 'a "b"\nc'),
        (4, "é"),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_separator_is_that_of_the_header(mark: str) -> None:
    text = f"question_id{mark}answer\nq01{mark}x\n"
    assert contents(read(text.encode())) == [{"question_id": "q01", "answer": "x"}]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"q01", "line 2: 1 cells where the header has 2"),
        (b"q01,x,y", "line 2: 3 cells where the header has 2"),
        (b"q01,caf\xe9", "line 2: not UTF-8"),
    ],
)
def test_a_bad_record_carries_its_fault_and_the_next_is_read(line: bytes, fault: str) -> None:
    found = contents(read(b"question_id,answer\n" + line + b"\nq02,y\n"))
    assert found == [fault, {"question_id": "q02", "answer": "y"}]


def test_a_long_answer_is_read_whole() -> None:
    long = "x" * 300_000
    (row,) = contents(read(f"question_id,answer\nq01,{long}\n".encode()))
    assert row == {"question_id": "q01", "answer": long}


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="two columns are named 'answer'"):
        read(b"answer,answer,question_id\n")


def test_a_header_that_is_no_csv_is_told() -> None:
    with pytest.raises(InputError, match="the header: not CSV"):
        read(b"question_id,answer\rq01,x\r")


# --- what spreadsheets write


def test_a_row_of_a_spreadsheet_that_is_empty_is_no_row() -> None:
    rows = read(b"question_id;answer\r\n;\r\nq01;x\r\n ; \r\n\r\n;\r\n")
    assert [(r.line, r.content) for r in rows] == [(3, {"question_id": "q01", "answer": "x"})]


@pytest.mark.parametrize("said", [b"sep=;\r\n", b"\xef\xbb\xbfsep=;\r\n", b'"sep=;"\n'])
def test_a_line_that_says_the_separator_is_heeded(said: bytes) -> None:
    (row,) = read(said + b"question_id;answer,or,text;answer\r\nq01;x;y\r\n")
    assert (row.line, row.content) == (3, {"question_id": "q01", "answer,or,text": "x", "answer": "y"})


def test_columns_without_name_and_content_at_the_end_are_left_out() -> None:
    assert contents(read(b"question_id,answer,,\nq01,x,,\n")) == [{"question_id": "q01", "answer": "x"}]


def test_a_cell_under_a_column_without_a_name_is_not_lost_in_silence() -> None:
    assert contents(read(b"question_id,answer,\nq01,x,y\n")) == ["line 2: a cell under a column without a name"]


def test_a_file_in_the_spreadsheets_old_encoding_is_told_how_to_be_saved() -> None:
    (row,) = read("question_id;answer\r\nq01;Größe\r\n".encode("cp1252"))
    assert isinstance(row.content, InputError)
    assert (str(row.content), "CSV UTF-8" in row.content.hint) == ("line 2: not UTF-8", True)


# --- records longer than a row may be

LIMIT = 1_000
TOO_LONG = "line 2: longer than 1,000 bytes"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A lower limit than the real one."""
    monkeypatch.setattr("coach.batch.csv_rows.MAX_ROW_BYTES", LIMIT)
    yield
    csv.field_size_limit(MAX_ROW_BYTES)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("cell", "after"),
    [
        (b'"' + b"some words\n" * 500 + b'"', 503),
        (b'"' + b'a ""word"",\nq01,' * 300 + b'"', 303),
        (b'"' + b"x" * 5_000 + b'"', 3),
        (b'"' + b'""' * 2_500 + b'\n"', 4),
        (b'x"' + b"x" * 5_000, 3),
        (b"short,and,then," + b"x" * 5_000, 3),
    ],
    ids=["lines", "lines that look like rows", "one line", "quotes", "bare", "cells too many"],
)
def test_a_record_that_is_too_long_is_one_bad_row_and_the_next_is_read(cell: bytes, after: int) -> None:
    bad, good = read(b"question_id,answer\nq01," + cell + b"\nq02,y\n")
    assert contents([bad, good]) == [TOO_LONG, {"question_id": "q02", "answer": "y"}]
    assert good.line == after


@pytest.mark.usefixtures("short")
def test_a_record_that_is_too_long_does_not_fill_the_memory() -> None:
    file = io.BytesIO(b'question_id,answer\nq01,"' + b"some words\n" * 100_000 + b'"\n')
    tracemalloc.start()
    try:
        assert contents(list(read_csv(file, ""))) == [TOO_LONG]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def records_of(body: str) -> list[tuple[int, int, list[str]]]:
    """What the module `csv` makes of lines: of each record the line it starts at, its bytes and its cells."""
    lines = body.splitlines(keepends=True)
    reader, found, start = csv.reader(lines), [], 0
    for cells in reader:
        found.append((start + 2, sum(map(len, lines[start : reader.line_num])), cells))
        start = reader.line_num
    return found


@settings(deadline=None)
@given(body=st.text(alphabet='",\n a', max_size=60), limit=st.integers(1, 30))
def test_records_end_where_the_module_csv_ends_them_however_low_the_limit(body: str, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coach.batch.csv_rows.MAX_ROW_BYTES", limit)
        patch.setattr("coach.batch.csv_rows.read_header", lambda *_: Header(["question_id", "answer"], ","))
        rows = read(body.encode())
    csv.field_size_limit(MAX_ROW_BYTES)
    assert [(r.line, "longer" in str(r.content)) for r in rows] == [
        (line, size > limit) for line, size, cells in records_of(body) if any(c.strip() for c in cells) or size > limit
    ]
