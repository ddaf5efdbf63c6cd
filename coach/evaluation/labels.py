"""The labelled answers.

{"id": "d01-1", "question_id": "q01", "answer": "…", "overall": 3, "criteria": {"tradeoffs": 1, …}, "red_flags": […]}
A row may bring `question`, `reference` and `topic` in place of `question_id`; such a question is in no bank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from coach.asked import brought_question
from coach.bank import describe
from coach.errors import InputError
from coach.files import numbered_lines
from coach.models import LevelValue, Question, Text


class Labelled(NamedTuple):
    """An answer with its writer's label; see `evals/README.md` for how it came about."""

    id: str
    question_id: str
    """Empty where the question is brought along."""
    answer: str
    overall: int
    criteria: dict[str, int | None]
    red_flags: frozenset[str]
    covered: frozenset[int] | None
    """1-based positions of the expert points the answer makes; None where nobody labelled them. The points of a question
    that is brought along are the sentences of its reference."""
    twin_of: str | None
    topic: str = ""
    """Names the question of a row that brings its own."""
    question: str = ""
    reference: str = ""
    kind: str = ""
    """What sort of answer it is: the row's own word, else the name of its file."""

    @property
    def group(self) -> str:
        """Answers to one question share it; folds never part them, and resamples draw them together."""
        return self.question_id or self.topic or self.question

    @property
    def asked(self) -> str | Question:
        """What it answers: an id of the bank, or the question it brings."""
        return self.question_id or brought_question(self.question, self.reference, where=f"answer {self.id}")

    @property
    def row(self) -> dict[str, str]:
        """The answer as a row of a batch."""
        brought = {"question": self.question, "reference": self.reference}
        return {
            "id": self.id,
            "answer": self.answer,
            **({"question_id": self.question_id} if self.question_id else brought),
        }


def load_labelled(path: Path) -> tuple[Labelled, ...]:
    """All labelled answers of a JSONL file, or of the `part-*.jsonl` files of a folder, in order.

    Raises:
        InputError: nothing can be read there, or a line is no labelled answer; names file and line.
    """
    files = sorted(path.glob("part-*.jsonl"), key=lambda p: (len(p.name), p.name)) if path.is_dir() else [path]
    rows = [row for file in files for row in _read(file)]
    _refuse_twice(rows, path)
    if not rows:
        raise InputError(
            f"{path} holds no labelled answers", hint="Give a JSONL file; see evals/README.md for its form."
        )
    return tuple(rows)


def _refuse_twice(rows: list[Labelled], path: Path) -> None:
    counts = Counter(row.id for row in rows)
    id, count = counts.most_common(1)[0] if counts else ("", 0)
    if count > 1:
        raise InputError(f"{path} holds {count} answers with the id {id!r}", hint="Give each an id of its own.")


def spread(rows: tuple[Labelled, ...], limit: int | None) -> tuple[Labelled, ...]:
    """At most `limit` rows in their order, as evenly over the questions as can be, the same each time.

    Within a question they are taken at even distances, from another start for each question, so that files and kinds of
    answer mix.
    """
    if not limit or limit >= len(rows):
        return rows
    by_group: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_group.setdefault(row.group, []).append(position)
    turned = [_from(at, number) for number, at in enumerate(by_group.values())]
    rounds = zip_longest(*(_even(at) for at in turned))
    in_turn = [position for one in rounds for position in one if position is not None]
    return tuple(rows[i] for i in sorted(in_turn[:limit]))


def _from(positions: list[int], start: int) -> list[int]:
    start %= len(positions)
    return positions[start:] + positions[:start]


def _even(positions: list[int]) -> list[int]:
    """All positions, far ones first: halves, then quarters, and so on."""
    size = len(positions)
    wanted = [0] + [size * odd // (1 << k) for k in range(1, size.bit_length() + 1) for odd in range(1, 1 << k, 2)]
    return [positions[i] for i in dict.fromkeys([*wanted, *range(size)])]


def _read(path: Path) -> Iterator[Labelled]:
    try:
        for number, line in numbered_lines(path):
            try:
                row = _Row.model_validate_json(line)
            except ValidationError as error:
                told = describe(error, _Row)[0]
                raise InputError(
                    f"{path} line {number} is no labelled answer: {told}", hint="See evals/README.md."
                ) from None
            yield _labelled(row, path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --set.") from None


class _Row(BaseModel):
    """A line of a file; what a row holds besides is nobody's business here."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Text
    answer: str
    overall: Annotated[int, Field(ge=1, le=5)]
    criteria: dict[str, LevelValue | None] = {}
    red_flags: tuple[str, ...] = ()
    covered: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    twin_of: str | None = None
    question_id: str | None = None
    question: str | None = None
    reference: str | None = None
    topic: str | None = None
    kind: str | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.question_id and not (self.question and self.reference):
            raise ValueError("it needs a question_id, or a question and a reference")
        return self


def _labelled(row: _Row, file: str) -> Labelled:
    return Labelled(
        id=row.id,
        question_id=row.question_id or "",
        answer=row.answer,
        overall=row.overall,
        criteria=row.criteria,
        red_flags=frozenset(row.red_flags),
        covered=None if row.covered is None else frozenset(row.covered),
        twin_of=row.twin_of,
        question="" if row.question_id else row.question or "",
        reference="" if row.question_id else row.reference or "",
        topic=row.topic or "",
        kind=row.kind or file,
    )
