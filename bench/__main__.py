"""Run all measurements and print a Markdown table."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime

from bench import batch, judge, offline, prompt, start_up, warm


def main() -> None:
    """Print one row per figure with its bound."""
    print(f"`make bench`, {datetime.now(UTC).date().isoformat()}, Python {platform.python_version()}, {_machine()}\n")
    print("| What | Measured | Bound | |\n|---|---|---|---|")
    missed = 0
    for row in (
        *start_up.measure(),
        *warm.measure(),
        *prompt.measure(),
        *judge.measure(),
        *batch.measure(),
        *offline.measure(),
    ):
        print(f"| {row.what} | {row.measured} | {row.bound} | {'met' if row.met else 'MISSED'} |", flush=True)
        missed += not row.met
    sys.exit(1 if missed else 0)


def _machine() -> str:
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), name)
    return f"{len(os.sched_getaffinity(0))} cores, {name}"


if __name__ == "__main__":
    main()
