"""A question of the bank as text for a terminal."""

from __future__ import annotations

import textwrap

from coach.models import Question, Rubric
from coach.render.plain import inert

WIDTH = 88


def render_question(question: Question, rubric: Rubric, *, with_answer: bool = False) -> str:
    """What is asked, why, and what it is graded on; the expert's side only where it is asked for."""
    blocks = [inert(f"{question.id}  {question.question}")]
    if question.why:
        blocks.append(_block("Why it is asked", question.why))
    blocks.append(_list("Graded on", [f"{c.criterion.title} ({c.weight:g})" for c in rubric.criteria]))
    named = [f"{f.flag.title}: {f.looks_like}" for f in rubric.red_flags if f.looks_like]
    if named:
        blocks.append(_list("Red flags here", named))
    if with_answer:
        blocks.append(_list("What an expert says", [p.text for p in question.points]))
        blocks.append(_block("Expert answer", question.reference))
        if question.example:
            blocks.append(_block("Example", question.example))
        if question.signal:
            blocks.append(_block(f"Signal phrase: “{question.signal.phrase}”", question.signal.behind))
    return "\n\n".join(blocks)


def _block(title: str, text: str) -> str:
    body = textwrap.fill(inert(text).strip(), WIDTH, initial_indent="  ", subsequent_indent="  ")
    return f"{inert(title)}\n{body}"


def _list(title: str, entries: list[str]) -> str:
    wrap = textwrap.TextWrapper(WIDTH, initial_indent="  - ", subsequent_indent="    ")
    return "\n".join([title, *(wrap.fill(inert(entry).strip()) for entry in entries)])
