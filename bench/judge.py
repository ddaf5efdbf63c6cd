"""The LLM judge alone against a server of fixed latency: wall, CPU, and what malformed replies cost."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure
from coach import Coach
from coach.judgement import Judged, Judgement
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.models import JudgeTask

ANSWERS = 200
LATENCY = 0.05
AT_ONCE = 16
FLOOR = ANSWERS * LATENCY / AT_ONCE
"""Seconds nobody can be faster than: 200 calls of 50 ms, 16 at a time."""


class _Run(NamedTuple):
    seconds: float
    cpu: float
    judgements: list[Judgement]


@contextmanager
def serving(*arguments: str, module: str = "bench.server") -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.wait()


def _tasks() -> list[JudgeTask]:
    answer = (Path(__file__).parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")
    task = Coach(judge="offline").prepare("q01", answer).task
    return [task._replace(answer=f"{task.answer}\nNumber {n}.") for n in range(ANSWERS)]


async def _judge_all(base_url: str, tasks: list[JudgeTask]) -> _Run:
    endpoint = Endpoint(model="fixed", base_url=base_url)
    judge = LLMJudge(endpoint)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(task: JudgeTask) -> Judgement:
        async with gate:
            return await judge.judge(task)

    await asyncio.gather(*(one(t) for t in tasks[:AT_ONCE]))  # opens connections, imports the SDK
    gc.collect()  # what was made before is not charged to the judge
    start, cpu = time.perf_counter(), time.process_time()
    found = await asyncio.gather(*(one(t) for t in tasks))
    run = _Run(time.perf_counter() - start, time.process_time() - cpu, list(found))
    await endpoint.aclose()
    return run


def measure() -> tuple[Figure, ...]:
    """The median of five runs."""
    tasks = _tasks()
    with serving(str(LATENCY)) as url:
        runs = sorted((asyncio.run(_judge_all(url, tasks)) for _ in range(5)), key=lambda r: r.seconds)
    run = runs[2]
    with serving(str(LATENCY), "spoilt") as url:
        spoilt = asyncio.run(_judge_all(url, tasks))
    lost = sum(not isinstance(v, Judged) for j in spoilt.judgements for v in j.verdicts)
    ratio, cpu = run.seconds / FLOOR, 1000 * run.cpu / ANSWERS
    calls = sum(j.usage.calls for j in run.judgements) / ANSWERS
    return (
        Figure(
            "200 answers, 50 ms, 16 at once: wall against the floor of 0.63 s", f"{ratio:.2f}x", "1.35x", ratio <= 1.35
        ),
        Figure("the same: CPU per answer", f"{cpu:.1f} ms", "6 ms", cpu <= 6),
        Figure("the same: calls per answer", f"{calls:g}", "1", calls == 1),
        Figure("one reply in four malformed: criteria lost of 1,200", str(lost), "0", lost == 0),
    )
