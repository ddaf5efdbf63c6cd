"""Expert points against the answer: similarity says where to look, it never sets a level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from coach.embed import Embedder, Vectors
from coach.landmarks import find_landmarks
from coach.lexical import content_stems, overlap
from coach.models import Matches, Passage, PointMatch, Question, Segment
from coach.vectors import cached_encode

PASSAGES = 3
"""Passages kept per expert point."""
OVERLAP_WEIGHT = 0.35
"""Weight of word overlap beside cosine in the order of passages: enough to decide between places the encoder finds alike."""


class QuestionVectors(NamedTuple):
    """Vectors of the expert's side; rows of unit length, d alike in all."""

    points: Vectors
    """Shape (p, d)."""
    reference: Vectors
    """Shape (1, d)."""
    question: Vectors
    """Shape (1, d)."""


def match(
    question: Question, segments: Sequence[Segment], answer: str, embedder: Embedder, *, cache_dir: Path | None = None
) -> Matches:
    """Find the passages closest to each expert point, and the order in which the answer takes things up.

    The expert's side comes from the cache; the answer costs one call of the embedder. An encoder reads a text's beginning
    only (the shipped one 256 tokens): of a longer answer, `similarity` compares the first of it, and the segments the rest.

    Args:
        question: with its points.
        segments: of the answer; none is allowed and matches nothing.
        answer: the whole text.
        embedder: one for both sides.
        cache_dir: where vectors of the expert's side are kept; None keeps none.
    """
    expert = question_vectors(question, embedder, cache_dir)
    vectors = embedder.encode([*(s.text for s in segments), answer])
    return match_vectors(question, segments, vectors[:-1], vectors[-1:], expert)


def question_vectors(question: Question, embedder: Embedder, cache_dir: Path | None) -> QuestionVectors:
    """Vectors of a question's points, reference and wording."""
    return expert_vectors(
        [*(p.text for p in question.points), question.reference, question.question], embedder, cache_dir
    )


def expert_vectors(texts: Sequence[str], embedder: Embedder, cache_dir: Path | None) -> QuestionVectors:
    """The same from texts: the points, then the reference, then the question."""
    vectors = cached_encode(embedder, texts, cache_dir)
    return QuestionVectors(vectors[:-2], vectors[-2:-1], vectors[-1:])


def match_vectors(
    question: Question, segments: Sequence[Segment], segment_vectors: Vectors, whole: Vectors, expert: QuestionVectors
) -> Matches:
    """The pure part of `match`.

    Args:
        question: p points.
        segments: s segments.
        segment_vectors: shape (s, d), rows of unit length.
        whole: shape (1, d), the answer as a whole.
        expert: vectors of the question's side.

    Raises:
        ValueError: rows and texts differ in number, or the two sides in d.
    """
    if len(segments) != len(segment_vectors) or len(question.points) != len(expert.points):
        raise ValueError("as many vectors as texts are needed")
    stems = [content_stems(s.text) for s in segments]
    cosines = np.clip(expert.points @ segment_vectors.T, -1.0, 1.0)
    everything = np.vstack([expert.points, expert.reference, expert.question])
    own = np.vstack([segment_vectors, whole])
    near = everything @ own.T
    points = tuple(
        PointMatch(point, _passages(content_stems(point.text), segments, stems, row))
        for point, row in zip(question.points, cosines, strict=True)
    )
    return Matches(
        points=points,
        landmarks=find_landmarks(segments),
        similarity=round(float((expert.reference @ whole.T)[0, 0]), 4),
        topicality=round(float(near.max()), 4),
        vectors=own,
    )


def _passages(
    wanted: frozenset[str], segments: Sequence[Segment], stems: Sequence[frozenset[str]], cosines: Vectors
) -> tuple[Passage, ...]:
    """The closest segments, best first; one passage per place, the words judged beside the vectors."""
    near = [round(cosine, 4) for cosine in cosines.tolist()]
    shared = [round(overlap(wanted, said), 4) for said in stems]
    order = sorted(range(len(segments)), key=lambda i: (-(near[i] + OVERLAP_WEIGHT * shared[i]), segments[i].start))
    return tuple(Passage(segments[i].start, segments[i].end, near[i], shared[i]) for i in order[:PASSAGES])
