"""The journal's file as SQLite has it: one connection, transactions that hold all or nothing, faults in our words.

Which tables stand in it is not known here: each module that keeps something in the file brings its own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from coach.errors import JournalError

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds to wait for another process's lock."""
_CHUNK = 500
"""Keys in one statement."""


class Database:
    """An open file, which threads may share.

    Args:
        path: made where it is missing.
        timeout: seconds to wait for a lock.

    Raises:
        JournalError: it cannot be opened.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self.told():
            self._connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement; the caller is in one of the contexts below."""
        return self._connection.execute(statement, values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row of values."""
        self._connection.executemany(statement, rows)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One thread at a time."""
        with self._lock, self.told():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, all or nothing."""
        with self.alone():
            self.execute("begin immediate")
            try:
                yield
                self.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self.execute("rollback")
                raise

    @contextmanager
    def told(self) -> Iterator[None]:
        """Errors of SQLite's are raised as a `JournalError`; other threads are not kept out."""
        try:
            yield
        except sqlite3.Error as error:
            raise _translated(self.path, error) from None


def chunks(keys: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many keys at a time as one statement takes."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


_FAULTS = {
    "BUSY": ("is locked by another program", "End what holds it open, or name another --journal."),
    "LOCKED": ("is locked by another program", "End what holds it open, or name another --journal."),
    "FULL": ("cannot be written: the disk is full", "Make room and run the same command again; what it holds is kept."),
    "IOERR": ("cannot be read or written", "Is the disk full or gone? What the journal holds is kept."),
    "NOTADB": ("is no journal of coach", "Name another --journal."),
    "CORRUPT": ("is damaged", "Move it away and run again, or save what it holds: sqlite3 FILE .recover"),
    "CANTOPEN": ("cannot be opened", "Choose a folder that exists and is writable."),
    "READONLY": ("cannot be written: it is read-only", "Choose a folder that is writable."),
}


def _translated(path: Path, error: sqlite3.Error) -> JournalError:
    """An error of SQLite's in our words, by its primary result code."""
    name = getattr(error, "sqlite_errorname", "") or ""
    code = name.removeprefix("SQLITE_").split("_")[0]
    told, hint = _FAULTS.get(code, (f"cannot be used: {error}", ""))
    return JournalError(f"the journal {path} {told}", hint=hint)
