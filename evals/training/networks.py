"""Train the network: on the labelled answers it has not seen, going on from the one that ships; or anew, on all of them."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import starmap
from pathlib import Path

from coach.bank import load_bank, with_points
from coach.embed import Embedder, default_embedder
from coach.evaluation.labels import Labelled, load_labelled
from coach.judges.cross_encoder import GRAPH
from coach.judges.decision import CARD, DATA, answer_key
from coach.models import Question
from coach.segment import segment
from coach.settings import Settings
from evals import ANSWERS, HELD_OUT
from evals.training.augment import Augmented, Source
from evals.training.examples import Example, examples_of, read_second
from evals.training.export import export
from evals.training.network import MORE, ROUNDS, Network, fit, train_round
from evals.training.resume import resume

SEED = 0
REHEARSED = 0.3
"""Share of the answers seen before that each epoch goes over again, beside the new ones."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.training.networks", description=__doc__)
    parser.add_argument(
        "--anew", action="store_true", help="start from all-MiniLM-L6-v2 and forget the network that ships"
    )
    args = parser.parse_args()
    rows = load_labelled(ANSWERS)
    if both := shared(rows, load_labelled(HELD_OUT)):
        raise SystemExit(f"{both[0]} of {ANSWERS} is also in {HELD_OUT}, or its question is: no measure would hold.")
    seen = set() if args.anew else seen_by_the_network(DATA)
    sources = sources_of(rows)
    new = [s for s in sources if answer_key(s.row.answer) not in seen]
    if not new:
        raise SystemExit(f"The network has seen all {len(rows)} answers of {ANSWERS}. Add some, or train it --anew.")
    print(f"training on {len(new)} answers it has not seen, of {len(rows)}", flush=True)
    network = _anew(sources) if args.anew else _further(resume(DATA / GRAPH), sources, new)
    trained = (DATA / GRAPH).with_suffix(".new")
    export(network, trained)
    _write_down(seen | {answer_key(r.answer) for r in rows}, DATA)
    trained.replace(DATA / GRAPH)


def shared(learned: Sequence[Labelled], held: Sequence[Labelled]) -> list[str]:
    """Ids of answers to learn from that are held out, or whose question, brought along, is."""
    answers, brought = {r.answer for r in held}, {r.group for r in held if r.question}
    return [r.id for r in learned if r.answer in answers or r.group in brought]


def sources_of(rows: Sequence[Labelled]) -> list[Source]:
    """Labelled answers with their questions and what training makes of both."""
    questions = questions_of(rows)
    examples = examples_of(rows, questions, read_second(ANSWERS))
    return list(starmap(Source, zip(rows, questions, examples, strict=True)))


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


def seen_by_the_network(folder: Path) -> set[str]:
    """Keys of the answers that the network in a folder was trained on, see `coach.judges.decision.answer_key`."""
    return set(json.loads((folder / CARD).read_text(encoding="utf-8"))["network"]["answers"])


def _anew(sources: Sequence[Source]) -> Network:
    augmented = Augmented(sources, _embedder())
    return fit([s.example for s in sources], draw=augmented.epoch, seed=SEED)


def _further(network: Network, sources: Sequence[Source], new: Sequence[Source]) -> Network:
    augmented = Augmented(sources, _embedder())
    keys = {s.row.id for s in new}
    old = [s for s in sources if s.row.id not in keys]

    def epoch(rng: random.Random, swapped: float) -> Sequence[Example]:
        return augmented.epoch(rng, swapped, some=[*new, *rng.sample(old, round(REHEARSED * len(old)))])

    if not train_round(network, MORE, [s.example for s in sources], epoch, SEED + len(ROUNDS)):
        raise RuntimeError("the network unlearned what it had learned")
    return network


def _embedder() -> Embedder:
    return default_embedder(Settings.from_environment().cache_dir)


def _write_down(seen: set[str], folder: Path) -> None:
    """Note in the card what the network has seen; the rest of the card is `evals.training`'s."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["network"] = {"trained_at": datetime.now(UTC).date().isoformat(), "answers": sorted(seen)}
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
