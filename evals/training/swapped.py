"""Labelled answers put under a question they do not answer, for the decision to learn from as the network does."""

from __future__ import annotations

import random
from collections.abc import Sequence

from coach.embed import Embedder
from coach.evaluation.labels import Labelled
from coach.models import Question
from evals.training.augment import OFF_TOPIC, unlike

SHARE = 0.12
"""Of all answers."""
MARK = "~swapped"
"""Behind the id of such a row."""


def swapped_rows(
    rows: Sequence[Labelled], questions: Sequence[Question], embedder: Embedder, *, seed: int = 0
) -> list[Labelled]:
    """Some of the answers, each under one of the questions least like its own, labelled as off-topic answers are.

    Args:
        rows: labelled answers to many questions.
        questions: of each row.
        embedder: tells which questions are unlike.
        seed: of the choice.
    """
    rng = random.Random(seed)  # noqa: S311 - a choice of examples, no secret
    of = {q.reference: row for row, q in zip(rows, questions, strict=True)}
    others = unlike(list(of), embedder)
    chosen = rng.sample(range(len(rows)), round(SHARE * len(rows)))
    return [_under(rows[i], of[rng.choice(others[questions[i].reference])]) for i in sorted(chosen)]


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
