"""One run of a judge over answers, as a document that can be kept, shown and compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coach.errors import InputError
from coach.evaluation.figures import further_figures
from coach.evaluation.grade import GradedRow, grade_rows
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import agreement
from coach.fingerprints import digest_of
from coach.judges.base import Judge
from coach.report import FeedbackReport
from coach.settings import Settings

_NEEDED = {"id", "overall", "levels", "red_flags"}
"""What of a row comparisons rest on."""


def evaluate(
    judge: Judge, rows: Sequence[Labelled], settings: Settings, *, concurrency: int = 8, name: str = ""
) -> dict[str, Any]:
    """Grade every answer and measure the agreement with its label.

    Args:
        judge: whoever is to be measured.
        rows: labelled answers.
        settings: bank and cache.
        concurrency: answers graded at once.
        name: of the labelled set, for the reader.

    Returns:
        A document of plain values: who judged, when, figures, and one row per answer.
    """
    graded = grade_rows(judge, rows, settings, concurrency=concurrency)
    reports = [g.report for g in graded]
    return {
        **about(judge, reports),
        "set": name,
        "figures": agreement(graded) | further_figures(graded),
        "rows": [_labelled_row(g) for g in graded],
    }


def about(judge: Judge, reports: Sequence[FeedbackReport]) -> dict[str, Any]:
    """Who judged, by which prompt and rubrics, and when."""
    return {
        "judge": {"kind": judge.kind, "name": judge.name, "model": judge.model, "fingerprint": judge.fingerprint},
        "prompt": judge.prompt_fingerprint,
        "rubric": digest_of(sorted({r.fingerprint.rubric for r in reports})),
        "date": datetime.now(UTC).date().isoformat(),
    }


def report_row(report: FeedbackReport) -> dict[str, Any]:
    """What of a report is kept in a run."""
    quotes = [e for c in report.criteria for e in c.evidence]
    return {
        "id": report.id,
        "question_id": report.question_id,
        "status": report.status,
        "rubric": report.fingerprint.rubric,
        "route": report.judge.kind,
        "total": report.total,
        "overall": report.overall,
        "levels": {c.id: c.level for c in report.criteria},
        "red_flags": sorted(f.id for f in report.red_flags),
        "quotes": [len(quotes), sum(q.verified for q in quotes)],
        "error": report.error.message if report.error else None,
    }


def _labelled_row(graded: GradedRow) -> dict[str, Any]:
    label = graded.label
    return report_row(graded.report) | {
        "group": label.group,
        "labelled": label.overall,
        "labelled_flags": sorted(label.red_flags),
    }


def read_run(path: Path) -> dict[str, Any]:
    """A run as it was written.

    Raises:
        InputError: the file is no run.
    """
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="Give a file that `coach eval --out` wrote.") from None
    if not isinstance(run, dict) or not isinstance(run.get("rows"), list) or not all(map(_is_row, run["rows"])):
        raise InputError(f"{path} is no run", hint="Give a file that `coach eval --out` wrote.")
    return run


def _is_row(value: object) -> bool:
    if not isinstance(value, dict) or not value.keys() >= _NEEDED:
        return False
    if not isinstance(value["id"], str | None) or not isinstance(value["levels"], dict):
        return False
    numbers = [value.get("total"), value["overall"], value.get("labelled"), *value["levels"].values()]
    lists = [value.get(name, []) for name in ("red_flags", "labelled_flags")]
    return all(isinstance(n, int | float | None) for n in numbers) and all(isinstance(x, list) for x in lists)
