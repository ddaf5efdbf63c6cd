"""Reports as JSONL, CSV or Parquet, a row at a time, in the order of the input.

JSONL holds whole reports. CSV and Parquet hold a column for each thing people sort and filter by, and the whole report as
JSON in the last one. Carried columns come first, as they were.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import IO, Any, NamedTuple, Protocol

from coach.batch.outcome import Outcome
from coach.batch.reading import Format, Source, carried_columns
from coach.batch.records import json_of
from coach.batch.rows import CARRIED_PREFIX, encodable
from coach.errors import InputError
from coach.render.plain import gain_words

_GROUP_ROWS = 2048
"""Rows of a row group of Parquet; the memory that writing takes."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet run a cell's text."""


class Writer(Protocol):
    """Takes outcomes one after the other."""

    def write(self, outcome: Outcome) -> None:
        """Add one."""

    def close(self) -> None:
        """Write what is still held back. The file itself is the caller's to close."""


class Shape(NamedTuple):
    """What the columns of a table depend on."""

    criteria: Sequence[str]
    """Each gets a column `level_<criterion>`."""
    carried: Mapping[str, Any] | None = None
    """Carried columns with their Arrow types, None for text; None where only the rows will tell."""


def shape_for(format: Format, criteria: Iterable[str], sources: Sequence[Source]) -> Shape:
    """The shape of what is written of these inputs; JSONL has no columns to know of.

    Raises:
        InputError: a source cannot be read, or lacks a column that every row needs.
    """
    return Shape(tuple(criteria), None if format == "jsonl" else carried_columns(sources))


def open_writer(format: Format, file: IO[bytes], shape: Shape, *, live: bool = False) -> Writer:
    """A writer of a format.

    Args:
        format: of the file.
        file: where to write.
        shape: of a table.
        live: pass every row on at once, to whoever reads the other end; Parquet cannot.

    Raises:
        InputError: what the format needs is not installed.
    """
    if format == "jsonl":
        return _Jsonl(file, live)
    if format == "parquet":
        _need_pyarrow()
        make: Callable[[Mapping[str, Any]], Writer] = partial(_Parquet, file, shape.criteria)
    else:
        make = partial(_Csv, file, live, shape.criteria)
    return _Waiting(make) if shape.carried is None else make(shape.carried)


def _need_pyarrow() -> None:
    try:
        import pyarrow.parquet  # noqa: F401 - asked for before anything is graded
    except ImportError:
        raise InputError("Parquet needs pyarrow", hint="pip install 'coach[parquet]', or write JSONL.") from None


class _Waiting:
    """A table whose carried columns are those of the first row that can be read."""

    def __init__(self, make: Callable[[Mapping[str, Any]], Writer]) -> None:
        self._make = make
        self._held: list[Outcome] = []
        self._writer: Writer | None = None

    def write(self, outcome: Outcome) -> None:
        if self._writer is not None:
            self._writer.write(outcome)
            return
        self._held.append(outcome)
        if not isinstance(outcome.row.content, InputError) or len(self._held) >= _GROUP_ROWS:
            self._start(outcome.row.carried)

    def close(self) -> None:
        (self._writer or self._start({})).close()

    def _start(self, carried: Mapping[str, object]) -> Writer:
        self._writer = self._make(dict.fromkeys(carried))
        for outcome in self._held:
            self._writer.write(outcome)
        self._held.clear()
        return self._writer


class _Jsonl:
    def __init__(self, file: IO[bytes], live: bool) -> None:
        self._file, self._live = file, live

    def write(self, outcome: Outcome) -> None:
        self._file.write(outcome.line)
        if self._live:
            self._file.flush()

    def close(self) -> None:
        self._file.flush()


class _Csv:
    def __init__(self, file: IO[bytes], live: bool, criteria: Sequence[str], carried: Mapping[str, Any]) -> None:
        self._file, self._live = file, live
        self._writer = csv.writer(_Encoding(file), lineterminator="\n")
        self._empty = columns(criteria)
        self._carried = tuple(carried)
        self._writer.writerow([*table_names(carried, self._empty).values(), *self._empty])

    def write(self, outcome: Outcome) -> None:
        carried, own = outcome.row.carried, self._empty | cells(outcome)
        self._writer.writerow([_text(carried.get(c)) for c in self._carried] + [_cell(v) for v in own.values()])
        if self._live:
            self._file.flush()

    def close(self) -> None:
        self._file.flush()


class _Encoding:
    """Takes text for a file of bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode("utf-8", "backslashreplace"))


class _Parquet:
    def __init__(self, file: IO[bytes], criteria: Sequence[str], carried: Mapping[str, Any]) -> None:
        import pyarrow as pa

        self._file = file
        self._empty = columns(criteria)
        self._types = carried
        self._names = table_names(carried, self._empty)
        first = [(name, carried[c] or pa.string()) for c, name in self._names.items()]
        kinds = {float: pa.float64(), int: pa.int64(), str: pa.string()}
        own = [(c, kinds[_COLUMN_TYPES.get(c, int)]) for c in self._empty]
        self._schema = pa.schema([*first, *own])
        self._held: list[dict[str, object]] = []
        self._writer: Any = None

    def write(self, outcome: Outcome) -> None:
        carried = outcome.row.carried
        known = {name: self._typed(c, carried.get(c)) for c, name in self._names.items()}
        self._held.append(known | self._empty | cells(outcome))
        if len(self._held) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, self._schema)
        self._writer.write_table(pa.Table.from_pylist(self._held, schema=self._schema))
        self._held.clear()

    def _typed(self, column: str, value: object) -> object:
        return _text(value) if self._types[column] is None else value


_COLUMN_TYPES: dict[str, type] = {
    "id": str,
    "question_id": str,
    "status": str,
    "total": float,
    "overall": int,
    "red_flags": str,
    "strengths": str,
    "next_steps": str,
    "follow_up": str,
    "warnings": str,
    "error": str,
    "cost_usd": float,
    "report": str,
}


def columns(criteria: Sequence[str]) -> dict[str, object]:
    """The columns of a table besides the carried ones, empty."""
    own = dict.fromkeys(_COLUMN_TYPES)
    report = own.pop("report")
    return {**own, **{f"level_{c}": None for c in criteria}, "report": report}


def table_names(carried: Iterable[str], own: Iterable[str]) -> dict[str, str]:
    """Carried columns with their names in a table; one named like a column of the table's own gets a prefix."""
    found: dict[str, str] = {}
    taken = set(own)
    for column in carried:
        name = encodable(column)
        while name in taken:
            name = CARRIED_PREFIX + name
        taken.add(name)
        found[column] = name
    return found


def cells(outcome: Outcome) -> dict[str, object]:
    """One row of a table, for the columns that it has anything for."""
    line = outcome.line.decode("utf-8")
    report = json.loads(line)
    found: dict[str, object] = {c: report[c] for c in ("id", "question_id", "status", "total", "overall", "follow_up")}
    found["id"] = encodable(report["id"])
    found["red_flags"] = "; ".join(f["id"] for f in report["red_flags"])
    found["strengths"] = "\n".join(report["strengths"])
    found["next_steps"] = "\n".join(
        f"{s['criterion']} {gain_words(s['gain'])}: {s['advice']}" for s in report["next_steps"]
    )
    found["warnings"] = "\n".join(report["warnings"])
    found["error"] = report["error"]["message"] if report["error"] else None
    found["cost_usd"] = report["usage"]["cost_usd"]
    found |= {f"level_{c['id']}": c["level"] for c in report["criteria"]}
    found["report"] = line.rstrip("\n")
    return found


def _cell(value: object) -> object:
    """A value for CSV. Text that a spreadsheet would run as a formula gets a quote before it, as spreadsheets do themselves."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _text(value: object) -> str | None:
    if value is None:
        return None
    match value:
        case str():
            return encodable(value)
        case float():
            # A cell of its own is no JSON: `NaN` and `Infinity` can stand there.
            return json.dumps(value)
        case _:
            return encodable(json_of(value))
