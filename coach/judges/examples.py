"""Few-shot: labelled answers nearest to the one at hand, for calibration.

A labelled row is {"question_id": "q01", "answer": "...", "criteria": {"tradeoffs": 3, ...}}.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coach.errors import InputError
from coach.files import numbered_lines
from coach.fingerprints import digest
from coach.lexical import content_stems
from coach.models import JudgeTask
from coach.prompting import Example

MAX_ANSWER_CHARS = 1200


class Examples:
    """Labelled answers to choose from.

    Args:
        path: JSONL file of labelled rows.
        count: how many are shown.

    Raises:
        InputError: the file cannot be read, or holds no labelled row.
    """

    def __init__(self, path: Path, count: int) -> None:
        self._rows = _read(path)
        self._count = count
        self.digest = digest(f"{count}\n{path.read_text(encoding='utf-8')}")

    def nearest(self, task: JudgeTask) -> tuple[Example, ...]:
        """Those to the same question first, then those that share most words; never the answer itself.

        Their order does not depend on the answer, so that prompts which show the same ones stay alike for caches.
        """
        wanted = content_stems(task.answer)
        others = [r for r in self._rows if r["answer"].strip() != task.answer.strip()]
        ranked = sorted(others, key=lambda r: (r["question_id"] != task.question.id, -_shared(wanted, r["answer"])))
        chosen = sorted(ranked[: self._count], key=lambda r: digest(r["answer"]))
        known = {c.id for c in task.rubric.criteria}
        return tuple(Example(r["answer"][:MAX_ANSWER_CHARS], _levels(r["criteria"], known)) for r in chosen)


def _shared(wanted: frozenset[str], answer: str) -> float:
    found = content_stems(answer)
    return len(wanted & found) / max(1, len(wanted | found))


def _levels(criteria: dict[str, Any], known: set[str]) -> str:
    return ", ".join(f"{id} {level}" for id, level in criteria.items() if id in known and level is not None)


def _read(path: Path) -> list[dict[str, Any]]:
    rows = []
    try:
        for number, line in numbered_lines(path):
            row = json.loads(line)
            if not isinstance(row, dict) or not {"question_id", "answer", "criteria"} <= row.keys():
                raise InputError(f"{path}: line {number} is no labelled answer", hint="See evals/answers for the form.")
            rows.append(row)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --few-shot-file.") from None
    if not rows:
        raise InputError(f"{path} holds no labelled answers", hint="See evals/answers for the form.")
    return rows
