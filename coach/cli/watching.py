"""What is shown on standard error while a batch runs: a live display on a terminal, now and then a line of JSON elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coach.batch.summary import Tally

EVERY = 10.0
"""Seconds between lines of JSON."""
_REDRAW = 0.2


@contextmanager
def watching(total: int | None) -> Iterator[Callable[[Tally], None]]:
    """Something to tell the tally after every row.

    Args:
        total: rows in all, about; None where that is not known.
    """
    if not sys.stderr.isatty():
        yield _Lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("grading", total=total, told="")
        clock = _Clock(_REDRAW)

        def counted(tally: Tally) -> None:
            if clock.due():
                now = snapshot(tally, total, clock.elapsed)
                money = f", ${now['cost_usd']:.4f}" if now["cost_usd"] is not None else ""
                told = f"{tally.failed} failed, {tally.abstained} without a total, {now['per_second']}/s{money}"
                progress.update(task, completed=tally.rows, told=told)

        yield counted


class _Clock:
    def __init__(self, every: float) -> None:
        self._every, self._start = every, time.monotonic()
        self._next = self._start + every

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def due(self) -> bool:
        """Whether it is time again; if so, the next time is as much later."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._every
        return True


class _Lines:
    """A line of JSON every EVERY seconds, for logs and programs that look on."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._clock = _Clock(EVERY)

    def __call__(self, tally: Tally) -> None:
        if self._clock.due():
            typer.echo(json.dumps(snapshot(tally, self._total, self._clock.elapsed)), err=True)


def snapshot(tally: Tally, total: int | None, seconds: float) -> dict[str, float | None]:
    """How far a run has come."""
    rate = tally.rows / seconds if seconds > 0 else 0.0
    left = (total - tally.rows) / rate if total is not None and rate else None
    return {
        "done": tally.rows,
        "of": total,
        "failed": tally.failed,
        "abstained": tally.abstained,
        "found_again": tally.again,
        "per_second": round(rate, 1),
        "cost_usd": None if tally.usage.cost_usd is None else round(tally.usage.cost_usd, 4),
        "seconds_left": None if left is None else round(max(0.0, left)),
    }
