"""Train the offline judge, measure it on questions that were kept from it, then train it on all and ship it."""

from __future__ import annotations

import argparse
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from coach.embed import default_embedder
from coach.evaluation.grade import grade_rows
from coach.evaluation.labels import load_labelled
from coach.evaluation.metrics import agreement
from coach.files import numbered_lines
from coach.fingerprints import digest
from coach.judges.cross_encoder import FLAGS, GRAPH, CrossEncoder, Reading
from coach.judges.decision import ARRAYS, CARD, CRITERIA, DATA, TRAINED_DIGITS, WEIGHTS, Decision, load_decision
from coach.judges.features import FEATURES_VERSION, feature_names
from coach.judges.offline import OfflineJudge
from coach.models import JudgeTask
from coach.settings import Settings
from coach.weights import sha256_of
from evals import ANSWERS, FOREIGN, FRESH, KEPT_OUT, PRACTICE, ROOT
from evals.training.data import build_data, prepare
from evals.training.examples import answers_digest, read_second
from evals.training.measure import held_out_figures
from evals.training.networks import kept_from, kept_out, questions_of, train_networks
from evals.training.stack import fit_decision
from evals.training.swapped import swapped_rows
from evals.training.tables import render

BUILT = ROOT / "build" / "training"
MEASURED, SHIPPED = BUILT / "measured.onnx", BUILT / GRAPH
TABLES = ROOT / "evals" / "figures.md"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m evals.training", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="use the networks that lie in build/training already")
    args = parser.parse_args()
    if not (args.keep and MEASURED.exists() and SHIPPED.exists()):
        train_networks(MEASURED, SHIPPED)
    elif not (kept := kept_from(MEASURED)).exists() or kept.read_text("utf-8") != KEPT_OUT.read_text("utf-8"):
        raise SystemExit(
            f"{MEASURED} was not kept from the questions that {KEPT_OUT} names. Train anew, without --keep."
        )
    ship(MEASURED, SHIPPED)


def ship(measured: Path, shipped: Path) -> None:
    """Fit the decision on what the measured network reads of questions it has not seen; write the shipped one, that and the card.

    Args:
        measured: as `train_networks` wrote it.
        shipped: the same after its last round, which took in those questions.
    """
    rows = load_labelled(ANSWERS)
    unseen = [row for row, out in zip(rows, kept_out(rows), strict=True) if out]
    network = CrossEncoder(measured)
    swapped = swapped_rows(unseen, questions_of(unseen), default_embedder(Settings.from_environment().cache_dir))
    prepared = prepare([*unseen, *swapped])
    data = build_data(prepared, [_read(network, task) for _, task in prepared])
    figures = held_out_figures(data, unseen, _styles())
    DATA.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shipped, DATA / GRAPH)
    _write_weights(fit_decision(data, np.arange(len(data.rows))))
    judge = OfflineJudge(load_decision())
    card = {
        "what": "all-MiniLM-L6-v2 fine-tuned on question, points and answer; a sum of what it reads and counts, and trees",
        "trained_on": f"{len(rows)} answers of evals/answers",
        "measured_on": f"{len(unseen)} of them, read before the last round, when it had seen nothing of their questions",
        "decision_fitted_on": "the same readings",
        "labels": "by language models, writer and labeller alike; no person took part",
        "trained_at": datetime.now(UTC).date().isoformat(),
        "limits": "English; questions on ML in products, less sure elsewhere; labels by language models, no person's",
        "held_out_questions": figures,
        "fresh_questions": agreement(grade_rows(judge, load_labelled(FRESH))),
        "practice_answers": agreement(grade_rows(judge, load_labelled(PRACTICE))),
        "foreign_questions": agreement(grade_rows(judge, load_labelled(FOREIGN))),
        "answers_digest": answers_digest(rows, read_second()),
        "answers": [digest(r.answer)[:TRAINED_DIGITS] for r in rows],
    }
    (DATA / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    TABLES.write_text(render(card), encoding="utf-8")
    print(TABLES.read_text(encoding="utf-8"))


def _read(network: CrossEncoder, task: JudgeTask) -> Reading:
    return network.read(task.question.question, [p.text for p in task.question.points], task.answer)


def _write_weights(decision: Decision) -> None:
    told: dict[str, Any] = {
        "network": sha256_of(DATA / GRAPH),
        "features_version": FEATURES_VERSION,
        "features": list(feature_names()),
        "criteria": list(CRITERIA),
        "flags": list(FLAGS),
        "weights": {n: _plain(getattr(decision, n)) for n in ARRAYS},
        "trees": {n: _plain(v) for n, v in decision.trees._asdict().items()},
        "flag_trees": {n: _plain(v) for n, v in decision.flag_trees._asdict().items()},
    }
    (DATA / WEIGHTS).write_text(_by_line(told) + "\n", encoding="utf-8")
    load_decision.cache_clear()


def _plain(values: np.ndarray) -> Any:
    """Lists with nine significant digits, which hold a float32 exactly; infinity as JSON knows it, a very large number."""
    if np.ndim(values) > 0:
        return [_plain(v) for v in values]
    if values.dtype.kind == "i":
        return int(values)
    return 1e30 if np.isinf(values) else float(f"{values:.9g}")


def _by_line(value: Any) -> str:
    """JSON with a line for each array."""
    if not isinstance(value, dict):
        return json.dumps(value, separators=(",", ":"))
    return "{\n" + ",\n".join(f"{json.dumps(k)}: {_by_line(v)}" for k, v in value.items()) + "\n}"


def _styles() -> dict[str, str]:
    files = sorted(ANSWERS.glob("part-*.jsonl"))
    rows = [json.loads(line) for f in files for _, line in numbered_lines(f)]
    return {r["id"]: r.get("style", "") for r in rows}


if __name__ == "__main__":
    main()
