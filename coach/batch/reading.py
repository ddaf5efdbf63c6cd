"""Input files of a batch as rows: JSONL, CSV, Parquet or a stream, one after the other, in constant memory.

A row that cannot be read carries its error, with line and cause, and the rest is read on. A file that cannot be read at
all, or whose header lacks what every row needs, is an error before anything is graded.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple, Protocol

from coach.batch.csv_rows import read_csv, read_header
from coach.batch.parquet_rows import column_types, common_type, open_parquet, read_parquet
from coach.batch.rows import MAX_ROW_BYTES, READ_KEYS, Row, bad_row, carried_name, encodable
from coach.errors import InputError

Format = Literal["jsonl", "csv", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_MARK = b"\xef\xbb\xbf"
_BUFFER = 1 << 20
_MAX_DEPTH = 100
"""Lists and objects inside each other; a row that can just be read may be too deep to be written."""


class Source(NamedTuple):
    """One input. `path` is None for standard input."""

    path: Path | None
    format: Format

    @property
    def name(self) -> str:
        """What to call it."""
        return encodable(str(self.path)) if self.path else "standard input"


def find_sources(names: Sequence[str], *, stream_format: Format = "jsonl") -> tuple[Source, ...]:
    """The inputs that names stand for, in order: paths, patterns (`parts/*.jsonl`), or `-`.

    Raises:
        InputError: a pattern fits nothing, a folder cannot be looked into, or a suffix is none that can be read.
    """
    found = []
    for name in names:
        if name == "-":
            found.append(Source(None, stream_format))
            continue
        with readable(name):
            found += [Source(path, format_of(path, "input")) for path in _expanded(name)]
    return tuple(found)


def _expanded(name: str) -> list[Path]:
    if Path(name).exists() or not glob.has_magic(name):
        if Path(name).is_dir():
            raise InputError(f"{name} is a folder", hint=f"Name its files, as in '{Path(name) / '*.csv'}'.")
        return [Path(name)]
    paths = sorted(Path(p) for p in glob.glob(name, recursive=True))
    if not paths:
        raise InputError(f"no file fits {name}", hint="Check the pattern and the folder.")
    return paths


def format_of(path: Path, role: str) -> Format:
    """The format that a suffix stands for.

    Raises:
        InputError: it stands for none.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise InputError(f"{path}: {suffix or 'no suffix'} is not read as {role}", hint=f"Use one of {known}.")
    return SUFFIXES[suffix]


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Name the input in what the system says against reading it.

    Raises:
        InputError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or error}", hint="Check the path.") from None


def read_rows(sources: Sequence[Source], stdin: IO[bytes] | None = None) -> Iterator[Row]:
    """All rows of all sources, in order.

    Raises:
        InputError: a source cannot be read, or lacks a column that every row needs.
    """
    for source in sources:
        name = source.name if len(sources) > 1 else ""
        with readable(source.name):
            if source.path is None:
                yield from _read_stream(source.format, stdin, name)
            elif source.format == "parquet":
                yield from read_parquet(source.path, name)
            else:
                with source.path.open("rb", buffering=_BUFFER) as file:
                    yield from _TEXT[source.format](file, name)


def _read_stream(format: Format, stdin: IO[bytes] | None, name: str) -> Iterator[Row]:
    if stdin is None:
        raise InputError("there is no standard input to read")
    if format == "parquet":
        raise InputError("Parquet cannot be read from a stream", hint="Name a file.")
    return _TEXT[format](stdin, name)


def count_rows(sources: Sequence[Source]) -> int | None:
    """About how many rows there are, for the time left; None where a source cannot be counted without reading it twice.

    Raises:
        InputError: a source cannot be read.
    """
    total = 0
    for source in sources:
        with readable(source.name):
            if source.path is None or not source.path.is_file():
                return None
            total += _count_rows(source.path, source.format)
    return total


def _count_rows(path: Path, format: Format) -> int:
    if format == "parquet":
        with open_parquet(path) as table:
            return int(table.metadata.num_rows)
    total = 0
    with path.open("rb") as file:
        while block := file.read(_BUFFER):
            total += block.count(b"\n")
    return total


def carried_columns(sources: Sequence[Source]) -> dict[str, Any] | None:
    """Columns that are carried over, of all sources together, by their names in the output.

    JSONL has no header: of each of its files, the columns of the first row that can be read.

    Returns:
        The Arrow type of each, None for text; or None for all, where a source is a stream, which passes only once.

    Raises:
        InputError: a source cannot be read, or lacks a column that every row needs.
    """
    found: dict[str, Any] = {}
    for source in sources:
        with readable(source.name):
            if source.path is None or not source.path.is_file():
                return None
            columns = _columns(source.path, source.format, source.name)
        for column in (c for c in columns if c not in READ_KEYS):
            name, kind = carried_name(column), columns[column]
            found[name] = common_type(found[name], kind) if name in found else kind
    return found


def _columns(path: Path, format: Format, where: str) -> Mapping[str, Any]:
    """Columns of a file, with their Arrow types where it has any."""
    match format:
        case "parquet":
            return column_types(path)
        case "csv":
            with path.open("rb") as file:
                return dict.fromkeys(read_header(file, where).columns)
        case "jsonl":
            with path.open("rb") as file:
                contents = (row.content for row in read_jsonl(file, ""))
                return dict.fromkeys(next((c for c in contents if not isinstance(c, InputError)), ()))


# --- JSONL ----------------------------------------------------------------------------------------------------------


class LineReader(Protocol):
    """What lines are read from."""

    def readline(self, limit: int, /) -> bytes:
        """Up to `limit` bytes of a line; none at the end."""


def read_jsonl(file: LineReader, name: str, *, first: int = 1) -> Iterator[Row]:
    """Rows of JSONL.

    Args:
        file: where to read.
        name: of the file, where there are several.
        first: number of its first line.
    """
    for number, line in enumerate(_lines(file), start=first):
        if line.strip(_MARK + b" \t\r\n"):
            yield _json_row(line, number, name)


def _lines(file: LineReader) -> Iterator[bytes]:
    """Lines, each cut at MAX_ROW_BYTES + 1 so that no line, however long, fills the memory."""
    while line := file.readline(MAX_ROW_BYTES + 1):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > MAX_ROW_BYTES:
            rest = file.readline(MAX_ROW_BYTES + 1)
        yield line


def _json_row(line: bytes, number: int, name: str) -> Row:
    """The row a line holds, or the fault and its place."""
    if len(line) > MAX_ROW_BYTES:
        return bad_row(number, name, f"longer than {MAX_ROW_BYTES:,} bytes")
    try:
        content = _DECODER.decode(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return bad_row(number, name, f"not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.")
    except (ValueError, RecursionError) as error:
        return bad_row(number, name, f"not JSON: {error}", hint="Each line holds one JSON object.")
    if not isinstance(content, dict):
        return bad_row(number, name, f"a JSON {type(content).__name__}, not an object")
    if _is_deep(content):
        return bad_row(number, name, f"more than {_MAX_DEPTH} lists and objects inside each other")
    return Row(number, content, name)


def _is_deep(content: dict[str, Any]) -> bool:
    level: list[Any] = [content]
    for _ in range(_MAX_DEPTH):
        inner = (v.values() if isinstance(v, dict) else v for v in level)
        level = [v for values in inner for v in values if isinstance(v, dict | list)]
        if not level:
            return False
    return True


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` with an argument makes one for every line."""


_TEXT = {"jsonl": read_jsonl, "csv": read_csv}
