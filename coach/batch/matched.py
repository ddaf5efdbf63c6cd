"""Where in each answer the expert points may be, kept in the journal's file while a run goes over its rows several times.

    provider_matches   key, as the pipeline makes it, to what the encoder came to

An answer waits for its replies for up to a day, and is gone over again after each round and by each process that goes on:
reading it with the encoder is by far the dearest part of that. About half a kilobyte a row, until the run is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from coach.batch.database import Database
from coach.fingerprints import digest_of
from coach.models import Landmarks, Matches, Passage, PointMatch, Question, Span
from coach.pipeline import Pipeline
from coach.prepare import Match, Prepared

_SCHEMA = "create table if not exists provider_matches (key text primary key, found text not null, vectors blob) without rowid"


@contextmanager
def read_once(pipeline: Pipeline, path: Path) -> Iterator[MatchBook]:
    """Let the pipeline read each answer with the encoder once, however often a run goes over it.

    Args:
        pipeline: prepares answers.
        path: the journal.

    Raises:
        JournalError: the journal cannot be used.
    """
    # Vectors take some thirty times as much room, and an LLM reads none.
    book = MatchBook(path, pipeline.preparer.embedder_name, vectors=pipeline.judge.kind != "llm")
    pipeline.preparer.matching = book.match
    try:
        yield book
    finally:
        pipeline.preparer.matching = None
        book.close()


class MatchBook:
    """Matches of answers, by question and answer.

    Args:
        path: the journal.
        encoder: whose matches these are.
        vectors: keep the answers' vectors too.

    Raises:
        JournalError: the journal cannot be used.
    """

    def __init__(self, path: Path, encoder: str, *, vectors: bool) -> None:
        self._encoder, self._vectors = encoder, vectors
        self._db = Database(path)
        with self._db.alone():
            self._db.execute(_SCHEMA)

    def match(self, match: Match, drafts: Sequence[Prepared]) -> list[Prepared]:
        """Drafts with their matches; those that are not known are made, and kept."""
        keys = [digest_of([self._encoder, self._vectors, d.rubric_fingerprint, d.task.answer]) for d in drafts]
        asked = dict(zip(keys, drafts, strict=True))
        found = self._found(asked)
        new = {key: draft for key, draft in asked.items() if key not in found}
        if new:
            made = dict(zip(new, match(list(new.values())), strict=True))
            self._keep(made)
            found |= made
        return [found[key] for key in keys]

    def _found(self, asked: Mapping[str, Prepared]) -> dict[str, Prepared]:
        marks = ",".join("?" * len(asked))
        sql = f"select key, found, vectors from provider_matches where key in ({marks})"  # noqa: S608 - only marks
        with self._db.alone():
            rows = self._db.execute(sql, tuple(asked)).fetchall()
        return {key: self._known(asked[key], json.loads(text), vectors) for key, text, vectors in rows}

    def _known(self, draft: Prepared, kept: Sequence[Any], vectors: bytes | None) -> Prepared:
        matches = _matches(draft.task.question, kept, vectors)
        return draft._replace(task=draft.task._replace(matches=matches), encoder=self._encoder)

    def _keep(self, made: Mapping[str, Prepared]) -> None:
        matches = ((key, found.task.matches) for key, found in made.items())
        rows = [(key, _text(m), _bytes(m.vectors) if self._vectors else None) for key, m in matches]
        with self._db.writing():
            self._db.executemany("insert or replace into provider_matches values (?, ?, ?)", rows)

    def clear(self) -> None:
        """Forget all: the run is done."""
        with self._db.alone():
            self._db.execute("delete from provider_matches")

    def close(self) -> None:
        """Close the database."""
        self._db.close()


def _text(matches: Matches) -> str:
    passages = [m.passages for m in matches.points]
    return json.dumps([passages, matches.landmarks, matches.similarity, matches.topicality], separators=(",", ":"))


def _bytes(vectors: Any) -> bytes:
    rows = np.asarray(vectors, dtype=np.float32)
    return len(rows).to_bytes(4, "little") + rows.tobytes()


def _matches(question: Question, kept: Sequence[Any], vectors: bytes | None) -> Matches:
    passages, landmarks, similarity, topicality = kept
    rows = None
    if vectors is not None:
        rows = np.frombuffer(vectors[4:], dtype=np.float32).reshape(int.from_bytes(vectors[:4], "little"), -1)
    return Matches(
        points=tuple(
            PointMatch(point, tuple(Passage(*p) for p in own))
            for point, own in zip(question.points, passages, strict=True)
        ),
        landmarks=Landmarks(*(span and Span(*span) for span in landmarks)),
        similarity=similarity,
        topicality=topicality,
        vectors=rows,
    )
