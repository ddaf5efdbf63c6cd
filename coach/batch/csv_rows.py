"""CSV as rows: one record after the other, however long, with none that spoils another."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import IO, Literal, NamedTuple

from coach.batch.rows import MAX_ROW_BYTES, Row, bad_row, check_columns
from coach.errors import InputError

_SURROGATES = (0xDC80, 0xDCFF)
"""What `surrogateescape` makes of bytes that are not UTF-8."""
_SAYS_SEPARATOR = re.compile(rb"(?:\xef\xbb\xbf)?\"?sep=([,;\t|])\"?[\r\n]*", re.IGNORECASE)
"""A line before the header by which spreadsheets tell each other the separator."""
_AS_UTF8 = "Save the file as UTF-8; spreadsheets call it CSV UTF-8."
_Place = Literal["edge", "bare", "quoted"]
"""Where a record stands: at a cell's start or just behind a quote; in a cell without quotes; between quotes."""


class Header(NamedTuple):
    """The first line, or the one after a line that says the separator."""

    columns: list[str]
    delimiter: str
    """Comma, semicolon or tab, whichever it has most of: spreadsheets write what their country is used to."""
    unnamed: int = 0
    """Columns at its end without a name, as spreadsheets write them for cells that were once in use."""
    lines: int = 1
    """Lines up to its end."""


def read_header(file: IO[bytes], where: str) -> Header:
    """The header of a file at its start.

    Raises:
        InputError: it cannot be read, names a column twice, or lacks one that every row needs.
    """
    line = file.readline(MAX_ROW_BYTES)
    said = _SAYS_SEPARATOR.fullmatch(line)
    if said:
        line = file.readline(MAX_ROW_BYTES)
        delimiter = said[1].decode("ascii")
    else:
        delimiter = max((",", ";", "\t"), key=lambda c: line.count(c.encode("ascii")))
    try:
        columns = [c.strip() for c in next(csv.reader([line.decode("utf-8-sig")], delimiter=delimiter), [])]
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 at byte {error.start}", hint=_AS_UTF8) from None
    except csv.Error as error:
        raise InputError(f"{where}: not CSV: {error}", hint="Save the file as CSV once more.") from None
    width = len(columns)
    while columns and not columns[-1]:
        columns.pop()
    twice = {c for c in columns if columns.count(c) > 1}
    if twice:
        raise InputError(f"{where}: two columns are named {sorted(twice)[0]!r}", hint="Give each a name of its own.")
    check_columns(columns, where)
    return Header(columns, delimiter, width - len(columns), 2 if said else 1)


def read_csv(file: IO[bytes], name: str) -> Iterator[Row]:
    """Rows of CSV.

    Args:
        file: where to read.
        name: of the file, where there are several.

    Raises:
        InputError: as `read_header`.
    """
    header = read_header(file, name or "the header")
    # The limit is the module's own and there is no other way to set it; its default is shorter than answers may be.
    csv.field_size_limit(MAX_ROW_BYTES)
    lines = _Lines(file, header.delimiter, first=header.lines + 1)
    reader = csv.reader(lines, delimiter=header.delimiter)
    while True:
        start = lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLongError:
            lines.skip()
            yield bad_row(start, name, f"longer than {MAX_ROW_BYTES:,} bytes", hint="Is a quote left open?")
        except csv.Error as error:
            yield bad_row(start, name, f"not CSV: {error}", hint="Is a quote left open?")
        else:
            # An empty row of a spreadsheet is written as nothing but separators.
            if any(cell.strip() for cell in cells):
                yield _row(cells, header, start, name)


def _row(cells: Sequence[str], header: Header, number: int, name: str) -> Row:
    columns, width = header.columns, len(header.columns) + header.unnamed
    if len(cells) != width:
        fault = f"{len(cells)} cells where the header has {width}"
        return bad_row(number, name, fault, hint="Is a quote missing, or too many?")
    if any(cells[len(columns) :]):
        return bad_row(number, name, "a cell under a column without a name", hint="Give the column a name.")
    low, high = _SURROGATES
    if any(low <= ord(c) <= high for cell in cells if not cell.isascii() for c in cell):
        return bad_row(number, name, "not UTF-8", hint=_AS_UTF8)
    return Row(number, dict(zip(columns, cells, strict=False)), name)


class _TooLongError(Exception):
    """A record is longer than a row may be."""


class _Lines:
    """The lines after the header, as the module `csv` takes them in."""

    def __init__(self, file: IO[bytes], delimiter: str, *, first: int) -> None:
        self._file, self._delimiter = file, delimiter.encode("ascii")
        self._number = first
        self._part = b""
        self._size = 0

    def begin(self) -> int:
        """Number of the line at which the next record starts."""
        self._size = 0
        return self._number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._part = self._file.readline(MAX_ROW_BYTES + 1)
        if not self._part:
            raise StopIteration
        self._size += len(self._part)
        self._number += self._part.endswith(b"\n")
        if self._size > MAX_ROW_BYTES:
            raise _TooLongError
        # Bytes that are not UTF-8 come through as surrogates, so that they spoil their own row only.
        return self._part.decode("utf-8", "surrogateescape")

    def skip(self) -> None:
        """Pass over the rest of the record that was too long."""
        # A record goes on in another line only where a cell between quotes does.
        place: _Place = "quoted" if self._size > len(self._part) else "edge"
        while self._part:
            place = _place_after(self._part, place, self._delimiter)
            if self._part.endswith(b"\n") and place != "quoted":
                return
            self._part = self._file.readline(MAX_ROW_BYTES + 1)
            self._number += self._part.endswith(b"\n")


def _place_after(part: bytes, place: _Place, delimiter: bytes) -> _Place:
    """Where a record stands after one more part of it, by the rules of the module `csv`."""
    at = 0
    while at < len(part):
        match place:
            case "quoted":
                at = part.find(b'"', at) + 1
                if not at:
                    return place
                # The cell's end, unless another quote follows: then the two stand for one.
                place = "edge"
            case "bare":
                at = part.find(delimiter, at) + 1
                if not at:
                    return place
                place = "edge"
            case "edge":
                letter = part[at : at + 1]
                place = "quoted" if letter == b'"' else "edge" if letter == delimiter else "bare"
                at += 1
    return place
