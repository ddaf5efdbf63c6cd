"""The labelled answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from coach.errors import InputError
from coach.models import Question
from coach.pipeline import brought_question


class Labelled(NamedTuple):
    """An answer with its writer's label; see `evals/README.md` for how it came about."""

    id: str
    question_id: str
    answer: str
    overall: int
    criteria: dict[str, int | None]
    red_flags: frozenset[str]
    covered: frozenset[int]
    """1-based positions of the expert points the answer makes."""
    twin_of: str | None
    topic: str = ""
    """Names the question of a row that brings its own."""
    question: str = ""
    reference: str = ""

    @property
    def group(self) -> str:
        """Answers to one question share it; folds never part them."""
        return self.question_id or self.topic

    @property
    def asked(self) -> str | Question:
        """What it answers: an id of the bank, or the question it brings."""
        return self.question_id or brought_question(self.question, self.reference, where=f"answer {self.id}")


def load_labelled(path: Path) -> tuple[Labelled, ...]:
    """All labelled answers of a JSONL file, or of the `part-*.jsonl` files of a folder, in order.

    Raises:
        InputError: nothing can be read there, or a line is no labelled answer; names file and line.
    """
    files = sorted(path.glob("part-*.jsonl"), key=lambda p: (len(p.name), p.name)) if path.is_dir() else [path]
    rows = [row for file in files for row in _read(file)]
    if not rows:
        raise InputError(
            f"{path} holds no labelled answers", hint="Give a JSONL file; see evals/README.md for its form."
        )
    return tuple(rows)


def _read(path: Path) -> Iterator[Labelled]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --set.") from None
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            yield Labelled(
                id=str(row["id"]),
                question_id=str(row.get("question_id") or ""),
                answer=str(row["answer"]),
                overall=int(row["overall"]),
                criteria=dict(row["criteria"]),
                red_flags=frozenset(row.get("red_flags", ())),
                covered=frozenset(row.get("covered", ())),
                twin_of=row.get("twin_of"),
                **({} if row.get("question_id") else {k: str(row[k]) for k in ("topic", "question", "reference")}),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} line {number} is no labelled answer: {error!r}", hint="See evals/README.md."
            ) from None
