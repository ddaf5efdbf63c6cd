"""Input files of a batch as rows: JSONL, CSV, Parquet or a stream, one after the other, in constant memory.

A row that cannot be read carries its error, with line and cause, and the rest is read on. A file that cannot be read at
all, or whose header lacks what every row needs, is an error before anything is graded.
"""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from coach.batch.rows import READ_KEYS, Row
from coach.errors import InputError

if TYPE_CHECKING:
    import pyarrow.parquet

Format = Literal["jsonl", "csv", "parquet"]
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
MAX_LINE_BYTES = 4_000_000
"""A longer line is a failed row; the rest of the file is still read."""
_MARK = b"\xef\xbb\xbf"
_BATCH_ROWS = 256
_BUFFER = 1 << 20
_SURROGATES = (0xDC80, 0xDCFF)
"""What `surrogateescape` makes of bytes that are not UTF-8."""


class Source(NamedTuple):
    """One input. `path` is None for standard input."""

    path: Path | None
    format: Format

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.path) if self.path else "standard input"


def find_sources(names: Sequence[str], *, stream_format: Format = "jsonl") -> tuple[Source, ...]:
    """The inputs that names stand for, in order: paths, patterns (`parts/*.jsonl`), or `-`.

    Raises:
        InputError: a pattern fits nothing, or a suffix is none that can be read.
    """
    found = []
    for name in names:
        if name == "-":
            found.append(Source(None, stream_format))
            continue
        found += [Source(path, format_of(path, "input")) for path in _expanded(name)]
    return tuple(found)


def _expanded(name: str) -> list[Path]:
    if Path(name).exists() or not glob.has_magic(name):
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


def read_rows(sources: Sequence[Source], stdin: IO[bytes] | None = None) -> Iterator[Row]:
    """All rows of all sources, in order.

    Raises:
        InputError: a source cannot be read, or lacks a column that every row needs.
    """
    for source in sources:
        name = source.name if len(sources) > 1 else ""
        try:
            if source.format == "parquet":
                yield from read_parquet(source, name)
            elif source.path is None:
                if stdin is None:
                    raise InputError("there is no standard input to read")
                yield from _TEXT[source.format](stdin, name)
            else:
                with source.path.open("rb", buffering=_BUFFER) as file:
                    yield from _TEXT[source.format](file, name)
        except OSError as error:
            raise InputError(
                f"{source.name} cannot be read: {error.strerror or error}", hint="Check the path."
            ) from None


def count_rows(sources: Sequence[Source]) -> int | None:
    """About how many rows there are, for the time left; None where a source cannot be counted without reading it twice."""
    total = 0
    for source in sources:
        if source.path is None or not source.path.is_file():
            return None
        if source.format == "parquet":
            total += int(open_parquet(source).metadata.num_rows)
            continue
        with source.path.open("rb") as file:
            while block := file.read(1 << 20):
                total += block.count(b"\n")
    return total


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
    """Lines, each cut at MAX_LINE_BYTES + 1 so that no line, however long, fills the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > MAX_LINE_BYTES:
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line


def _json_row(line: bytes, number: int, name: str) -> Row:
    """The row a line holds, or the fault and its place."""
    if len(line) > MAX_LINE_BYTES:
        return _bad(number, name, f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        content = _DECODER.decode(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return _bad(number, name, f"not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.")
    except (ValueError, RecursionError) as error:
        return _bad(number, name, f"not JSON: {error}", hint="Each line holds one JSON object.")
    if not isinstance(content, dict):
        return _bad(number, name, f"a JSON {type(content).__name__}, not an object")
    return Row(number, content, name)


def _bad(number: int, name: str, fault: str, *, hint: str = "") -> Row:
    return Row(number, InputError(f"{Row(number, {}, name).place}: {fault}", hint=hint), name)


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` with an argument makes one for every line."""


# --- CSV ------------------------------------------------------------------------------------------------------------


def _csv(file: IO[bytes], name: str) -> Iterator[Row]:
    # The limit is the module's own and there is no other way to set it; its default is shorter than answers may be.
    csv.field_size_limit(MAX_LINE_BYTES)
    first = file.readline(MAX_LINE_BYTES)
    header = _header(first, name)
    lines = _decoded(file)
    reader = csv.reader(lines, delimiter=_delimiter(first))
    while True:
        start = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _bad(start, name, f"not CSV: {error}", hint="Is a quote left open?")
            continue
        if cells:
            yield _csv_row(cells, header, start, name)


def _decoded(file: IO[bytes]) -> Iterator[str]:
    # Bytes that are not UTF-8 come through as surrogates, so that they spoil their own row only.
    while line := file.readline(MAX_LINE_BYTES):
        yield line.decode("utf-8", "surrogateescape")


def _delimiter(header: bytes) -> str:
    """Comma, semicolon or tab, whichever the header has most of: spreadsheets write what their country is used to."""
    return max((",", ";", "\t"), key=lambda c: header.count(c.encode("ascii")))


def _header(line: bytes, name: str) -> list[str]:
    where = name or "the header"
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.") from None
    header = [c.strip() for c in next(csv.reader([text], delimiter=_delimiter(line)), [])]
    twice = {c for c in header if header.count(c) > 1}
    if twice:
        raise InputError(f"{where}: two columns are named {sorted(twice)[0]!r}", hint="Give each a name of its own.")
    check_columns(header, where)
    return header


def _csv_row(cells: Sequence[str], header: Sequence[str], number: int, name: str) -> Row:
    if len(cells) != len(header):
        fault = f"{len(cells)} cells where the header has {len(header)}"
        return _bad(number, name, fault, hint="Is a quote missing, or too many?")
    low, high = _SURROGATES
    if any(low <= ord(c) <= high for cell in cells if not cell.isascii() for c in cell):
        return _bad(number, name, "not UTF-8", hint="Save the file as UTF-8.")
    return Row(number, dict(zip(header, cells, strict=True)), name)


def check_columns(columns: Sequence[str], where: str) -> None:
    """Whether rows of these columns can be graded.

    Raises:
        InputError: a column that every row needs is missing; suggests the nearest name.
    """
    wanted = [] if "answer" in columns else ["answer"]
    if "question_id" not in columns and not {"question", "reference"} <= set(columns):
        wanted.append("question_id")
    if wanted:
        near = [n for w in wanted for n in _meant(w, columns)]
        hint = (
            f"Rename {near[0]!r}?"
            if near
            else "Every row needs `answer`, and `question_id` or `question` and `reference`."
        )
        had = ", ".join(columns[:12]) or "no columns"
        raise InputError(f"{where}: no column {' and none '.join(map(repr, wanted))}; there are: {had}", hint=hint)


_ALSO_CALLED = {
    "answer": ("text", "response", "reply", "essay", "submission"),
    "question_id": ("qid", "question_no", "question_number", "item_id"),
}


def _meant(wanted: str, columns: Sequence[str]) -> list[str]:
    """Columns that may be the one wanted, under another name."""
    others = [c for c in columns if c not in READ_KEYS]
    near = get_close_matches(wanted, others, n=1, cutoff=0.6)
    return near or [c for c in others if c.lower() in _ALSO_CALLED[wanted]]


_TEXT = {"jsonl": read_jsonl, "csv": _csv}


# --- Parquet --------------------------------------------------------------------------------------------------------


def open_parquet(source: Source) -> pyarrow.parquet.ParquetFile:
    """Open a Parquet file.

    Raises:
        InputError: pyarrow is missing, or the file is a stream or none that it can read.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InputError("Parquet needs pyarrow", hint="pip install 'coach[parquet]', or use JSONL or CSV.") from None
    if source.path is None:
        raise InputError("Parquet cannot be read from a stream", hint="Name a file.")
    try:
        return pq.ParquetFile(source.path)
    except pa.ArrowException as error:
        raise InputError(f"{source.name} cannot be read as Parquet: {str(error)[:200]}") from None


def read_parquet(source: Source, name: str, *, groups: Sequence[int] | None = None, first: int = 1) -> Iterator[Row]:
    """Rows of a Parquet file.

    Args:
        source: the file.
        name: of the file, where there are several.
        groups: row groups to read; all of them where None.
        first: number of the first row of these.

    Raises:
        InputError: the file cannot be read any further, or lacks a column that every row needs.
    """
    import pyarrow as pa

    number = first - 1
    with open_parquet(source) as file:
        check_columns(file.schema_arrow.names, source.name)
        try:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups):
                for content in batch.to_pylist():
                    number += 1
                    yield Row(number, content, name, "row")
        except pa.ArrowException as error:
            raise InputError(f"{source.name} is damaged after row {number}: {str(error)[:200]}") from None


def parquet_types(sources: Sequence[Source]) -> Mapping[str, Any]:
    """Arrow types of the columns, by name, where all sources are Parquet; else nothing is known."""
    if not sources or any(s.format != "parquet" for s in sources):
        return {}
    schema = open_parquet(sources[0]).schema_arrow
    return {field.name: field.type for field in schema}
