"""Labelled answers as the cross-encoder learns from them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from coach.evaluation.labels import Labelled
from coach.files import numbered_lines
from coach.fingerprints import digest_of
from coach.judges.cross_encoder import FLAGS, TARGETS, Window, load_tokenizer, windows
from coach.models import Question
from evals import SECOND_LABELS


class Example(NamedTuple):
    """One answer: its first window and what both labels say of it, averaged; NaN where neither says anything."""

    window: Window
    levels: tuple[float, ...]
    """One per target."""
    flags: tuple[float, ...]
    """0..1, one per flag."""
    covered: tuple[float, ...]
    """0..1, one per expert point."""


def examples_of(
    rows: Sequence[Labelled], questions: Sequence[Question], second: dict[str, dict[str, Any]]
) -> list[Example]:
    """Examples of labelled answers.

    Args:
        rows: with the writer's label.
        questions: of each row, with points.
        second: blind labels by the row's id; rows without one have the writer's only.
    """
    return [_example(r, q, second.get(r.id)) for r, q in zip(rows, questions, strict=True)]


def read_second(*folders: Path) -> dict[str, dict[str, Any]]:
    """The second labels of folders with labelled answers, by id."""
    lines = (line for folder in folders for _, line in numbered_lines(folder / SECOND_LABELS))
    return {row["id"]: row for row in map(json.loads, lines)}


def answers_digest(rows: Sequence[Labelled], second: dict[str, dict[str, Any]]) -> str:
    """Tells whether two measurements were made on the same questions, answers and labels, the second ones included."""
    return digest_of([[_told(row) for row in rows], second])


def _told(row: Labelled) -> dict[str, Any]:
    covered = None if row.covered is None else sorted(row.covered)
    return row._asdict() | {"red_flags": sorted(row.red_flags), "covered": covered}


def _example(row: Labelled, question: Question, second: dict[str, Any] | None) -> Example:
    first = {"overall": row.overall, "criteria": row.criteria, "red_flags": row.red_flags, "covered": row.covered}
    labels: list[dict[str, Any]] = [first, second] if second else [first]
    points = [p.text for p in question.points]
    covered = [
        math.nan if row.covered is None else _mean([float(i + 1 in label["covered"]) for label in labels])
        for i in range(len(points))
    ]
    return Example(
        window=windows(load_tokenizer(), question.question, points, row.answer)[0],
        levels=tuple(_level(target, labels) for target in TARGETS),
        flags=tuple(_mean([float(f in label["red_flags"]) for label in labels]) for f in FLAGS),
        covered=tuple(covered),
    )


def _level(target: str, labels: Sequence[dict[str, Any]]) -> float:
    """The labels' mean; of an answer that all of them call off topic the lowest.

    Some labellers graded the criteria of such an answer as one to the question that it does answer.
    """
    if target == "overall":
        return _mean([label["overall"] for label in labels])
    given = [label["criteria"][target] for label in labels if label["criteria"][target] is not None]
    off_topic = all("off_topic" in label["red_flags"] for label in labels)
    return float(min(given)) if given and off_topic and target != "communication" else _mean(given)


def _mean(values: Sequence[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else math.nan
