"""What the decision is fitted on: labelled answers as the judge gets them, with what the network read of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coach.errors import CoachError
from coach.evaluation.grade import make_preparer
from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import FLAGS, Reading
from coach.judges.decision import CRITERIA
from coach.judges.features import answer_features, answer_vectors, flag_signs
from coach.models import JudgeTask
from evals.training.swapped import MARK, block_of

_CHUNK = 256
"""Answers encoded together."""


class Data(NamedTuple):
    """n answers that reach the judge."""

    rows: tuple[Labelled, ...]
    tasks: tuple[JudgeTask, ...]
    features: np.ndarray
    """Shape (n, f)."""
    signs: np.ndarray
    """Shape (n, s)."""
    vectors: np.ndarray
    """Shape (n, 2 d)."""
    readings: tuple[Reading, ...]
    """By a network that had not seen the answer."""
    levels: np.ndarray
    """Shape (n, c), NaN where a label is null."""
    flags: np.ndarray
    """Shape (n, r)."""
    blocks: np.ndarray
    """Shape (n,): of the question, see `evals.training.swapped.block_of`; folds keep blocks together."""
    swapped: np.ndarray
    """Shape (n,): answers put under another question, to be fitted on; everything that is calibrated rests on the others."""


def prepare(rows: Sequence[Labelled]) -> list[tuple[Labelled, JudgeTask]]:
    """Run the pipeline up to the judge; answers that the screen decides never reach it and are left out."""
    preparer = make_preparer()
    found = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        for row, prepared in zip(chunk, preparer.prepare_many([(r.asked, r.answer) for r in chunk]), strict=True):
            if isinstance(prepared, CoachError):
                raise prepared
            if not prepared.decided:
                found.append((row, prepared.task))
    return found


def build_data(prepared: Sequence[tuple[Labelled, JudgeTask]], readings: Sequence[Reading]) -> Data:
    """All that the decision is fitted on."""
    rows, tasks = zip(*prepared, strict=True)
    levels = [[math.nan if r.criteria[c] is None else float(r.criteria[c] or 0) for c in CRITERIA] for r in rows]
    return Data(
        rows=rows,
        tasks=tasks,
        features=np.array([answer_features(t).values for t in tasks]),
        signs=np.array([flag_signs(t) for t in tasks]),
        vectors=np.array([answer_vectors(t) for t in tasks]),
        readings=tuple(readings),
        levels=np.array(levels),
        flags=np.array([[f in r.red_flags for f in FLAGS] for r in rows]),
        blocks=np.array([block_of(r.group) for r in rows]),
        swapped=np.array([r.id.endswith(MARK) for r in rows]),
    )
