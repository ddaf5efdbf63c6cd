"""Train and export the network: on most questions, that the rest may tell what it is worth on new ones; then on all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path

import numpy as np

from coach.bank import load_bank, with_points
from coach.embed import default_embedder
from coach.evaluation.labels import Labelled, load_labelled
from coach.models import Question
from coach.segment import segment
from coach.settings import Settings
from evals import ANSWERS, KEPT_OUT
from evals.training.augment import Augmented, Source
from evals.training.examples import Example, examples_of, read_second
from evals.training.export import export
from evals.training.network import LAST, ROUNDS, fit, train_round

SEED = 0
REHEARSED = 0.4
"""Share of the answers seen before that each epoch of the last round goes over again, beside those kept out until then."""


def kept_out(rows: Sequence[Labelled]) -> np.ndarray:
    """Whether a row's question is one on which the judge is measured, shape (n,)."""
    groups = set(KEPT_OUT.read_text(encoding="utf-8").split())
    return np.array([r.group in groups for r in rows])


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


def train_networks(measured: Path, shipped: Path) -> None:
    """Train on the answers to all questions but those kept out, and write what is measured; then on all, and write what ships."""
    rows = load_labelled(ANSWERS)
    questions = questions_of(rows)
    everything = list(starmap(Source, zip(rows, questions, examples_of(rows, questions, read_second()), strict=True)))
    out = kept_out(rows)
    some = [s for s, is_out in zip(everything, out, strict=True) if not is_out]
    rest = [s for s, is_out in zip(everything, out, strict=True) if is_out]
    embedder = default_embedder(Settings.from_environment().cache_dir)
    print(f"training on {len(some)} of {len(rows)} answers, then on all", flush=True)
    kept = KEPT_OUT.read_text(encoding="utf-8")
    network = fit([s.example for s in some], draw=Augmented(some, embedder).epoch, seed=SEED)
    measured.parent.mkdir(parents=True, exist_ok=True)
    export(network, measured)
    kept_from(measured).write_text(kept, encoding="utf-8")
    everywhere = Augmented(everything, embedder)

    def last_epoch(rng: random.Random, swapped: float) -> Sequence[Example]:
        return everywhere.epoch(rng, swapped, some=[*rest, *rng.sample(some, round(REHEARSED * len(some)))])

    if not train_round(network, LAST, [s.example for s in everything], last_epoch, SEED + len(ROUNDS)):
        raise RuntimeError("the network unlearned what it had learned in the last round")
    export(network, shipped)


def kept_from(measured: Path) -> Path:
    """Where it is written down from which questions a measured network was kept."""
    return measured.with_suffix(".kept-out.txt")
