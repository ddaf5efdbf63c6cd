"""Real processes that grade a file with a quick judge, killed or side by side; run by `test_processes.py`.

    python processes.py kill FOLDER TIMES SEED       prints {"killed": ..., "twice": [...]}
    python processes.py together FOLDER COUNT        prints nothing

Everything is imported once and each run is a fork, so that fifty runs take seconds. The judge writes the number of every
answer it is asked about to `calls`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fakes import HashEmbedder, ScriptedJudge

from coach.batch.engine import Flow
from coach.batch.journal import Journal
from coach.batch.keys import Keys
from coach.batch.reading import find_sources
from coach.batch.rows import Entry
from coach.batch.run import Job, run
from coach.embed import Vectors
from coach.judgement import Evidence, Judged, Judgement
from coach.models import JudgeTask
from coach.pipeline import Pipeline

SECONDS = 0.002
"""Of one call to the judge."""
MOST_CALLS = 12
"""Calls that a process gets to make before it is killed, at most; where it stands then is left to chance."""


class SameEmbedder(HashEmbedder):
    """Finds all texts alike, at once."""

    name = "same"  # vectors are kept by this name

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        vectors[:, 0] = 1.0
        return vectors


class LoggingJudge(ScriptedJudge):
    """Takes a moment, and leaves a mark for every call in a file."""

    def __init__(self, calls: Path) -> None:
        quote = Evidence(quote="what the feed is for")
        super().__init__(lambda id: Judged(criterion_id=id, level=2, evidence=(quote,)))
        self._file = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    async def judge(self, task: JudgeTask) -> Judgement:
        os.write(self._file, f"{task.answer.rsplit(maxsplit=1)[1]}\n".encode())
        await asyncio.sleep(SECONDS)
        return await super().judge(task)


def answer(number: int) -> str:
    return f"I would first ask what the feed is for, and whom it serves, before any model at all. Number {number}"


def write_rows(folder: Path, count: int) -> None:
    rows = (json.dumps({"question_id": "q01", "answer": answer(n), "n": n}) for n in range(count))
    (folder / "in.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def make_pipeline(folder: Path) -> Pipeline:
    return Pipeline(judge=LoggingJudge(folder / "calls"), embedder=SameEmbedder())


def grade(pipeline: Pipeline, folder: Path, out: str = "out.jsonl") -> None:
    job = Job(find_sources([str(folder / "in.jsonl")]), folder / out, journal=folder / "journal.sqlite")
    asyncio.run(run(pipeline, job, flow=Flow(concurrency=4, window=32)))


def fork(pipeline: Pipeline, folder: Path, out: str = "out.jsonl") -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            grade(pipeline, folder, out)
            status = 0
        finally:
            os._exit(status)
    return child


def kill(folder: Path, times: int, seed: int) -> None:
    chance, pipeline = random.Random(seed), make_pipeline(folder)
    pipeline.prepare("q01", answer(0))
    keys, count = Keys(pipeline), len((folder / "in.jsonl").read_text(encoding="utf-8").splitlines())
    key_of = {n: keys.key(Entry("q01", answer(n))) for n in range(count)}
    calls, killed = folder / "calls", 0
    calls.touch()
    twice: list[int] = []
    for _ in range(times):
        kept = kept_numbers(folder, key_of)
        before = calls.stat().st_size
        child = fork(pipeline, folder)
        wait_for_calls(calls, before, chance.randint(0, MOST_CALLS), child)
        time.sleep(chance.uniform(0.0, 3 * SECONDS))
        os.kill(child, signal.SIGKILL)
        killed += os.waitpid(child, 0)[1] == signal.SIGKILL
        asked = {int(n) for n in calls.read_text(encoding="utf-8")[before:].split()}
        twice += sorted(asked & kept)
    sys.stdout.write(json.dumps({"killed": killed, "twice": twice, "kept": len(kept_numbers(folder, key_of))}))


def wait_for_calls(calls: Path, before: int, count: int, child: int) -> None:
    while calls.read_text(encoding="utf-8")[before:].count("\n") < count:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            raise RuntimeError("the process ended before it had made its calls")
        time.sleep(SECONDS / 4)


def kept_numbers(folder: Path, key_of: dict[int, bytes]) -> set[int]:
    journal = Journal(folder / "journal.sqlite")
    found = journal.found(list(key_of.values()))
    journal.close()
    return {n for n, key in key_of.items() if key in found}


def together(folder: Path, count: int) -> None:
    pipeline = make_pipeline(folder)
    children = [fork(pipeline, folder, f"out-{n}.jsonl") for n in range(count)]
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    sys.exit(len(failed))


if __name__ == "__main__":
    command, where, *numbers = sys.argv[1:]
    if command == "kill":
        kill(Path(where), int(numbers[0]), int(numbers[1]))
    else:
        together(Path(where), int(numbers[0]))
