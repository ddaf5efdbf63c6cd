"""Grading a file of answers: JSONL in, JSONL out, in order, one report a row.

An input line looks like
    {"question_id": "q01", "answer": "I would start from the goal ...", "id": "a-17", "cohort": "spring"}
and the output line is the report with `cohort` carried over, untouched.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from coach.batch.rows import Row
from coach.errors import CostCapReached, InputError
from coach.files import Replacing
from coach.flow import in_order
from coach.grading import Coach
from coach.render.json_ import escape_controls
from coach.report import FeedbackReport

READ_KEYS = frozenset({"id", "question_id", "answer", "question", "reference", "points"})
"""Columns a row is graded from; every other column is carried over."""
MAX_LINE_BYTES = 4_000_000
"""A longer line is a failed row; the rest of the file is still graded."""


class OldRow(NamedTuple):
    """One line of the input: the row it holds, or why it holds none."""

    number: int
    content: dict[str, object] | InputError

    @property
    def carried(self) -> dict[str, object]:
        """Columns that go to the output untouched."""
        return (
            {}
            if isinstance(self.content, InputError)
            else {k: v for k, v in self.content.items() if k not in READ_KEYS}
        )


class BatchSummary(NamedTuple):
    """Counts of one run: rows = judged + abstained + failed."""

    rows: int
    judged: int
    abstained: int
    """Rows without a total, because too little could be judged."""
    failed: int
    causes: Counter[str]
    """Why rows failed."""
    stopped: bool
    """Whether the cost cap ended the run before all rows were judged."""


async def grade_file(
    coach: Coach, source: Path, out: Path, *, concurrency: int, progress: Callable[[int], None] = lambda done: None
) -> BatchSummary:
    """Grade every row of a JSONL file into another.

    Args:
        coach: bank, judge and embedder.
        source: JSONL file.
        out: written beside and renamed at the end.
        concurrency: answers graded at once.
        progress: called with the count of rows done.

    Raises:
        InputError: the input cannot be read or the output not be written.
    """
    _check_suffixes(source, out)
    tally: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    stopped = False

    async def one(row: OldRow) -> tuple[OldRow, FeedbackReport]:
        return row, await coach.grade_row(Row(row.number, row.content))

    with Replacing(out) as file:
        async for row, report in in_order((partial(one, row) for row in read_jsonl(source)), limit=concurrency):
            file.write(output_line(row, report))
            tally[_outcome(report)] += 1
            if report.error:
                causes[report.error.message] += 1
                stopped = stopped or report.error.kind == CostCapReached.__name__
            progress(tally.total())
    return BatchSummary(tally.total(), tally["judged"], tally["abstained"], tally["failed"], causes, stopped=stopped)


def _check_suffixes(source: Path, out: Path) -> None:
    for path, role in ((source, "input"), (out, "output")):
        if path.suffix.lower() not in {".jsonl", ".ndjson"}:
            raise InputError(f"{path}: {path.suffix or 'no suffix'} is not read as {role}", hint="Use a .jsonl file.")
    if source.resolve() == out.resolve():
        raise InputError(f"{out} is the input too", hint="Write the reports to another file.")


def read_jsonl(source: Path) -> Iterator[OldRow]:
    """Rows of a JSONL file; blank lines are skipped, a line that is no row carries its error.

    Raises:
        InputError: the file cannot be read at all.
    """
    try:
        with source.open("rb") as file:
            for number, line in enumerate(_lines(file), start=1):
                if line.strip(b"\xef\xbb\xbf \t\r\n"):
                    yield OldRow(number, parse_line(line, number))
    except OSError as error:
        raise InputError(f"{source} cannot be read: {error.strerror}", hint="Check the path.") from None


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Lines, each cut at MAX_LINE_BYTES + 1 so that no line, however long, fills the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > MAX_LINE_BYTES:
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line


def parse_line(line: bytes, number: int) -> dict[str, object] | InputError:
    """The row a line holds, or an error that names the line, the fault and its place."""
    if len(line) > MAX_LINE_BYTES:
        return InputError(f"line {number}: longer than {MAX_LINE_BYTES:,} bytes")
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return InputError(f"line {number}: not UTF-8 at byte {error.start}", hint="Save the file as UTF-8.")
    except (json.JSONDecodeError, RecursionError) as error:
        return InputError(f"line {number}: not JSON: {error}", hint="Each line holds one JSON object.")
    if not isinstance(row, dict):
        return InputError(f"line {number}: a JSON {type(row).__name__}, not an object")
    return row


def output_line(row: OldRow, report: FeedbackReport) -> str:
    """The report as one line of JSON, with the row's other columns; a column named like a field of the report loses."""
    merged = row.carried | report.model_dump(mode="json")
    return escape_controls(json.dumps(merged, ensure_ascii=False, separators=(",", ":"))) + "\n"


def _outcome(report: FeedbackReport) -> str:
    if report.status == "failed":
        return "failed"
    return "judged" if report.total is not None else "abstained"
