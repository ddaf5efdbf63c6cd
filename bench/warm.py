"""Where the time of a warm offline grade goes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import Figure
from coach import Coach, Settings
from coach.embed import Vectors, default_embedder

ROUNDS = 40


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
    """Share of `Coach.grade` spent in the encoder, the first grades left out."""
    embedder = _Timed()
    coach = Coach(judge="offline", embedder=embedder)
    answer = (Path(__file__).parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")
    for _ in range(3):
        coach.grade("q01", answer)
    embedder.seconds = 0.0
    start = time.perf_counter()
    for _ in range(ROUNDS):
        coach.grade("q01", answer)
    whole = time.perf_counter() - start
    coach.close()
    share = embedder.seconds / whole
    per_answer = 1000 * whole / ROUNDS
    return (
        Figure(
            "warm `Coach.grade` offline: share in the encoder",
            f"{share:.0%} of {per_answer:.0f} ms",
            "80%",
            share >= 0.8,
        ),
    )
