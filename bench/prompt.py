"""How much a judge is sent."""

from __future__ import annotations

from pathlib import Path

from bench.figures import Figure
from coach import Coach
from coach.prompting import render_judge_prompt

BOUND = 6000


def measure() -> tuple[Figure, ...]:
    """Prompt characters besides the expert answer and the candidate's, the largest over all questions."""
    coach = Coach(judge="offline")
    answer = (Path(__file__).parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")
    sizes = {}
    for id in coach.bank.ids:
        task = coach.prepare(id, answer).task
        prompt = render_judge_prompt(task)
        sizes[id] = len(prompt.system) + len(prompt.user) - len(task.question.reference) - len(task.answer)
    longest = max(sizes, key=lambda id: sizes[id])
    told = f"{sizes[longest]} ({longest}), {sizes['q01']} (q01)"
    return (Figure("prompt characters besides the two answers", told, str(BOUND), sizes[longest] <= BOUND),)
