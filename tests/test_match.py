from __future__ import annotations

import numpy as np
import pytest
from fakes import HashEmbedder

from coach.bank import with_points
from coach.match import PASSAGES, QuestionVectors, match, match_vectors
from coach.models import Question, Segment

QUESTION = with_points(Question(question="Which model?", reference="Goals first. Then latency."), ["goals", "latency"])
ANSWER = "Latency matters. Goals matter more. Nothing else. And more."
SEGMENTS = (Segment(0, 16, "Latency matters."), Segment(17, 35, "Goals matter more."), Segment(36, 49, "Nothing else."))


def test_the_closest_passage_comes_first() -> None:
    found = match(QUESTION, SEGMENTS, ANSWER, HashEmbedder())
    assert [m.passages[0].start for m in found.points] == [17, 0]


def test_no_more_than_a_few_passages_are_kept() -> None:
    many = tuple(Segment(n, n + 1, "goals") for n in range(10))
    assert len(match(QUESTION, many, ANSWER, HashEmbedder()).points[0].passages) == PASSAGES


def test_no_segment_matches_nothing() -> None:
    found = match(QUESTION, (), "", HashEmbedder())
    assert [m.passages for m in found.points] == [(), ()]


def test_the_answer_costs_one_call() -> None:
    embedder = HashEmbedder()
    match(QUESTION, SEGMENTS, ANSWER, embedder)
    assert [call for call in embedder.calls if ANSWER in call] == [(*(s.text for s in SEGMENTS), ANSWER)]


def test_cosine_and_overlap_are_those_of_the_vectors_and_words() -> None:
    eye = np.eye(4, dtype=np.float32)
    expert = QuestionVectors(points=eye[:2], reference=eye[2:3], question=eye[3:])
    found = match_vectors(QUESTION, SEGMENTS[:2], np.stack([eye[1], eye[0]]), eye[2:3], expert)
    assert [(p.start, p.cosine, p.overlap) for p in found.points[0].passages] == [(17, 1.0, 1.0), (0, 0.0, 0.0)]
    assert (found.similarity, found.topicality) == (1.0, 1.0)


def test_vectors_of_another_number_are_refused() -> None:
    eye = np.eye(4, dtype=np.float32)
    expert = QuestionVectors(points=eye[:1], reference=eye[2:3], question=eye[3:])
    with pytest.raises(ValueError, match="as many vectors"):
        match_vectors(QUESTION, SEGMENTS, eye[:2], eye[2:3], expert)
