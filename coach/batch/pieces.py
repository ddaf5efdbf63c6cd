"""Input files cut into pieces that are read, graded and written by themselves, wherever there is a processor free.

A piece of JSONL is a range of bytes: it holds the lines that start in it. A piece of Parquet is some row groups. CSV cannot
be cut, since a line may lie inside of a quoted cell; a file of it is one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from coach.batch.csv_rows import read_csv
from coach.batch.parquet_rows import open_parquet, read_parquet
from coach.batch.reading import Format, Source, read_jsonl, readable
from coach.batch.rows import Row
from coach.errors import InputError

PIECE_BYTES = 4_000_000
"""Of JSONL: about two thousand answers, some minutes of an LLM's work."""
PIECE_ROWS = 2_000
"""Of Parquet, at least, unless the file has fewer."""
_BLOCK = 1 << 20


class Piece(NamedTuple):
    """A part of one input file."""

    number: int
    """Among all pieces, in the order of the input."""
    path: str
    name: str
    """Of the file in ids and messages; empty where there is only one file."""
    format: Format
    start: int
    """First byte of JSONL, first row group of Parquet."""
    end: int
    """After the last one."""
    first: int | None
    """Number of its first line or row; None where lines have to be counted first."""


def cut(sources: Sequence[Source], *, piece_bytes: int = PIECE_BYTES, piece_rows: int = PIECE_ROWS) -> list[Piece]:
    """All pieces of all sources, in order.

    Raises:
        InputError: a source is a stream, or cannot be read.
    """
    pieces: list[Piece] = []
    for source in sources:
        if source.path is None:
            raise InputError("a stream cannot be shared out", hint="Name files that every machine sees.")
        name = source.name if len(sources) > 1 else ""
        with readable(source.name):
            ranges = _ranges(source.format, source.path, piece_bytes, piece_rows)
        path = str(source.path.resolve())
        pieces += [Piece(len(pieces) + n, path, name, source.format, *r) for n, r in enumerate(ranges)]
    return pieces


def _ranges(format: Format, path: Path, piece_bytes: int, piece_rows: int) -> list[tuple[int, int, int | None]]:
    if format == "parquet":
        return _row_groups(path, piece_rows)
    size = path.stat().st_size
    if format == "csv":
        return [(0, size, 1)]
    starts = range(0, max(size, 1), piece_bytes)
    return [(start, min(start + piece_bytes, size), 1 if start == 0 else None) for start in starts]


def _row_groups(path: Path, piece_rows: int) -> list[tuple[int, int, int | None]]:
    found: list[tuple[int, int, int | None]] = []
    with open_parquet(path) as file:
        start, first, rows = 0, 1, 0
        for group in range(file.num_row_groups):
            rows += int(file.metadata.row_group(group).num_rows)
            if rows >= piece_rows or group == file.num_row_groups - 1:
                found.append((start, group + 1, first))
                start, first, rows = group + 1, first + rows, 0
    return found


def count_lines(piece: Piece) -> int:
    """Lines that start in a piece of JSONL."""
    if piece.end <= piece.start:
        return 0
    # A line starts where the file does, and after every line break.
    start = max(piece.start - 1, 0)
    left, lines = piece.end - 1 - start, int(piece.start == 0)
    with Path(piece.path).open("rb") as file:
        file.seek(start)
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            lines += block.count(b"\n")
            left -= len(block)
    return lines


def numbered(pieces: Sequence[Piece], lines: Sequence[int]) -> list[Piece]:
    """Pieces with the number of their first line, from the lines that each of them has."""
    found: list[Piece] = []
    after = 1
    for piece, count in zip(pieces, lines, strict=True):
        first = after if piece.first is None else piece.first
        found.append(piece._replace(first=first))
        after = first + count
    return found


def read_piece(piece: Piece) -> Iterator[Row]:
    """Rows of a piece, with the places and ids that they have in the whole input.

    Raises:
        InputError: the file cannot be read any further.
    """
    path, first = Path(piece.path), piece.first or 1
    with readable(piece.path):
        if piece.format == "parquet":
            yield from read_parquet(path, piece.name, groups=range(piece.start, piece.end), first=first)
            return
        with path.open("rb") as file:
            if piece.format == "csv":
                yield from read_csv(file, piece.name)
            else:
                yield from read_jsonl(_Range(file, piece.start, piece.end), piece.name, first=first)


class _Range:
    """The lines of a file that start in a range of bytes."""

    def __init__(self, file: IO[bytes], start: int, end: int) -> None:
        self._file, self._end = file, end
        self._at, self._between = start, True
        file.seek(max(start - 1, 0))
        if start > 0:
            # The line that the range begins in belongs to the piece before; nothing of it where a line ends just there.
            before = self._skip_line()
            self._at = start - 1 + before

    def readline(self, limit: int, /) -> bytes:
        """Up to `limit` bytes of a line; none at the end of the range."""
        if self._between and self._at >= self._end:
            return b""
        line = self._file.readline(limit)
        self._at += len(line)
        self._between = line.endswith(b"\n")
        return line

    def _skip_line(self) -> int:
        skipped = 0
        while part := self._file.readline(_BLOCK):
            skipped += len(part)
            if part.endswith(b"\n"):
                break
        return skipped
