"""`folds`: measure on questions not seen, with a network a fold. `train`: the network and the decision that are shipped."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from coach.evaluation.grade import grade_rows
from coach.evaluation.labels import Labelled, load_labelled
from coach.evaluation.metrics import agreement
from coach.files import numbered_lines
from coach.fingerprints import digest
from coach.judges.cross_encoder import FLAGS, GRAPH, CrossEncoder, Reading
from coach.judges.decision import CARD, CRITERIA, DATA, TRAINED_DIGITS, WEIGHTS, Decision, load_decision
from coach.judges.features import FEATURES_VERSION, feature_names
from coach.judges.offline import OfflineJudge
from coach.models import JudgeTask
from coach.weights import sha256_of
from evals import ANSWERS, FOREIGN, FRESH, ROOT
from evals.training.examples import answers_digest, read_second
from evals.training.measure import held_out_figures
from evals.training.networks import FOLDS, SHIPPED, fold_of, train_network
from evals.training.stack import Data, build_data, fit_decision, prepare
from evals.training.tables import render

BUILD = ROOT / "build" / "training"
HELD_OUT = ROOT / "evals" / "training" / "held-out"
READINGS, FIGURES = "readings.npz", "figures.json"
TABLES = ROOT / "evals" / "figures.md"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.training", description=__doc__)
    parser.add_argument("what", choices=["folds", "train"])
    parser.add_argument("--keep", action="store_true", help="use networks that lie in build/training already")
    args = parser.parse_args()
    (folds if args.what == "folds" else train)(keep=args.keep)


def folds(*, keep: bool) -> None:
    """Train a network for each fold, read what it has not seen, and measure the whole pipeline on that."""
    rows = load_labelled(ANSWERS)
    for k in range(FOLDS):
        _network(str(k), BUILD / f"{k}.onnx", keep=keep)
    prepared = prepare(rows)
    which = dict(zip((r.id for r in rows), fold_of(rows), strict=True))
    networks = [CrossEncoder(BUILD / f"{k}.onnx") for k in range(FOLDS)]
    readings = [_read(networks[which[row.id]], task) for row, task in prepared]
    data = build_data(prepared, readings)
    HELD_OUT.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        HELD_OUT / READINGS,
        ids=np.array([r.id for r in data.rows]),
        levels=np.array([r.levels for r in readings]),
        flags=np.array([r.flags for r in readings]),
        points=np.concatenate([r.points for r in readings]),
        counts=np.array([len(r.points) for r in readings]),
    )
    told = {
        "answers": answers_digest(rows, read_second()),
        "date": _today(),
        "figures": held_out_figures(data, rows, _styles()),
    }
    (HELD_OUT / FIGURES).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told["figures"], indent=1))


def train(*, keep: bool) -> None:
    """Train the network on all answers, fit the decision on the held-out readings, write both and the card."""
    rows = load_labelled(ANSWERS)
    measured = json.loads((HELD_OUT / FIGURES).read_text(encoding="utf-8"))
    if measured["answers"] != answers_digest(rows, read_second()):
        sys.exit("evals/answers has changed since `make folds` measured it: run `make folds` first.")
    _network(SHIPPED, BUILD / f"{SHIPPED}.onnx", keep=keep)
    DATA.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(BUILD / f"{SHIPPED}.onnx", DATA / GRAPH)
    data = _held_out_data(rows)
    _write_weights(fit_decision(data, np.arange(len(data.rows))))
    judge = OfflineJudge(load_decision())
    card = {
        "what": "all-MiniLM-L6-v2 fine-tuned on question, points and answer; a linear decision on what it reads and counts",
        "trained_on": f"{len(rows)} answers of evals/answers",
        "labels": "by language models, writer and labeller alike; no person took part",
        "trained_at": _today(),
        "limits": "English; questions on ML in products, less sure elsewhere; labels by language models, no person's",
        "held_out_questions": measured["figures"],
        "fresh_questions": agreement(grade_rows(judge, load_labelled(FRESH))),
        "foreign_questions": agreement(grade_rows(judge, load_labelled(FOREIGN))),
        "answers": [digest(r.answer)[:TRAINED_DIGITS] for r in rows],
    }
    (DATA / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    TABLES.write_text(render(card), encoding="utf-8")
    print(TABLES.read_text(encoding="utf-8"))


def _network(which: str, target: Path, *, keep: bool) -> None:
    if not (keep and target.exists()):
        train_network(which, target)


def _read(network: CrossEncoder, task: JudgeTask) -> Reading:
    return network.read(task.question.question, [p.text for p in task.question.points], task.answer)


def _held_out_data(rows: Sequence[Labelled]) -> Data:
    with np.load(HELD_OUT / READINGS, allow_pickle=False) as kept:
        ends = np.cumsum(kept["counts"])
        points = np.split(kept["points"], ends[:-1])
        nothing = np.zeros((0, 0), dtype=np.float32)
        known = {
            str(id): Reading(levels, flags, own, nothing, nothing, ())
            for id, levels, flags, own in zip(kept["ids"], kept["levels"], kept["flags"], points, strict=True)
        }
    prepared = prepare(rows)
    return build_data(prepared, [known[row.id] for row, _ in prepared])


def _write_weights(decision: Decision) -> None:
    told: dict[str, Any] = {
        "network": sha256_of(DATA / GRAPH),
        "features_version": FEATURES_VERSION,
        "features": list(feature_names()),
        "criteria": list(CRITERIA),
        "flags": list(FLAGS),
        "weights": {n: _plain(v) for n, v in decision._asdict().items() if n != "digest"},
    }
    (DATA / WEIGHTS).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    load_decision.cache_clear()


def _plain(values: np.ndarray) -> Any:
    """Lists with nine significant digits, which hold a float32 exactly; infinity as JSON knows it, a very large number."""
    finite = np.where(np.isinf(values), 1e30, values)
    return [_plain(v) for v in finite] if finite.ndim > 1 else [float(f"{v:.9g}") for v in finite]


def _styles() -> dict[str, str]:
    files = sorted(ANSWERS.glob("part-*.jsonl"))
    rows = [json.loads(line) for f in files for _, line in numbered_lines(f)]
    return {r["id"]: r.get("style", "") for r in rows}


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


if __name__ == "__main__":
    main()
