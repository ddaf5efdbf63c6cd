"""What one answer's verdicts are made from, and which of its words moved a level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coach.judgement import Evidence
from coach.judges.cross_encoder import Reading
from coach.judges.decision import Decision, Scores
from coach.models import JudgeTask, Segment

QUOTES = 2
"""Segments shown per criterion."""


class Estimate(NamedTuple):
    """All that one answer's verdicts are made from."""

    task: JudgeTask
    decision: Decision
    reading: Reading
    scores: Scores


class Moved(NamedTuple):
    """Segments that raise an estimate above what the rest of the answer would give, and the one that lowers it most."""

    up: tuple[Segment, ...]
    """Most first; never empty."""
    raises: bool
    """Whether the first of `up` raises the estimate by itself, and is not only the least of what lowers it."""
    down: Segment | None
    """What lowers it by itself, and not only beside the rest of the answer."""


def moved(estimate: Estimate, shares: np.ndarray) -> Moved:
    """What moved a level.

    Args:
        estimate: of the answer.
        shares: shape (tokens,), what each token read adds to the level.
    """
    segments, offsets = estimate.task.segments, estimate.reading.offsets
    added, alone = beyond_average(segments, offsets, shares), per_segment(segments, offsets, shares)
    order = [int(i) for i in np.argsort(-added, kind="stable")]
    best = [i for i in order[:QUOTES] if added[i] > 0] or order[:1]
    lowest = int(np.argmin(alone))
    return Moved(
        up=tuple(segments[i] for i in best),
        raises=bool(alone[best[0]] > 0),
        down=segments[lowest] if alone[lowest] < 0 and lowest not in best else None,
    )


def beyond_average(segments: Sequence[Segment], offsets: Sequence[tuple[int, int]], shares: np.ndarray) -> np.ndarray:
    """What each segment adds beyond an average stretch of its length, shape (number of segments,); see `per_segment`."""
    return per_segment(segments, offsets, shares - shares.mean())


def per_segment(segments: Sequence[Segment], offsets: Sequence[tuple[int, int]], shares: np.ndarray) -> np.ndarray:
    """What each segment adds, shape (number of segments,).

    Args:
        segments: of the answer, at least one.
        offsets: start and end of each token read.
        shares: shape (tokens,), what each adds to the sum.
    """
    starts = np.array([s.start for s in segments])
    owner = np.clip(np.searchsorted(starts, np.array([o[0] for o in offsets]), side="right") - 1, 0, None)
    found = np.zeros(len(segments))
    np.add.at(found, owner, shares)
    return found


def quote(segment: Segment) -> Evidence:
    """A segment as evidence."""
    return Evidence(quote=segment.text, start=segment.start, end=segment.end)
