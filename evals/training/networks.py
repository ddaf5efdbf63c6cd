"""Train and export the network, on two thirds of the questions; the other third tells what it is worth on new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupKFold

from coach.bank import load_bank, with_points
from coach.embed import default_embedder
from coach.evaluation.labels import Labelled, load_labelled
from coach.models import Question
from coach.segment import segment
from coach.settings import Settings
from evals import ANSWERS
from evals.training.augment import Augmented, Source
from evals.training.examples import examples_of, read_second
from evals.training.export import export
from evals.training.network import fit

PARTS = 3
"""One of so many equal parts of the questions is kept from the network."""
SEED = 0


def kept_out(rows: Sequence[Labelled]) -> np.ndarray:
    """Whether a row's question is kept from the network, shape (n,)."""
    groups = [r.group for r in rows]
    _, test = next(GroupKFold(PARTS, shuffle=True, random_state=SEED).split(groups, groups=groups))
    found = np.zeros(len(rows), dtype=bool)
    found[test] = True
    return found


def questions_of(rows: Sequence[Labelled]) -> list[Question]:
    """The question of each row, with expert points in any case."""
    bank = load_bank()
    found: dict[str, Question] = {}
    for row in rows:
        if row.group not in found:
            asked = row.asked
            question = bank.question(asked) if isinstance(asked, str) else asked
            found[row.group] = (
                question if question.points else with_points(question, [s.text for s in segment(question.reference)])
            )
    return [found[r.group] for r in rows]


def train_network(target: Path) -> None:
    """Train on the answers to all questions but those kept out, and write the graph."""
    rows = load_labelled(ANSWERS)
    questions = questions_of(rows)
    examples = examples_of(rows, questions, read_second())
    sources = [
        Source(*s)
        for s, out in zip(zip(rows, questions, examples, strict=True), kept_out(rows), strict=True)
        if not out
    ]
    print(f"training on {len(sources)} of {len(rows)} answers", flush=True)
    embedder = default_embedder(Settings.from_environment().cache_dir)
    network = fit([s.example for s in sources], draw=Augmented(sources, embedder).epoch, seed=SEED)
    target.parent.mkdir(parents=True, exist_ok=True)
    export(network, target)
