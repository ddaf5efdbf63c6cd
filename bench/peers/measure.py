"""Measures one mode: what it asks, 200 answers at 50 ms, 2,000 at 10 ms; each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench.peers.environments import ROOT, NotInstalled, last_line, python_of
from bench.peers.jobs import Job, Took
from bench.peers.modes import QUIET, Mode
from bench.peers.replies import LEVEL
from bench.peers.server import Counts, counts
from bench.peers.table import Figures
from bench.server import CRITERIA

SAMPLE = 8
"""Answers whose prompts are counted."""
WARM_UP = 16
RUNS = 3
BUDGET = 30.0
"""Seconds after which no further run of the 200 is begun."""
CAP = 60.0
"""Seconds that 2,000 answers may take."""
START_UP = 15.0
"""Seconds granted on top, for imports and the first answers."""
PATIENCE = 300.0
"""Seconds after which a process is taken to hang."""


class Failed(Exception):
    """A library could not be measured."""


class TimedOut(Failed):
    """It did not finish in time."""


class Sizes(NamedTuple):
    """Answers graded at 50 ms, and at 10 ms."""

    few: int
    many: int


FULL = Sizes(200, 2000)
QUICK = Sizes(16, 32)
"""Shows that every library still runs; its figures mean nothing."""


class Servers(NamedTuple):
    """Base URLs without the form."""

    counting: str
    slow: str
    """50 ms."""
    fast: str
    """10 ms."""


def measure(mode: Mode, servers: Servers, work: Path, sizes: Sizes) -> Figures:
    """Everything about one mode.

    Raises:
        Failed: the library cannot be installed, does not run, or gives other grades than it was told.
    """
    try:
        python = Path(sys.executable) if mode.environment is None else python_of(mode.environment)
    except NotInstalled as error:
        raise Failed(f"not installed: {error}") from error

    def job(url: str, *, answers: int, runs: int, warm_up: int) -> Job:
        base = f"{url.removesuffix('/v1')}/{mode.form}/v1"
        return Job(mode.mode, str(work), base, answers, runs, BUDGET, warm_up, len(CRITERIA), LEVEL)

    counts(servers.counting)
    _run(python, mode, job(servers.counting, answers=SAMPLE, runs=1, warm_up=0), PATIENCE)
    asked = counts(servers.counting)
    _expect(mode, asked, SAMPLE)
    counts(servers.slow)
    few = _run(python, mode, job(servers.slow, answers=sizes.few, runs=RUNS, warm_up=WARM_UP), PATIENCE)
    seen = counts(servers.slow)
    _expect(mode, seen, sizes.few * few.runs + WARM_UP)
    least = least_seconds(few, sizes)
    if least > CAP:
        rate: float | str = f"not run: {least:.0f} s or more"
    else:
        rate = _rate(python, mode, job(servers.fast, answers=sizes.many, runs=1, warm_up=WARM_UP))
    return Figures(asked.requests / SAMPLE, asked.characters / SAMPLE, seen.at_once, few, rate)


def least_seconds(few: Took, sizes: Sizes) -> float:
    """What the many will take at the least: processor time, or time on the clock where several processors share it."""
    return min(few.cpu, few.seconds) * sizes.many / sizes.few


def _rate(python: Path, mode: Mode, job: Job) -> float | str:
    """Answers a second, or that they took too long."""
    late = f"not done in {CAP:.0f} s"
    try:
        took = _run(python, mode, job, CAP + START_UP)
    except TimedOut:
        return late
    return job.answers / took.seconds if took.seconds <= CAP else late


def _expect(mode: Mode, found: Counts, answers: int) -> None:
    if found.requests != mode.requests * answers:
        raise Failed(f"{found.requests} requests for {answers} answers, expected {mode.requests} each")


def _run(python: Path, mode: Mode, job: Job, patience: float) -> Took:
    """A job in a folder of its own, which is gone afterwards, with an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.json"
        job.write(file)
        command = [str(python), "-m", "bench.peers.adapters", mode.adapter, str(file)]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(job),
                capture_output=True,
                text=True,
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimedOut(f"{job.answers} answers, {job.runs} times, were not done in {patience:.0f} s") from error
    if done.returncode:
        raise Failed(last_line(done.stderr))
    return Took(*json.loads(done.stdout.splitlines()[-1]))


def _environment(job: Job) -> dict[str, str]:
    """This one without what would point a library elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "COACH_"))}  # noqa: TID251 - handed on, not read
    return {**kept, **QUIET, "OPENAI_BASE_URL": job.url, "PYTHONPATH": str(ROOT)}
