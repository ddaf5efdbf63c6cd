"""Train and export one network: the one that is shipped, or that of a fold, which has not seen the fold's questions."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
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

FOLDS = 3
SHIPPED = "all"
SEED = 0


def fold_of(rows: Sequence[Labelled]) -> np.ndarray:
    """The fold whose network has not seen a row's question, shape (n,), 0..FOLDS-1."""
    groups = [r.group for r in rows]
    found = np.zeros(len(rows), dtype=int)
    for k, (_, test) in enumerate(GroupKFold(FOLDS, shuffle=True, random_state=SEED).split(groups, groups=groups)):
        found[test] = k
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


def weights_of(graph: Path) -> Path:
    """Where the weights lie, unrounded, that a graph was written from."""
    return graph.with_suffix(".safetensors")


def train_network(which: str, target: Path) -> None:
    """Train on all answers, or on all but those of fold `which`, and write the graph."""
    rows = load_labelled(ANSWERS)
    questions = questions_of(rows)
    examples = examples_of(rows, questions, read_second())
    kept = np.ones(len(rows), dtype=bool) if which == SHIPPED else fold_of(rows) != int(which)
    print(f"network {which}: {kept.sum()} answers", flush=True)
    sources = [Source(r, q, e) for r, q, e, k in zip(rows, questions, examples, kept, strict=True) if k]
    embedder = default_embedder(Settings.from_environment().cache_dir)
    network = fit([s.example for s in sources], draw=Augmented(sources, embedder).epoch, seed=SEED)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), weights_of(target))
    export(network, target)
    print(f"network {which}: written", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=[SHIPPED, *map(str, range(FOLDS))])
    parser.add_argument("target", type=Path)
    parser.add_argument("--threads", type=int, default=2, help="sums differ in their last digits with another number")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    train_network(args.which, args.target)


if __name__ == "__main__":
    main()
