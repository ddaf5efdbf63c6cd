from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coach.batch.reading import Source, carried_columns, count_rows, find_sources, read_rows
from coach.batch.rows import MAX_ROW_BYTES, Row
from coach.errors import InputError


def read(path: Path, content: bytes) -> list[Row]:
    path.write_bytes(content)
    return list(read_rows(find_sources([str(path)])))


def contents(rows: list[Row]) -> list[Any]:
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
        (b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", "line 1: more than 100 lists and objects inside each other"),
        (b'"' + b"x" * MAX_ROW_BYTES, "line 1: longer than 4,000,000 bytes"),
    ],
    ids=["cut", "list", "nan", "latin-1", "deep", "deep but JSON", "huge"],
)
def test_a_bad_line_carries_its_fault_and_the_next_is_read(tmp_path: Path, line: bytes, fault: str) -> None:
    first, second = contents(read(tmp_path / "a.jsonl", line + b'\n{"answer": "y"}\n'))
    assert str(first).startswith(fault)
    assert second == {"answer": "y"}


def test_a_row_may_hold_lists_and_objects(tmp_path: Path) -> None:
    (content,) = contents(read(tmp_path / "a.jsonl", b'{"x": ' + b"[" * 99 + b"]" * 99 + b', "y": [{"z": []}, 1]}'))
    assert content["y"] == [{"z": []}, 1]


def test_standard_input_is_read_as_it_comes() -> None:
    rows = read_rows(find_sources(["-"]), io.BytesIO(b'{"answer": "x"}\n'))
    assert [r.content for r in rows] == [{"answer": "x"}]


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


def test_parquet_is_counted_without_reading_it(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", n=[1, 2])
    assert count_rows(find_sources([str(tmp_path / "a.parquet")])) == 2


def test_parquet_from_a_stream_is_told() -> None:
    with pytest.raises(InputError, match="cannot be read from a stream"):
        list(read_rows(find_sources(["-"], stream_format="parquet"), io.BytesIO()))


def denied(*_: object, **__: object) -> Any:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_a_file_that_may_not_be_read_cannot_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"{}\n")
    monkeypatch.setattr(Path, "open", denied)
    monkeypatch.setattr(pq, "ParquetFile", denied)
    with pytest.raises(InputError, match=f"{name} cannot be read: Permission denied"):
        count_rows(find_sources([str(tmp_path / name)]))


def test_a_folder_that_may_not_be_looked_into_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(InputError, match=r"closed/a\.jsonl cannot be read: Permission denied"):
        find_sources(["closed/a.jsonl"])


def test_a_name_that_is_not_utf8_can_be_said(tmp_path: Path) -> None:
    path = Path(os.fsdecode(b"caf\xe9.jsonl"))
    assert Source(path, "jsonl").name == "caf\\udce9.jsonl"


# --- carried columns


def write_table(path: Path, **columns: Any) -> None:
    count = len(next(iter(columns.values())))
    pq.write_table(pa.table({"question_id": ["q01"] * count, "answer": ["x"] * count, **columns}), path)


def carried(tmp_path: Path, *names: str) -> dict[str, Any] | None:
    return carried_columns(find_sources([str(tmp_path / name) for name in names]))


def test_columns_are_those_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,question_id,answer,cohort\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("question_id,answer,cohort,total\n", encoding="utf-8")
    assert carried(tmp_path, "a.csv", "b.csv") == {"cohort": None, "input_total": None}


def test_columns_of_jsonl_are_those_of_its_first_row_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"answer": "caf\xe9", "x": 1}\n{"answer": "y", "cohort": 2}\n{"late": 3}\n')
    assert carried(tmp_path, "a.jsonl") == {"cohort": None}


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        (pa.array([1]), pa.array([2]), pa.int64()),
        (pa.array([1]), pa.array([1.5]), None),
        (pa.array([1]), pa.array(["a"]), None),
        (pa.array([None]), pa.array(["a"]), pa.string()),
        (pa.array([1.5]), pa.array([None]), pa.float64()),
    ],
)
def test_a_column_has_the_type_that_all_files_give_it_and_else_is_text(
    tmp_path: Path, first: pa.Array, second: pa.Array, common: pa.DataType | None
) -> None:
    write_table(tmp_path / "a.parquet", comment=first)
    write_table(tmp_path / "b.parquet", comment=second)
    assert carried(tmp_path, "a.parquet", "b.parquet") == {"comment": common}


def test_a_column_that_one_file_has_as_text_is_text(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", n=[1], only=[1])
    (tmp_path / "b.csv").write_text("question_id,answer,n\n", encoding="utf-8")
    assert carried(tmp_path, "a.parquet", "b.csv") == {"n": None, "only": pa.int64()}


def test_columns_of_a_stream_are_not_known_before_its_rows(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", n=[1])
    assert carried_columns([*find_sources([str(tmp_path / "a.parquet")]), Source(None, "jsonl")]) is None


def test_a_pipe_is_not_read_for_its_columns(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    assert carried(tmp_path, "a.csv") is None


@pytest.mark.parametrize("name", ["b.csv", "b.parquet"])
def test_a_later_file_that_lacks_a_column_is_told_with_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("question_id,answer\n", encoding="utf-8")
    if name.endswith("csv"):
        (tmp_path / name).write_text("question_id,text\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"question_id": ["q01"], "text": ["x"]}), tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: no column 'answer'"):
        carried(tmp_path, "a.csv", name)
