"""Reports as JSONL, CSV or Parquet, a row at a time, in the order of the input.

JSONL holds whole reports. CSV and Parquet hold a column for each thing people sort and filter by, and the whole report as
JSON in the last one. Carried columns come first, as they were.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

from coach.batch.outcome import Outcome
from coach.batch.reading import Format
from coach.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

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
    types: Mapping[str, Any] = {}
    """Arrow types of carried columns, where they are known."""


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
    match format:
        case "jsonl":
            return _Jsonl(file, live)
        case "csv":
            return _Csv(file, shape, live)
        case "parquet":
            return _Parquet(file, shape)


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
    def __init__(self, file: IO[bytes], shape: Shape, live: bool) -> None:
        self._file, self._live = file, live
        self._writer = csv.writer(_Encoding(file), lineterminator="\n")
        self._shape = shape
        self._carried: list[str] | None = None

    def write(self, outcome: Outcome) -> None:
        carried = outcome.row.carried
        if self._carried is None:
            # A table has one header: what first appears in a later row stands in the column `report` only.
            self._carried = list(carried)
            self._writer.writerow([*self._carried, *columns(self._shape.criteria)])
        values = columns(self._shape.criteria) | cells(outcome)
        self._writer.writerow([_text(carried.get(c)) for c in self._carried] + [_cell(v) for v in values.values()])
        if self._live:
            self._file.flush()

    def close(self) -> None:
        if self._carried is None:
            self._writer.writerow(columns(self._shape.criteria))
        self._file.flush()


class _Encoding:
    """Takes text for a file of bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode("utf-8", "backslashreplace"))


class _Parquet:
    def __init__(self, file: IO[bytes], shape: Shape) -> None:
        try:
            import pyarrow.parquet  # noqa: F401 - asked for before anything is graded
        except ImportError:
            raise InputError("Parquet needs pyarrow", hint="pip install 'coach[parquet]', or write JSONL.") from None
        self._file = file
        self._shape = shape
        self._held: list[dict[str, object]] = []
        self._schema: pa.Schema | None = None
        self._writer: Any = None

    def write(self, outcome: Outcome) -> None:
        carried = outcome.row.carried
        if self._schema is None:
            self._schema = self._make_schema(carried)
        known = {c: self._typed(c, v) for c, v in carried.items() if c in self._schema.names}
        self._held.append(known | columns(self._shape.criteria) | cells(outcome))
        if len(self._held) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        if self._schema is None:
            self._schema = self._make_schema({})
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
        return value if column in self._shape.types else _text(value)

    def _make_schema(self, carried: Mapping[str, object]) -> pa.Schema:
        import pyarrow as pa

        kinds = {float: pa.float64(), int: pa.int64(), str: pa.string()}
        own = [(c, kinds[kind]) for c, kind in _COLUMN_TYPES.items() if c != "report"]
        levels = [(f"level_{c}", pa.int64()) for c in self._shape.criteria]
        first = [(c, self._shape.types.get(c, pa.string())) for c in carried]
        return pa.schema([*first, *own, *levels, ("report", pa.string())])


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


def cells(outcome: Outcome) -> dict[str, object]:
    """One row of a table, for the columns that it has anything for."""
    line = outcome.line.decode("utf-8")
    report = json.loads(line)
    found: dict[str, object] = {c: report[c] for c in ("id", "question_id", "status", "total", "overall", "follow_up")}
    found["red_flags"] = "; ".join(f["id"] for f in report["red_flags"])
    found["strengths"] = "\n".join(report["strengths"])
    found["next_steps"] = "\n".join(f"{s['criterion']} +{s['gain']:g}: {s['advice']}" for s in report["next_steps"])
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
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
