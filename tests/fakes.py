"""Stand-ins for the edges, deterministic and quick."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from coach.embed import Vectors
from coach.errors import CoachError
from coach.judgement import Judgement, PointVerdict, RaisedFlag, Verdict
from coach.lexical import content_stems
from coach.models import JudgeTask
from coach.report import JudgeKind


class HashEmbedder:
    """Bag of stems hashed into a vector: texts that share words are close, and nothing is downloaded or exported."""

    name = "hash"
    dimension = 64

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(tuple(texts))
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 0.1
            for stem in content_stems(text):
                row[hashlib.sha256(stem.encode()).digest()[0] % (self.dimension - 1) + 1] += 1.0
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit


class ScriptedJudge:
    """Gives the verdict a function makes for each criterion, or raises; remembers what it was asked."""

    kind: JudgeKind = "llm"
    name = "scripted"
    model: str | None = "scripted-1"
    fingerprint = "judge"
    prompt_fingerprint = "prompt"

    def __init__(self, verdict: Callable[[str], Verdict] | None = None, *, error: CoachError | None = None) -> None:
        self._verdict = verdict
        self._error = error
        self.flags: tuple[RaisedFlag, ...] = ()
        self.points: tuple[PointVerdict, ...] = ()
        self.tasks: list[JudgeTask] = []

    async def judge(self, task: JudgeTask) -> Judgement:
        self.tasks.append(task)
        if self._error or self._verdict is None:
            raise self._error or AssertionError("no verdict scripted")
        verdicts = tuple(self._verdict(c.id) for c in task.rubric.criteria)
        return Judgement(verdicts=verdicts, red_flags=self.flags, points=self.points)

    async def aclose(self) -> None:
        pass


class Clock:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now
