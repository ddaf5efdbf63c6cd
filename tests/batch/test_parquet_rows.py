from __future__ import annotations

from datetime import datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coach.batch.parquet_rows import column_types, read_parquet
from coach.batch.rows import Row
from coach.errors import InputError


def table(path: Path, **columns: Any) -> Path:
    count = len(next(iter(columns.values())))
    pq.write_table(pa.table({"question_id": ["q01"] * count, "answer": ["x"] * count, **columns}), path)
    return path


def read(path: Path) -> list[Row]:
    return list(read_parquet(path, ""))


def test_rows_of_parquet_keep_their_types(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", n=[7], tags=[["a", "b"]])
    (row,) = read(path)
    assert row == Row(1, {"question_id": "q01", "answer": "x", "n": 7, "tags": ["a", "b"]}, unit="row")
    assert column_types(path)["n"] == pa.int64()


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("given", "read_as", "value"),
    [
        (pa.timestamp("ns"), pa.timestamp("us"), datetime(2023, 11, 14, 22, 13, 20, 123456)),
        (pa.duration("ns"), pa.duration("us"), timedelta(microseconds=1_700_000_000_123_456)),
    ],
)
def test_times_are_carried_to_the_microsecond(
    tmp_path: Path, given: pa.DataType, read_as: pa.DataType, value: object
) -> None:
    path = table(tmp_path / "a.parquet", at=pa.array([1_700_000_000_123_456_789], type=given))
    (row,) = read(path)
    assert not isinstance(row.content, InputError)
    assert row.content["at"] == value
    assert column_types(path)["at"] == read_as


def test_a_time_of_day_is_carried_to_the_microsecond(tmp_path: Path) -> None:
    (row,) = read(table(tmp_path / "a.parquet", at=pa.array([1_001], type=pa.time64("ns"))))
    assert not isinstance(row.content, InputError)
    assert row.content["at"] == time(microsecond=1)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([10_000_000, 1], type=pa.date32()), "date32"),
        (pa.array([2**62, 1], type=pa.timestamp("us")), "timestamp"),
        pytest.param(
            pa.array([[1_001], [1_000]], type=pa.list_(pa.timestamp("ns"))),
            "list",
            marks=pytest.mark.skipif(bool(find_spec("pandas")), reason="pandas has times that fine"),
        ),
        (pa.Array.from_buffers(pa.string(), 2, pa.array([b"caf\xe9", b"a"]).buffers()), "string"),
    ],
    ids=["date", "time", "list", "not UTF-8"],
)
def test_a_value_that_cannot_be_read_spoils_its_own_row_only(tmp_path: Path, values: pa.Array, kind: str) -> None:
    bad, good = read(table(tmp_path / "a.parquet", due=values))
    assert isinstance(bad.content, InputError)
    assert bad.content.message.startswith(f"row 1: the value under 'due' cannot be read as {kind}")
    assert (good.line, good.place) == (2, "row 2")
    assert not isinstance(good.content, InputError)


def test_a_large_row_group_is_not_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"{n:09d}" * 200 for n in range(20_000)]
    pq.write_table(
        pa.table({"question_id": ["q01"] * len(texts), "answer": texts}), path, compression="none", use_dictionary=False
    )
    assert path.stat().st_size > 30_000_000
    before = pa.total_allocated_bytes()
    rows = read_parquet(path, "")
    next(rows)
    assert pa.total_allocated_bytes() - before < 10_000_000
