"""Runs one library, in its environment: `python -m bench.peers.adapters ADAPTER JOB.json` prints what was measured as JSON."""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.peers.adapters.base import Grader
from bench.peers.jobs import Job, Took
from bench.peers.work import Work, read_work


def main() -> None:
    """Import the library, grade a few answers, then the job's, each run timed."""
    job = Job.read(Path(sys.argv[2]))
    work = read_work(Path(job.work))
    start = time.perf_counter()
    adapter = importlib.import_module(f"bench.peers.adapters.{sys.argv[1]}")
    imported = time.perf_counter() - start
    grader: Grader = adapter.grader(job.mode, work, job.url)
    if job.warm_up:
        _grade(grader, work, 0, job)
    runs: list[tuple[float, float]] = []
    while len(runs) < job.runs and sum(seconds for seconds, _ in runs) < job.budget:
        runs.append(_grade(grader, work, len(runs) + 1, job))
    took = Took(
        seconds=statistics.median(r[0] for r in runs),
        cpu=statistics.median(r[1] for r in runs),
        megabytes=_most_megabytes(),
        imported=imported,
        runs=len(runs),
    )
    print(json.dumps(took))


def _grade(grader: Grader, work: Work, run: int, job: Job) -> tuple[float, float]:
    """Seconds on the clock and of processor time; run 0 is the one before the clock counts."""
    answers = work.answers(job.answers if run else job.warm_up, start=run * 1_000_000)
    gc.collect()
    start, cpu = time.perf_counter(), time.process_time()
    result = grader.grade(answers)
    took = time.perf_counter() - start, time.process_time() - cpu
    check(grader.levels(result), len(answers), criteria=job.criteria, level=job.level)
    return took


def check(levels: Sequence[Sequence[float]], answers: int, *, criteria: int, level: float) -> None:
    """Every criterion of every answer has the level that the server gave.

    Raises:
        SystemExit: another level, too few of them, or an answer without any.
    """
    wrong = [row for row in levels if list(row) != [level] * criteria]
    if wrong or len(levels) != answers:
        shown = wrong[0] if wrong else "-"
        raise SystemExit(f"{len(levels)} of {answers} answers have levels, {len(wrong)} of them wrong: {shown}")


def _most_megabytes() -> float:
    """The largest resident set so far. Not `ru_maxrss`, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024


if __name__ == "__main__":
    main()
