from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coach.batch.pieces import Piece, count_lines, cut, numbered, read_piece
from coach.batch.reading import find_sources, read_rows
from coach.batch.rows import Row
from coach.errors import InputError

LONG = b'{"a": "' + b"y" * 40 + b'"}'
LINES = st.lists(st.sampled_from([b"{}", b'{"answer": "x"}', b"", b"  ", b"no json", '{"answer": "ä"}'.encode(), LONG]))


def rows_of(pieces: list[Piece]) -> list[Row]:
    return [row for piece in pieces for row in read_piece(piece)]


def shown(rows: list[Row]) -> list[tuple[str, str, object]]:
    return [(r.place, r.id, str(r.content)) for r in rows]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=LINES, size=st.integers(1, 90), ended=st.booleans())
def test_pieces_of_any_size_hold_every_line_once_with_its_number(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], size: int, ended: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "in.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
    sources = find_sources([str(path)])
    pieces = cut(sources, piece_bytes=size)
    pieces = numbered(pieces, [count_lines(p) for p in pieces])
    assert shown(rows_of(pieces)) == shown(list(read_rows(sources)))


def test_several_files_keep_their_own_numbers_and_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        rows = "".join(json.dumps({"answer": f"{name}{n}"}) + "\n" for n in range(4))
        (tmp_path / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    sources = find_sources([str(tmp_path / "*.jsonl")])
    pieces = cut(sources, piece_bytes=30)
    pieces = numbered(pieces, [count_lines(p) for p in pieces])
    assert [p.number for p in pieces] == list(range(len(pieces)))
    assert shown(rows_of(pieces)) == shown(list(read_rows(sources)))


def test_an_overlong_line_is_one_bad_row_of_the_piece_it_starts_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coach.batch.reading.MAX_ROW_BYTES", 50)
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"answer": "1"}\n{"answer": "' + b"x" * 500 + b'"}\n{"answer": "3"}\n')
    sources = find_sources([str(path)])
    pieces = cut(sources, piece_bytes=100)
    pieces = numbered(pieces, [count_lines(p) for p in pieces])
    found = rows_of(pieces)
    assert [r.line for r in found] == [1, 2, 3]
    assert isinstance(found[1].content, InputError)


def test_csv_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text('question_id,answer\nq01,"two\nlines"\nq01,x\n', encoding="utf-8")
    sources = find_sources([str(path)])
    (piece,) = cut(sources, piece_bytes=5)
    assert shown(list(read_piece(piece))) == shown(list(read_rows(sources)))


def test_parquet_is_cut_between_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    table = pa.table({"question_id": ["q01"] * 10, "answer": [str(n) for n in range(10)]})
    pq.write_table(table, path, row_group_size=3)
    sources = find_sources([str(path)])
    pieces = cut(sources, piece_rows=5)
    assert [(p.start, p.end, p.first) for p in pieces] == [(0, 2, 1), (2, 4, 7)]
    assert shown(rows_of(pieces)) == shown(list(read_rows(sources)))


def test_a_stream_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="stream"):
        cut(find_sources(["-"]))
