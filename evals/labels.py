"""The labelled answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

ANSWERS = Path(__file__).parent / "answers"


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


def load_labelled(folder: Path = ANSWERS) -> tuple[Labelled, ...]:
    """All labelled answers, in the order of files and lines."""
    rows = []
    for path in sorted(folder.glob("part-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows.append(
                Labelled(
                    id=row["id"],
                    question_id=row["question_id"],
                    answer=row["answer"],
                    overall=row["overall"],
                    criteria=row["criteria"],
                    red_flags=frozenset(row["red_flags"]),
                    covered=frozenset(row["covered"]),
                    twin_of=row.get("twin_of"),
                )
            )
    return tuple(rows)
