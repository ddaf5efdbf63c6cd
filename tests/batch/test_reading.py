from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from coach.batch.reading import MAX_LINE_BYTES, Source, count_rows, find_sources, parquet_types, read_rows
from coach.batch.rows import Row
from coach.errors import InputError


def read(path: Path, content: bytes) -> list[Row]:
    path.write_bytes(content)
    return list(read_rows(find_sources([str(path)])))


def contents(rows: list[Row]) -> list[object]:
    return [r.content.message if isinstance(r.content, InputError) else dict(r.content) for r in rows]


# --- JSONL


def test_each_line_is_a_row_and_blank_lines_are_none(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"answer": "x"}\r\n\n{"answer": "y"}')
    assert [(r.line, r.content) for r in rows] == [(1, {"answer": "x"}), (3, {"answer": "y"})]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "line 1: not JSON"),
        (b"[1]", "line 1: a JSON list, not an object"),
        (b'{"n": NaN}', "line 1: not JSON: NaN is no JSON number"),
        (b'{"answer": "caf\xe9"}', "line 1: not UTF-8 at byte 15"),
        (b"[" * 100_000, "line 1: not JSON"),
        (b'"' + b"x" * MAX_LINE_BYTES, "line 1: longer than 4,000,000 bytes"),
    ],
    ids=["cut", "list", "nan", "latin-1", "deep", "huge"],
)
def test_a_bad_line_carries_its_fault_and_the_next_is_read(tmp_path: Path, line: bytes, fault: str) -> None:
    first, second = contents(read(tmp_path / "a.jsonl", line + b'\n{"answer": "y"}\n'))
    assert str(first).startswith(fault)
    assert second == {"answer": "y"}


def test_standard_input_is_read_as_it_comes() -> None:
    rows = read_rows(find_sources(["-"]), io.BytesIO(b'{"answer": "x"}\n'))
    assert [r.content for r in rows] == [{"answer": "x"}]


# --- CSV


def test_a_cell_may_hold_lines_and_quotes(tmp_path: Path) -> None:
    rows = read(tmp_path / "a.csv", 'question_id,answer\nq01,"a ""b""\nc"\nq02,é\n'.encode())
    assert [(r.line, r.content["answer"]) for r in rows if not isinstance(r.content, InputError)] == [
        (2, 'a "b"\nc'),
        (4, "é"),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_separator_is_that_of_the_header(tmp_path: Path, mark: str) -> None:
    text = f"question_id{mark}answer\nq01{mark}x\n"
    assert contents(read(tmp_path / "a.csv", text.encode())) == [{"question_id": "q01", "answer": "x"}]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"q01", "line 2: 1 cells where the header has 2"),
        (b"q01,x,y", "line 2: 3 cells where the header has 2"),
        (b"q01,caf\xe9", "line 2: not UTF-8"),
    ],
)
def test_a_bad_record_carries_its_fault_and_the_next_is_read(tmp_path: Path, line: bytes, fault: str) -> None:
    found = contents(read(tmp_path / "a.csv", b"question_id,answer\n" + line + b"\nq02,y\n"))
    assert found == [fault, {"question_id": "q02", "answer": "y"}]


def test_a_long_answer_is_read_whole(tmp_path: Path) -> None:
    long = "x" * 300_000
    (row,) = contents(read(tmp_path / "a.csv", f"question_id,answer\nq01,{long}\n".encode()))
    assert row == {"question_id": "q01", "answer": long}


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two columns are named 'answer'"):
        read(tmp_path / "a.csv", b"answer,answer,question_id\n")


# --- Parquet


def test_rows_of_parquet_keep_their_types(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"question_id": ["q01"], "answer": ["x"], "n": [7], "tags": [["a", "b"]]}), path)
    (row,) = read_rows(find_sources([str(path)]))
    assert row == Row(1, {"question_id": "q01", "answer": "x", "n": 7, "tags": ["a", "b"]}, unit="row")
    assert parquet_types(find_sources([str(path)]))["n"] == pa.int64()
    assert count_rows(find_sources([str(path)])) == 1


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(tmp_path / "a.parquet", b"PAR1 no")


# --- sources


def test_a_pattern_stands_for_files_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    assert [s.path for s in find_sources([str(tmp_path / "*.jsonl")])] == [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]


def test_a_pattern_that_fits_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file fits"):
        find_sources([str(tmp_path / "*.jsonl")])


def test_of_several_files_each_row_names_its_own(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps({"answer": name}) + "\n", encoding="utf-8")
    rows = read_rows(find_sources([str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]))
    assert [r.place for r in rows] == [f"{tmp_path}/a.jsonl line 1", f"{tmp_path}/b.jsonl line 1"]


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows([Source(tmp_path / "gone.jsonl", "jsonl")]))


def test_a_stream_cannot_be_counted() -> None:
    assert count_rows(find_sources(["-"])) is None
