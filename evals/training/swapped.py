"""Labelled answers put under a question they do not answer, for the decision to learn from as the network does."""

from __future__ import annotations

import random
from collections.abc import Sequence

from coach.embed import Embedder
from coach.evaluation.labels import Labelled
from coach.fingerprints import digest
from coach.models import Question
from evals.training.augment import OFF_TOPIC, unlike

BLOCKS = 10
"""Parts of the questions. Answers are swapped within one of them, so that a fold of whole blocks holds both ends of each swap."""
SHARE = 0.12
"""Of all answers."""
MARK = "~swapped"
"""Behind the id of such a row."""


def swapped_rows(
    rows: Sequence[Labelled], questions: Sequence[Question], embedder: Embedder, *, seed: int = 0
) -> list[Labelled]:
    """Some of the answers, each under a question of their block unlike their own, labelled as off-topic answers are.

    Args:
        rows: labelled answers to many questions.
        questions: of each row.
        embedder: tells which questions are unlike.
        seed: of the choice.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of examples, no secret
    of = {q.reference: row for row, q in zip(rows, questions, strict=True)}
    others: dict[str, list[str]] = {}
    for block in range(BLOCKS):
        own = [reference for reference, row in of.items() if block_of(row.group) == block]
        if len(own) > 1:
            others |= unlike(own, embedder)
    able = [i for i, q in enumerate(questions) if others.get(q.reference)]
    chosen = rng.sample(able, min(len(able), round(SHARE * len(rows))))
    return [_under(rows[i], of[rng.choice(others[questions[i].reference])]) for i in sorted(chosen)]


def block_of(group: str) -> int:
    """Which of the blocks a question belongs to, 0..BLOCKS-1, by its id or topic."""
    return int(digest(group)[:8], 16) % BLOCKS


def _under(row: Labelled, other: Labelled) -> Labelled:
    return row._replace(
        id=row.id + MARK,
        question_id=other.question_id,
        topic=other.topic,
        question=other.question,
        reference=other.reference,
        overall=1,
        criteria={
            name: None if other.criteria.get(name) is None else round(OFF_TOPIC.get(name, level or 0))
            for name, level in row.criteria.items()
        },
        red_flags=row.red_flags | {"off_topic"},
        covered=frozenset(),
        twin_of=None,
    )
