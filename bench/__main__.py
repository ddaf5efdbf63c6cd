"""Run all measurements and print a Markdown table."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime

from bench import batch, judge, offline, prompt, start_up, warm
from bench.figures import machine


def main() -> None:
    """Print one row per figure with its bound."""
    print(f"`make bench`, {datetime.now(UTC).date().isoformat()}, Python {platform.python_version()}, {machine()}\n")
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


if __name__ == "__main__":
    main()
