"""What a judge is sent. All that is the same for every answer to a question comes first, so that providers can cache it."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from coach.fingerprints import digest_of
from coach.models import JudgeTask, Question, Rubric
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
        problems: criterion id to what was wrong with the entry given before: these alone are asked for again. It may repeat
            words of the model's, which stand outside of the fence. The fixed part of the prompt stays as it was.
        order_seed: shuffles the criteria; the rubric's order where None.
        examples: labelled answers for calibration.
    """
    fence = fence_for(task.answer)
    return JudgePrompt(
        system=_fixed_part(task.question, task.rubric, order_seed, tuple(examples)),
        user=_environment()
        .get_template(TEMPLATES[1])
        .render(
            answer=neutralize(task.answer),
            fence=fence,
            passages=_pointers(task),
            only=only,
            problems={id: neutralize(" ".join(said.split())) for id, said in (problems or {}).items()},
        ),
    )


class _Rendered(NamedTuple):
    question: Question
    rubric: Rubric
    text: str


_rendered: OrderedDict[tuple[int, int, int | None, tuple[Example, ...]], _Rendered] = OrderedDict()
_KEEP_RENDERED = 64


def _fixed_part(question: Question, rubric: Rubric, order_seed: int | None, examples: tuple[Example, ...]) -> str:
    """The system message. Rendered once for the same objects: a batch asks for it with every answer."""
    key = (id(question), id(rubric), order_seed, examples)
    kept = _rendered.get(key)
    # An id may be given again once its object is gone; the objects kept here cannot be gone.
    if kept is not None and kept.question is question and kept.rubric is rubric:
        return kept.text
    criteria = list(rubric.criteria)
    if order_seed is not None:
        random.Random(order_seed).shuffle(criteria)  # noqa: S311 - an order, not a secret
    text = (
        _environment()
        .get_template(TEMPLATES[0])
        .render(
            question=question,
            criteria=criteria,
            red_flags=rubric.red_flags,
            examples=[e._replace(answer=neutralize(e.answer)) for e in examples],
        )
    )
    _rendered[key] = _Rendered(question, rubric, text)
    while len(_rendered) > _KEEP_RENDERED:
        with suppress(KeyError):  # another thread may have been quicker
            _rendered.popitem(last=False)
    return text


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
        auto_reload=False,  # a look at the file for every answer, and templates belong to the fingerprint
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
