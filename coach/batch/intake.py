"""Rows taken in, a window at a time, with every result that can be had without a judge. Runs in a thread of the engine's."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from coach.batch.keys import Keys
from coach.batch.outcome import Result, failed, graded
from coach.batch.records import GradeBook
from coach.batch.rows import Entry, Row, read_entry
from coach.errors import CoachError
from coach.pipeline import Pipeline

LINGER = 0.2
"""Seconds a window waits for more rows after its first: rows that trickle in are graded as they come."""


class Ahead:
    """Rows that may be long in coming, taken without waiting for the next: a thread of its own reads them.

    It reads no more than it is asked for, and is a daemon, as that of a `Lane` is.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._wanted: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._read: queue.SimpleQueue[Row | BaseException | None] = queue.SimpleQueue()
        self._due = 0
        """Rows asked for that have not come yet."""
        self._started = self._over = False

    def take(self, count: int) -> list[Row]:
        """Up to so many rows; waits for the first as long as it takes, for more LINGER. None at the end."""
        if self._over:
            return []
        if not self._started:
            self._started = True
            threading.Thread(target=self._work, name="coach input", daemon=True).start()
        self._wanted.put(count - self._due)
        self._due = count
        rows: list[Row] = []
        deadline = float("inf")
        while len(rows) < count:
            try:
                row = self._read.get(timeout=max(0.0, deadline - time.monotonic()) if rows else None)
            except queue.Empty:
                break
            if not isinstance(row, Row):
                self._over = True
                if row is None:
                    break
                raise row
            self._due -= 1
            rows.append(row)
            if len(rows) == 1:
                deadline = time.monotonic() + LINGER
        return rows

    def end(self) -> None:
        """Let the thread go, once the row that it waits for has come."""
        self._over = True
        self._wanted.put(None)

    def _work(self) -> None:
        fault: BaseException | None = None
        try:
            while (wanted := self._wanted.get()) is not None:
                for _ in range(wanted):
                    row = next(self._rows, None)
                    if row is None or self._over:
                        return
                    self._read.put(row)
        except BaseException as raised:
            fault = raised
        finally:
            self._read.put(fault)


class Slot:
    """A row on its way.

    Attributes:
        entry: what it asks for; None for a row that cannot be read, which has its result at once.
        key: see `coach.batch.keys`.
        result: once it has one.
        again: the result cost nothing.
        future: of the result, where a judge has to be asked.
    """

    __slots__ = ("again", "entry", "future", "key", "result", "row")

    def __init__(self, row: Row) -> None:
        self.row = row
        self.entry: Entry | None = None
        self.key = b""
        self.result: Result | None = None
        self.again = False
        self.future: asyncio.Future[Result] | None = None


class Window(NamedTuple):
    """Some rows that follow each other; none at the end of the input."""

    slots: list[Slot]
    ours: list[Slot]
    """To be graded by this run."""
    elsewhere: list[Slot]
    """Being graded by another process."""


class Intake:
    """Reads rows and looks them up.

    Args:
        pipeline: bank and judge, for keys.
        rows: the input.
        size: rows of a window.
        journal: where grades are found and rows claimed.
        since: see `Journal.found`.
    """

    def __init__(
        self, pipeline: Pipeline, rows: Iterator[Row], *, size: int, journal: GradeBook | None, since: float
    ) -> None:
        self._pipeline, self._rows, self._size = pipeline, Ahead(rows), size
        self._journal, self._since = journal, since
        self._keys = Keys(pipeline)

    def read(self) -> Window:
        """The next rows, up to the window's size.

        Raises:
            InputError: the input cannot be read any further, or the journal not be used.
        """
        slots = [self._slot(row) for row in self._rows.take(self._size)]
        todo = [s for s in slots if s.result is None]
        mine = self.look_up(todo)
        open_ = [s for s in todo if s.result is None]
        return Window(slots, [s for s in open_ if s.key in mine], [s for s in open_ if s.key not in mine])

    def end(self) -> None:
        """Read no more."""
        self._rows.end()

    def look_up(self, slots: Sequence[Slot]) -> set[bytes]:
        """Give slots their grades from the journal; of the others' keys, those that are this run's to grade."""
        keys = [s.key for s in slots]
        if self._journal is None or not keys:
            return set(keys)
        known = self._journal.found(keys, since=self._since)
        for slot in slots:
            if slot.key in known:
                slot.result, slot.again = graded(known[slot.key]), True
        missing = [k for k in keys if k not in known]
        return self._journal.claim(missing, since=self._since) if missing else set()

    def question(self, slot: Slot) -> str:
        """Digest of the question a slot asks; rows with the same share most of a prompt."""
        return self._pipeline.questions.ready(slot.entry.asked).fingerprint if slot.entry else ""

    def _slot(self, row: Row) -> Slot:
        slot = Slot(row)
        try:
            slot.entry = read_entry(row)
            slot.key = self._keys.key(slot.entry)
        except CoachError as error:
            slot.result = failed(self._pipeline, row, error)
        return slot
