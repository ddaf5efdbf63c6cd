"""One run of a judge over labelled answers, as a document that can be kept, shown and compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coach.errors import InputError
from coach.evaluation.grade import GradedRow, grade_rows
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import agreement
from coach.judges.base import Judge
from coach.settings import Settings


def evaluate(judge: Judge, rows: Sequence[Labelled], settings: Settings, *, concurrency: int = 8) -> dict[str, Any]:
    """Grade every answer and measure the agreement with its label.

    Returns:
        A document of plain values: who judged, when, figures, and one row per answer.
    """
    graded = grade_rows(judge, rows, settings, concurrency=concurrency)
    return {
        "judge": {"kind": judge.kind, "name": judge.name, "model": judge.model, "fingerprint": judge.fingerprint},
        "prompt": judge.prompt_fingerprint,
        "date": datetime.now(UTC).date().isoformat(),
        "figures": agreement(graded),
        "rows": [_row(g) for g in graded],
    }


def _row(graded: GradedRow) -> dict[str, Any]:
    report, label = graded.report, graded.label
    quotes = [e for c in report.criteria for e in c.evidence]
    return {
        "id": label.id,
        "question_id": label.question_id,
        "status": report.status,
        "route": report.judge.kind,
        "overall": report.overall,
        "labelled": label.overall,
        "levels": {c.id: c.level for c in report.criteria},
        "red_flags": sorted(f.id for f in report.red_flags),
        "labelled_flags": sorted(label.red_flags),
        "quotes": [len(quotes), sum(q.verified for q in quotes)],
    }


def read_run(path: Path) -> dict[str, Any]:
    """A run as it was written.

    Raises:
        InputError: the file is no run.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Give a file that `coach eval --out` wrote.") from None
    if not isinstance(run, dict) or "rows" not in run:
        raise InputError(f"{path} is no run", hint="Give a file that `coach eval --out` wrote.")
    return run
