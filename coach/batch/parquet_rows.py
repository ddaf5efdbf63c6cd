"""Parquet as rows, some hundred at a time, however large its row groups are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coach.batch.rows import Row, bad_row, check_columns
from coach.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet

_BATCH_ROWS = 256
_BUFFER = 1 << 20
"""Bytes of each column that are read ahead. Without a bound, all that a row group has, and one may be the whole file."""
_FAULTS = (ValueError, ArithmeticError, LookupError, TypeError, NotImplementedError)
"""What is raised for a value that is none of Python's; the errors of pyarrow are kinds of these."""


def open_parquet(path: Path) -> pyarrow.parquet.ParquetFile:
    """Open a Parquet file.

    Raises:
        InputError: pyarrow is missing, or the file is none that it can read.
        OSError: the file cannot be opened.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError("Parquet needs pyarrow", hint="pip install 'coach[parquet]', or use JSONL or CSV.") from None
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False)
    except pa.ArrowException as error:
        raise InputError(f"{path} cannot be read as Parquet: {str(error)[:200]}") from None


def read_parquet(path: Path, name: str, *, groups: Sequence[int] | None = None, first: int = 1) -> Iterator[Row]:
    """Rows of a Parquet file.

    Args:
        path: the file.
        name: of the file, where there are several.
        groups: row groups to read; all of them where None.
        first: number of the first row of these.

    Raises:
        InputError: the file cannot be read any further, or lacks a column that every row needs.
        OSError: the file cannot be opened or read.
    """
    import pyarrow as pa

    number = first
    with open_parquet(path) as file:
        check_columns(file.schema_arrow.names, str(path))
        schema = _readable(file.schema_arrow)
        try:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups):
                yield from _rows(batch.cast(schema, safe=False), number, name)
                number += batch.num_rows
        except pa.ArrowException as error:
            raise InputError(f"{path} is damaged after row {number - 1}: {str(error)[:200]}") from None


def column_types(path: Path) -> dict[str, pa.DataType]:
    """Types of the columns as they are read, by name.

    Raises:
        InputError: the file cannot be read, or lacks a column that every row needs.
        OSError: the file cannot be opened.
    """
    with open_parquet(path) as file:
        check_columns(file.schema_arrow.names, str(path))
        return {field.name: field.type for field in _readable(file.schema_arrow)}


def _readable(schema: pa.Schema) -> pa.Schema:
    """A schema with times to the microsecond: Python's own know nothing finer."""
    import pyarrow as pa

    def coarse(given: pa.DataType) -> pa.DataType:
        if pa.types.is_timestamp(given) and given.unit == "ns":
            return pa.timestamp("us", tz=given.tz)
        if pa.types.is_duration(given) and given.unit == "ns":
            return pa.duration("us")
        return pa.time64("us") if pa.types.is_time64(given) else given

    return pa.schema([field.with_type(coarse(field.type)) for field in schema])


def _rows(batch: pa.RecordBatch, first: int, name: str) -> Iterator[Row]:
    """Rows of a batch; one with a value that Python cannot hold carries the fault."""
    try:
        contents = batch.to_pylist()
    except _FAULTS:
        yield from (_row(batch.slice(n, 1), first + n, name) for n in range(batch.num_rows))
    else:
        yield from (Row(number, content, name, "row") for number, content in enumerate(contents, start=first))


def _row(only: pa.RecordBatch, number: int, name: str) -> Row:
    content: dict[str, Any] = {}
    for field, values in zip(only.schema, only.columns, strict=True):
        try:
            (content[field.name],) = values.to_pylist()
        except _FAULTS:
            fault = f"the value under {field.name!r} cannot be read as {field.type}"
            return bad_row(number, name, fault, hint="Mend it, or leave the column out.", unit="row")
    return Row(number, content, name, "row")


def common_type(one: pa.DataType | None, other: pa.DataType | None) -> pa.DataType | None:
    """The type of a column that has these in two files; None, for text, where they differ."""
    # A column of a file that holds nothing but nulls may have a type that says so.
    if one == other or str(other) == "null":
        return one
    return other if str(one) == "null" else None
