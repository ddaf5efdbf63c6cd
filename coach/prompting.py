"""What a judge is sent. All that is the same for every answer to a question comes first, so that providers can cache it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from coach.fingerprints import digest_of
from coach.models import JudgeTask
from coach.neutralize import fence_for, neutralize
from coach.resources import data_dir

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = ("judge.system.md.j2", "judge.user.md.j2")
PASSAGE_CHARS = 48
"""Characters of a passage that point a judge to it; the answer itself follows in full."""
MAX_POINTERS = 8


class PromptMessage(NamedTuple):
    """A role and its text."""

    role: str
    content: str


class Pointer(NamedTuple):
    """Where to look first for one expert point."""

    id: str
    words: str


class Example(NamedTuple):
    """A labelled answer shown for calibration."""

    answer: str
    levels: str
    """The levels in words, e.g. `tradeoffs 3, communication 2`."""


class JudgePrompt(NamedTuple):
    """The messages of one call: what is fixed for the question, then what belongs to the answer."""

    system: str
    user: str

    @property
    def messages(self) -> tuple[PromptMessage, ...]:
        """Both, in order."""
        return (PromptMessage("system", self.system), PromptMessage("user", self.user))


def render_judge_prompt(
    task: JudgeTask,
    *,
    only: Sequence[str] = (),
    problems: Mapping[str, str] | None = None,
    order_seed: int | None = None,
    examples: Sequence[Example] = (),
) -> JudgePrompt:
    """The prompt for one answer.

    Args:
        task: question, rubric, answer, matches.
        only: criteria this call is about, where several calls share them; all where empty.
        problems: criterion id to what was wrong with the entry given before: these alone are asked for again. The fixed
            part of the prompt stays as it was.
        order_seed: shuffles the criteria; the rubric's order where None.
        examples: labelled answers for calibration.
    """
    fence = fence_for(task.answer)
    criteria = list(task.rubric.criteria)
    if order_seed is not None:
        random.Random(order_seed).shuffle(criteria)  # noqa: S311 - an order, not a secret
    environment = _environment()
    return JudgePrompt(
        system=environment.get_template(TEMPLATES[0]).render(
            question=task.question,
            criteria=criteria,
            red_flags=task.rubric.red_flags,
            examples=[e._replace(answer=neutralize(e.answer)) for e in examples],
        ),
        user=environment.get_template(TEMPLATES[1]).render(
            answer=neutralize(task.answer),
            fence=fence,
            passages=_pointers(task),
            only=only,
            problems=dict(problems or {}),
        ),
    )


def prompt_fingerprint() -> str:
    """Digest of the templates' text."""
    folder = data_dir("prompts")
    return digest_of({name: (folder / name).read_text(encoding="utf-8") for name in TEMPLATES})


def _pointers(task: JudgeTask) -> list[Pointer]:
    """The first words of each point's closest passage: no scores, which a judge would defer to."""
    found = []
    for match in task.matches.points[:MAX_POINTERS]:
        if match.passages:
            best = match.passages[0]
            words = " ".join(task.answer[best.start : best.end].split())[:PASSAGE_CHARS]
            found.append(Pointer(match.point.id, neutralize(words)))
    return found


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(data_dir("prompts")),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text for a model; candidate text goes through `neutralize`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
