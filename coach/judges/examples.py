"""Few-shot: labelled answers nearest to the one at hand, for calibration.

A labelled row is {"question_id": "q01", "answer": "...", "criteria": {"tradeoffs": 3, ...}}.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from coach.errors import InputError
from coach.files import numbered_lines
from coach.fingerprints import digest
from coach.lexical import content_stems
from coach.models import JudgeTask, LevelValue
from coach.prompting import Example

MAX_ANSWER_CHARS = 1200


class _Row(BaseModel):
    """A line of the file; what a row holds besides is nobody's business here."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    question_id: str
    answer: str
    criteria: dict[str, LevelValue | None]


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
        others = [r for r in self._rows if r.answer.strip() != task.answer.strip()]
        ranked = sorted(others, key=lambda r: (r.question_id != task.question.id, -_shared(wanted, r.answer)))
        chosen = sorted(ranked[: self._count], key=lambda r: digest(r.answer))
        known = {c.id for c in task.rubric.criteria}
        return tuple(Example(r.answer[:MAX_ANSWER_CHARS], _levels(r.criteria, known)) for r in chosen)


def _shared(wanted: frozenset[str], answer: str) -> float:
    found = content_stems(answer)
    return len(wanted & found) / max(1, len(wanted | found))


def _levels(criteria: dict[str, int | None], known: set[str]) -> str:
    return ", ".join(f"{id} {level}" for id, level in criteria.items() if id in known and level is not None)


def _read(path: Path) -> list[_Row]:
    rows = []
    try:
        for number, line in numbered_lines(path):
            try:
                rows.append(_Row.model_validate_json(line))
            except ValidationError:
                told = f"{path}: line {number} is no labelled answer"
                raise InputError(told, hint="See evals/answers for the form.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Check --few-shot-file.") from None
    if not rows:
        raise InputError(f"{path} holds no labelled answers", hint="See evals/answers for the form.")
    return rows
