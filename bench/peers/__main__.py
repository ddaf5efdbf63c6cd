"""Measure every library beside coach and print one table: `python -m bench.peers [quick] [LIBRARY ...]`.

The first use makes the environments, which takes minutes; the measurement itself takes less than ten. With names of
libraries only these are measured. With `quick` a few answers show that all still run; the figures then mean nothing.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import machine
from bench.judge import serving
from bench.peers.measure import FULL, QUICK, Failed, Servers, Sizes, measure
from bench.peers.modes import KNOWN, OURS, PEERS, SHIPPED, Mode
from bench.peers.table import Base, Figures, render
from bench.peers.work import Criterion, Work, write_work
from coach.bank import load_bank

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "q01-model-first.md"
AGAIN = " (again, at the end)"
MODULE = "bench.peers.server"


def shipped_work() -> Work:
    """The bank's criteria with the words for their levels, question q01, and the example answer."""
    bank = load_bank()
    question = bank.question("q01")
    criteria = tuple(
        Criterion(c.id, c.title, c.description, tuple(level.descriptor for level in c.levels))
        for c in bank.criteria.values()
    )
    return Work(question.question, question.reference, criteria, EXAMPLE.read_text(encoding="utf-8"))


def main() -> None:
    """Print the table; exit code 1 where a library could not be measured."""
    wanted = set(sys.argv[1:]) - {"quick"}
    unknown = wanted - {m.environment for m in PEERS}
    if unknown:
        sys.exit(
            f"There is no library {', '.join(sorted(unknown))} here; the names are those in bench/peers/requirements."
        )
    peers = [m for m in PEERS if not wanted or m.environment in wanted]
    last = KNOWN._replace(name=KNOWN.name + AGAIN)
    start, load = time.monotonic(), os.getloadavg()[0]
    found = _measure_all([*OURS, *peers, last], QUICK if "quick" in sys.argv else FULL)
    day = datetime.now(UTC).date().isoformat()
    print(f"`make peers`, {day}, Python {platform.python_version()}, {machine()}, load {load:.1f} before the start\n")
    print(render(found, Base(ours=SHIPPED.name, known=KNOWN.name)))
    print(f"\n{time.monotonic() - start:.0f} s in all.", file=sys.stderr)
    sys.exit(1 if any(isinstance(f, str) for f in found.values()) else 0)


def _measure_all(modes: list[Mode], sizes: Sizes) -> dict[str, Figures | str]:
    """In turn; what fails is told and does not stop the others."""
    found: dict[str, Figures | str] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("0.01", "counting", module=MODULE) as counting,
        serving("0.05", module=MODULE) as slow,
        serving("0.01", module=MODULE) as fast,
    ):
        work = Path(folder) / "work.json"
        write_work(shipped_work(), work)
        for mode in modes:
            print(f"{mode.name} ...", file=sys.stderr, flush=True)
            try:
                found[mode.name] = measure(mode, Servers(counting, slow, fast), work, sizes)
            except Failed as error:
                found[mode.name] = str(error)
                print(f"  failed: {error}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
