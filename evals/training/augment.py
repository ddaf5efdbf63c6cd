"""What training adds to the labelled answers: some under a question they do not answer, some padded or reordered."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coach.embed import Embedder
from coach.evaluation.edits import reorder
from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import FLAGS, TARGETS, Window, load_tokenizer, windows
from coach.models import Question
from coach.segment import segment
from evals.training.examples import Example

DISTURBED = 0.2
"""Share of the answers padded or reordered, anew each epoch."""
OFF_TOPIC = {
    "overall": 1.0,
    "product_framing": 0.2,
    "tradeoffs": 0.3,
    "long_term_metrics": 0.0,
    "systems_thinking": 0.2,
    "expert_coverage": 0.0,
}
"""Levels of an answer to another question, about as the writers of parts 1 to 11 labelled them; how well it is told stays."""
FILLERS = (
    "I hope that makes sense so far.",
    "Bear with me, I am thinking as I go.",
    "Good question, by the way.",
    "I have come across this more than once in my career.",
    "Let me take a moment to gather my thoughts here.",
    "People will have different views on that, of course.",
    "I could go on about this for quite some time.",
    "Anyway, where was I.",
    "As I said, that is how I see it at the moment.",
    "Happy to go deeper wherever you like.",
    "It is one of those topics that come up again and again over lunch.",
    "To be clear, this is only my opinion, shaped by the places I have worked at.",
)
"""None of them is what `coach eval probe` pads with."""


class Source(NamedTuple):
    """A labelled answer, the question it answers, and what training makes of both."""

    row: Labelled
    question: Question
    example: Example


class Augmented:
    """The examples of each epoch.

    Args:
        sources: labelled answers.
        embedder: tells which questions are unlike. An answer is only put under one of the less alike half: to the others it
            may say something.
    """

    def __init__(self, sources: Sequence[Source], embedder: Embedder) -> None:
        self._sources = list(sources)
        self._questions = {s.question.reference: s.question for s in sources}
        self._others = unlike(list(self._questions), embedder)

    def epoch(self, rng: random.Random, swapped: float, *, some: Sequence[Source] | None = None) -> list[Example]:
        """All answers, or only `some`; a few of them disturbed, and such a share a second time under another question."""
        sources = self._sources if some is None else list(some)
        found = [_disturbed(s, rng) if rng.random() < DISTURBED else s.example for s in sources]
        for s in rng.sample(sources, round(swapped * len(sources))):
            found.append(_swapped(s, self._questions[rng.choice(self._others[s.question.reference])]))
        return found


def unlike(references: Sequence[str], embedder: Embedder) -> dict[str, list[str]]:
    """For each reference the half of them that are least like it."""
    vectors = embedder.encode(references)
    cosines = vectors @ vectors.T
    half = len(references) // 2
    return {r: [references[j] for j in np.argsort(cosines[i])[:half]] for i, r in enumerate(references)}


def _window(question: Question, answer: str) -> Window:
    return windows(load_tokenizer(), question.question, [p.text for p in question.points], answer)[0]


def _swapped(source: Source, question: Question) -> Example:
    of = source.example
    flags = np.array(of.flags)
    flags[FLAGS.index("off_topic")] = 1.0
    return Example(
        window=_window(question, source.row.answer),
        levels=tuple(OFF_TOPIC.get(t, v) for t, v in zip(TARGETS, of.levels, strict=True)),
        flags=tuple(flags),
        covered=(0.0,) * len(question.points),
    )


def _disturbed(source: Source, rng: random.Random) -> Example:
    answer = source.row.answer
    if rng.random() < 0.5:
        answer = reorder(answer) or answer
    else:
        for filler in rng.sample(FILLERS, rng.randint(1, 3)):
            cuts = [0, *(s.end for s in segment(answer) if s.kind == "sentence")]
            cut = rng.choice(cuts)
            answer = f"{answer[:cut]} {filler} {answer[cut:]}".strip()
    return source.example._replace(window=_window(source.question, answer))
