"""Where the time of a warm offline grade goes: into the sentence encoder and the cross-encoder, or beside them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from coach import Coach, Settings
from coach.embed import Vectors, default_embedder
from coach.judges.cross_encoder import GRAPH, CrossEncoder, Reading
from coach.judges.decision import DATA
from coach.judges.offline import OfflineJudge

ROUNDS = 40


class _TimedReader:
    """The shipped cross-encoder with a clock around it."""

    def __init__(self) -> None:
        self._reader = CrossEncoder(DATA / GRAPH)
        self.seconds = 0.0

    def read(self, question: str, points: Sequence[str], answer: str) -> Reading:
        start = time.perf_counter()
        try:
            return self._reader.read(question, points, answer)
        finally:
            self.seconds += time.perf_counter() - start


class _Timed:
    """The shipped encoder with a clock around it."""

    def __init__(self) -> None:
        self._embedder = default_embedder(Settings.from_environment().cache_dir)
        self.name, self.dimension = self._embedder.name, self._embedder.dimension
        self.seconds = 0.0

    def encode(self, texts: Sequence[str]) -> Vectors:
        start = time.perf_counter()
        try:
            return self._embedder.encode(texts)
        finally:
            self.seconds += time.perf_counter() - start


def measure() -> tuple[Figure, ...]:
    """Share of `Coach.grade` spent in the two networks, and what judging costs; the first grades left out."""
    embedder, reader = _Timed(), _TimedReader()
    coach = Coach(judge=OfflineJudge(reader=reader), embedder=embedder)
    answer = (Path(__file__).parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")
    for _ in range(3):
        coach.grade("q01", answer)
    embedder.seconds = reader.seconds = 0.0
    start = time.perf_counter()
    for _ in range(ROUNDS):
        coach.grade("q01", answer)
    whole = time.perf_counter() - start
    coach.close()
    share = (embedder.seconds + reader.seconds) / whole
    read = 1000 * reader.seconds / ROUNDS
    per_answer = 1000 * whole / ROUNDS
    return (
        Figure(
            "warm `Coach.grade` offline: share in the two networks",
            f"{share:.0%} of {per_answer:.0f} ms",
            "80%",
            share >= 0.8,
        ),
        Figure(
            "the same: beyond encoding the sentences",
            f"{per_answer - 1000 * embedder.seconds / ROUNDS:.0f} ms, {read:.0f} of them reading",
            "100 ms",
            per_answer - 1000 * embedder.seconds / ROUNDS <= 100,
        ),
    )
