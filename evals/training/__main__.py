"""Fit the decision behind the offline judge's network on answers the network has never seen, measure both, and ship them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np

from coach.embed import default_embedder
from coach.evaluation.grade import grade_rows
from coach.evaluation.labels import load_labelled
from coach.evaluation.metrics import agreement
from coach.files import numbered_lines
from coach.judges.cross_encoder import FLAGS, GRAPH, CrossEncoder, Reading
from coach.judges.decision import ARRAYS, CARD, CRITERIA, DATA, WEIGHTS, Decision, answer_key, load_decision
from coach.judges.features import FEATURES_VERSION, feature_names
from coach.judges.offline import OfflineJudge
from coach.models import JudgeTask
from coach.settings import Settings
from coach.weights import sha256_of
from evals import ANSWERS, FOREIGN, FRESH, HELD_OUT, PRACTICE, ROOT
from evals.training.data import build_data, prepare
from evals.training.examples import answers_digest, read_second
from evals.training.measure import held_out_figures
from evals.training.networks import questions_of, seen_by_the_network
from evals.training.stack import fit_decision
from evals.training.swapped import swapped_rows
from evals.training.tables import render

TABLES = ROOT / "evals" / "figures.md"


def main() -> None:
    """Command line, without options."""
    rows = load_labelled(HELD_OUT)
    seen = seen_by_the_network(DATA)
    if known := [r.id for r in rows if answer_key(r.answer) in seen]:
        raise SystemExit(f"The network was trained on {len(known)} answers of {HELD_OUT}, {known[0]} among them.")
    network = CrossEncoder(DATA / GRAPH)
    embedder = default_embedder(Settings.from_environment().cache_dir)
    prepared = prepare([*rows, *swapped_rows(rows, questions_of(rows), embedder)])
    data = build_data(prepared, [_read(network, task) for _, task in prepared])
    figures = held_out_figures(data, rows, _styles())
    _write_weights(fit_decision(data, np.arange(len(data.rows))))
    judge = OfflineJudge(load_decision())
    learned = load_labelled(ANSWERS)
    card = {
        "what": "all-MiniLM-L6-v2 fine-tuned on question, points and answer; a sum of what it reads and counts, and trees",
        "labels": "by language models, writer and labeller alike; no person took part",
        "limits": "English; questions on ML in products, less sure elsewhere; labels by language models, no person's",
        **figures,
        "fresh_questions": agreement(grade_rows(judge, load_labelled(FRESH))),
        "practice_answers": agreement(grade_rows(judge, load_labelled(PRACTICE))),
        "foreign_questions": agreement(grade_rows(judge, load_labelled(FOREIGN))),
        "answers_digest": answers_digest([*learned, *rows], read_second(ANSWERS, HELD_OUT)),
        "network": json.loads((DATA / CARD).read_text(encoding="utf-8"))["network"],
        "decision": {
            "trained_at": datetime.now(UTC).date().isoformat(),
            "answers": [answer_key(r.answer) for r in rows],
        },
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
    files = sorted(HELD_OUT.glob("part-*.jsonl"))
    rows = [json.loads(line) for f in files for _, line in numbered_lines(f)]
    return {r["id"]: r.get("style", "") for r in rows}


if __name__ == "__main__":
    main()
