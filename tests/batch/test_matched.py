"""Matches kept beside the requests of a run that goes over its rows several times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from batch.processes import answer
from fakes import HashEmbedder, ScriptedJudge

from coach.batch.journal import Journal
from coach.batch.matched import MatchBook, read_once
from coach.pipeline import Pipeline
from coach.prepare import Prepared


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    return path


def none(drafts: Sequence[Prepared]) -> Iterator[Prepared]:
    raise AssertionError(f"{len(drafts)} answers are read again")
    yield


def prepared(pipeline: Pipeline, number: int = 1) -> Prepared:
    (found,) = pipeline.prepare_many([("q01", answer(number))])
    assert isinstance(found, Prepared)
    return found


def kept_and_found(pipeline: Pipeline, journal: Path, *, vectors: bool) -> tuple[Prepared, Prepared]:
    book = MatchBook(journal, pipeline.preparer.embedder_name, vectors=vectors)
    (kept,) = book.match(lambda drafts: drafts, [prepared(pipeline)])
    (found,) = book.match(none, [prepared(pipeline)])
    book.close()
    return kept, found


def test_what_is_found_again_is_what_was_kept_but_for_the_vectors(pipeline: Pipeline, journal: Path) -> None:
    kept, found = kept_and_found(pipeline, journal, vectors=False)
    assert found == kept._replace(task=kept.task._replace(matches=kept.task.matches._replace(vectors=None)))


def test_vectors_are_found_again_to_the_bit_where_they_are_kept(pipeline: Pipeline, journal: Path) -> None:
    kept, found = kept_and_found(pipeline, journal, vectors=True)
    np.testing.assert_array_equal(found.task.matches.vectors, kept.task.matches.vectors)


def test_matches_of_another_encoder_are_not_taken(pipeline: Pipeline, journal: Path) -> None:
    kept_and_found(pipeline, journal, vectors=False)
    book = MatchBook(journal, "another", vectors=False)
    with pytest.raises(AssertionError, match="1 answers are read again"):
        book.match(none, [prepared(pipeline)])
    book.close()


def test_only_answers_that_are_not_known_are_read(pipeline: Pipeline, journal: Path) -> None:
    read: list[int] = []

    def match(drafts: Sequence[Prepared]) -> Sequence[Prepared]:
        read.extend(int(d.task.answer.split()[-1]) for d in drafts)
        return drafts

    book = MatchBook(journal, pipeline.preparer.embedder_name, vectors=False)
    for numbers in ([1, 2], [2, 3, 1]):
        book.match(match, [prepared(pipeline, n) for n in numbers])
    book.close()
    assert read == [1, 2, 3]


def test_a_pipeline_reads_as_ever_once_the_run_is_over(pipeline: Pipeline, journal: Path) -> None:
    with read_once(pipeline, journal):
        pass
    assert pipeline.preparer.matching is None
