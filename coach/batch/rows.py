"""A row of a batch: what is graded, what is carried over, and where it stood.

{"question_id": "q01", "answer": "I would start from the goal ...", "id": "a-17", "cohort": "spring"}
{"question": "When does a cache pay?", "reference": "Where reads repeat.", "answer": "..."}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from coach.asked import Brought
from coach.errors import InputError
from coach.report import FeedbackReport

READ_KEYS = frozenset({"id", "question_id", "answer", "question", "reference", "points"})
"""Columns a row is graded from; every other column is carried over."""
CARRIED_PREFIX = "input_"
"""Put before a carried column that is named like a field of the report."""
BROUGHT = "brought"
"""Question id in reports on questions that came with the row."""
MAX_ROW_BYTES = 4_000_000
"""A longer line or record is a failed row; the rest of the file is still read."""
_TAKEN = frozenset(FeedbackReport.model_fields) - READ_KEYS


class Row(NamedTuple):
    """One row of the input: its columns, or why it has none."""

    line: int
    """From 1; of a CSV file the line the row starts at, of a Parquet file the row."""
    content: Mapping[str, object] | InputError
    source: str = ""
    """The file, where there are several."""
    unit: str = "line"

    @property
    def place(self) -> str:
        """Where it stood, in words."""
        return f"{self.source} {self.unit} {self.line}".lstrip()

    @property
    def id(self) -> str:
        """The row's own id, else its line, with the file before it where there are several."""
        own = None if isinstance(self.content, InputError) else self.content.get("id")
        if own is None or own == "":
            return f"{self.source}:{self.line}" if self.source else str(self.line)
        return str(own)

    @property
    def carried(self) -> dict[str, object]:
        """Columns that go to the output untouched; one named like a field of the report gets a prefix."""
        if isinstance(self.content, InputError):
            return {}
        return {carried_name(k): v for k, v in self.content.items() if k not in READ_KEYS}

    @property
    def question_id(self) -> str:
        """The question it names; empty where it holds no row."""
        if isinstance(self.content, InputError):
            return ""
        return encodable(str(self.content.get("question_id") or BROUGHT))


def carried_name(column: str) -> str:
    """What a carried column is called in the output."""
    return CARRIED_PREFIX + column if column in _TAKEN else column


def encodable(text: str) -> str:
    """A text with its lone surrogates, which UTF-8 cannot hold, as their escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def bad_row(number: int, name: str, fault: str, *, hint: str = "", unit: str = "line") -> Row:
    """A row that cannot be read, with the fault in place of its columns."""
    place = Row(number, {}, name, unit).place
    return Row(number, InputError(f"{place}: {fault}", hint=hint), name, unit)


def check_columns(columns: Sequence[str], where: str) -> None:
    """Whether rows of these columns can be graded.

    Raises:
        InputError: a column that every row needs is missing; suggests the nearest name.
    """
    wanted = [] if "answer" in columns else ["answer"]
    if "question_id" not in columns and not {"question", "reference"} <= set(columns):
        wanted.append("question_id")
    if wanted:
        renames = [f"{n!r} to {w!r}" for w in wanted for n in _meant(w, columns)]
        hint = (
            f"Rename {' and '.join(renames)}?"
            if renames
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
    others = {_plain(c): c for c in columns if c not in READ_KEYS}
    near = [wanted] if wanted in others else get_close_matches(wanted, others, n=1, cutoff=0.6)
    return [others[n] for n in near or [c for c in others if c in _ALSO_CALLED[wanted]][:1]]


def _plain(column: str) -> str:
    """A name without what people write differently: `Question ID` is `question_id`."""
    return re.sub(r"[\W_]+", "_", column.lower()).strip("_")


class Entry(NamedTuple):
    """A row that says which question and which answer."""

    asked: str | Brought
    answer: str


def read_entry(row: Row) -> Entry:
    """What a row asks to have graded.

    Raises:
        InputError: names the place and what the row lacks.
    """
    if isinstance(row.content, InputError):
        raise row.content
    answer = row.content.get("answer")
    if not isinstance(answer, str):
        raise InputError(f"{row.place}: no text under `answer`", hint="Every row needs `answer`, a string.")
    if row.content.get("question_id"):
        return Entry(str(row.content["question_id"]), answer)
    question, reference = row.content.get("question"), row.content.get("reference")
    if not isinstance(question, str) or not isinstance(reference, str):
        raise InputError(
            f"{row.place}: neither `question_id` nor `question` with `reference`",
            hint="Name a question of the bank, or bring the question and its expert answer along.",
        )
    points = _points(row.content.get("points"), row.place)
    for column, texts in {"question": (question,), "reference": (reference,), "points": points or ()}.items():
        if not all(map(_is_text, texts)):
            raise InputError(
                f"{row.place}: `{column}` holds half of a surrogate pair, which is no character",
                hint="Look for an escape from \\ud800 to \\udfff that stands alone.",
            )
    return Entry(Brought(question, reference, points), answer)


def _is_text(text: str) -> bool:
    """Whether it holds characters only, and no half of a surrogate pair."""
    # Of every row this is asked again: encoding is much quicker than a search, and ASCII is known at once.
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _points(points: object, place: str) -> tuple[str, ...] | None:
    """Texts, also as the JSON list that a CSV cell holds."""
    if points is None or points == "":
        return None
    try:
        found = json.loads(points) if isinstance(points, str) else points
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list | tuple) or not all(isinstance(p, str) for p in found):
        raise InputError(f"{place}: `points` must be a list of texts", hint='In CSV: ["first point", "second point"].')
    return tuple(found)


def rows_of(mappings: Iterable[Mapping[str, object]]) -> Iterator[Row]:
    """Rows of a program, numbered from 1."""
    for number, mapping in enumerate(mappings, start=1):
        yield Row(number, mapping, unit="row")
