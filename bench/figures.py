"""What a measurement returns, and how to time a command."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """One figure with its bound."""

    what: str
    measured: str
    bound: str
    met: bool


class Run(NamedTuple):
    """Wall seconds (median) and the largest resident set, in MB, of a command."""

    seconds: float
    megabytes: float


_MEASURED = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,"
    " check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def time_command(command: Sequence[str], *, runs: int = 5) -> Run:
    """Run a command several times."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - start)
    told = subprocess.run([sys.executable, "-c", _MEASURED, *command], capture_output=True, text=True, check=True)
    return Run(statistics.median(seconds), int(told.stdout) / 1024)


def machine() -> str:
    """Processors this process may use, and their name."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    return f"{len(os.sched_getaffinity(0))} cores, {name}"
