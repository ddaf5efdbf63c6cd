"""What every library is given: one question, the expert's answer, six criteria, and any number of different answers.

Handed on as JSON, since a library's environment has no coach in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

AT_ONCE = 16


class Criterion(NamedTuple):
    """A criterion in plain words."""

    id: str
    title: str
    description: str
    levels: tuple[str, ...]
    """What each level looks like, from 0 up."""

    @property
    def text(self) -> str:
        """The criterion and its levels, as one text for libraries whose criteria are texts."""
        levels = "; ".join(f"{value} {words}" for value, words in enumerate(self.levels))
        return f"{self.title}: {self.description}. Levels: {levels}."


class Work(NamedTuple):
    """One question with its rubric, and the answer that all answers are made from."""

    question: str
    reference: str
    criteria: tuple[Criterion, ...]
    answer: str

    def answers(self, count: int, *, start: int = 0) -> list[str]:
        """Different answers, so that no cache knows them; runs take different starts."""
        return [f"{self.answer}\nNumber {n}." for n in range(start, start + count)]


def write_work(work: Work, path: Path) -> None:
    """As JSON."""
    fields = {**work._asdict(), "criteria": [c._asdict() for c in work.criteria]}
    path.write_text(json.dumps(fields), encoding="utf-8")


def read_work(path: Path) -> Work:
    """What `write_work` wrote."""
    fields = json.loads(path.read_text(encoding="utf-8"))
    criteria = tuple(Criterion(**{**c, "levels": tuple(c["levels"])}) for c in fields.pop("criteria"))
    return Work(**fields, criteria=criteria)
