"""The journal: one SQLite file in which every finished grade stands as soon as it is made, by content.

    grades    key, body, facts, when                 found again by any run that asks for the same
    failures  key, cause, when                       for `coach journal info`; tried again by the next run

Who is at work on a row stands beside them, in the tables of `claims`; a grade or a failure gives the row free.

A write-ahead log takes each grade with one `write`, so killing the process loses none that was kept. Nothing here knows
asyncio; a journal may be shared by threads and by processes of one machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from coach.batch.claims import CLAIM_TABLES, Claims
from coach.batch.database import TIMEOUT, Database, chunks
from coach.batch.records import Grade
from coach.errors import JournalError

APPLICATION_ID = 0x636F6163
"""Marks the file as a journal of coach: `coac` in ASCII."""
FORMAT = 1
_TOGETHER = 100
"""Grades in one statement."""

_SCHEMA = (
    "create table grades (key blob primary key, body blob not null, facts text not null, at real not null)",
    "create table failures (key blob primary key, cause text not null, at real not null) without rowid",
    *CLAIM_TABLES,
    "create trigger graded after insert on grades begin"
    " delete from claims where key = new.key; delete from failures where key = new.key; end",
    "create trigger failed after insert on failures begin delete from claims where key = new.key; end",
)


class JournalInfo(NamedTuple):
    """What a journal holds."""

    path: Path
    size: int
    """Bytes, the write-ahead log included."""
    grades: int
    abstained: int
    """Grades without a total."""
    cost_usd: float
    """What all its grades cost when they were made, as far as prices are known."""
    causes: tuple[tuple[str, int], ...]
    """Failures not yet made good, by cause, most first."""
    claimed: int
    """Rows being graded by processes that live."""


class Kept(NamedTuple):
    """A grade with its key and when it was made, in seconds of the Unix epoch."""

    key: bytes
    at: float
    grade: Grade


class Journal:
    """An open journal.

    Args:
        path: made where it is missing.
        timeout: seconds to wait for a lock.
        must_exist: do not make one.

    Raises:
        JournalError: it cannot be opened, is damaged, locked, or no journal.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT, must_exist: bool = False) -> None:
        self.path = path
        if must_exist and not path.is_file():
            raise JournalError(f"{path}: there is no journal here")
        self._db = Database(path, timeout=timeout)
        self._claims = Claims(self._db)
        try:
            with self._db.told():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        if self._pragma("application_id") != APPLICATION_ID:
            self._make()
        if self._pragma("application_id") != APPLICATION_ID:
            raise JournalError(f"{self.path} is a database, but no journal of coach", hint="Name another --journal.")
        if self._pragma("user_version") != FORMAT:
            raise JournalError(
                f"{self.path} was written by another version of coach (format {self._pragma('user_version')}, not {FORMAT})"
            )
        # Each commit is one write that the system keeps when this process is killed; only a power cut may undo the last ones.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")

    def _make(self) -> None:
        """Make the tables, unless the file holds anything. An empty journal has nothing to lose, and waits for no disk."""
        if not self._is_empty():
            return
        self._db.execute("pragma synchronous = off")
        self._db.execute("pragma journal_mode = wal")
        with self._db.writing():
            # Another process may have made it since.
            if self._is_empty():
                for statement in _SCHEMA:
                    self._db.execute(statement)
                self._db.execute(f"pragma application_id = {APPLICATION_ID}")
                self._db.execute(f"pragma user_version = {FORMAT}")

    def _is_empty(self) -> bool:
        tables = self._db.execute("select 1 from sqlite_schema").fetchone()
        return self._pragma("application_id") == 0 and tables is None

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"pragma {name}").fetchone()[0])

    # --- rows -------------------------------------------------------------------------------------------------------

    def found(self, keys: Sequence[bytes], *, since: float = 0.0) -> dict[bytes, Grade]:
        """Finished grades of those keys that have one.

        Args:
            keys: any number.
            since: older grades do not count; seconds of the Unix epoch.
        """
        grades: dict[bytes, Grade] = {}
        with self._db.alone():
            for chunk in chunks(keys):
                marks = ",".join("?" * len(chunk))
                rows = self._db.execute(
                    f"select key, body, facts from grades where key in ({marks}) and at >= ?",
                    (*chunk, since),
                )
                grades.update((key, Grade(body, facts)) for key, body, facts in rows)
        return grades

    def keep(self, grades: Sequence[tuple[bytes, Grade]]) -> None:
        """Keep finished grades, all or none; once this returns, no killing of the process loses them."""
        now = time.time()
        if len(grades) <= _TOGETHER:
            # One statement is a transaction of its own, and gives other threads one chance to hold this one up.
            with self._db.alone():
                self._insert(grades, now)
            return
        with self._db.writing():
            for start in range(0, len(grades), _TOGETHER):
                self._insert(grades[start : start + _TOGETHER], now)

    def _insert(self, grades: Sequence[tuple[bytes, Grade]], now: float) -> None:
        values = [value for key, grade in grades for value in (key, grade.body, grade.facts_json, now)]
        marks = ",".join(["(?,?,?,?)"] * len(grades))
        if grades:
            self._db.execute(f"insert or replace into grades values {marks}", values)

    def fail(self, key: bytes, cause: str) -> None:
        """Note a failure and give the row free; a grade it had before stays."""
        with self._db.alone():
            self._db.execute("insert or replace into failures values (?, ?, ?)", (key, cause, time.time()))

    def claim(self, keys: Sequence[bytes], *, since: float = 0.0) -> set[bytes]:
        """Those keys that are this journal's to grade from now on: without a grade, and claimed by no living process."""
        with self._db.writing():
            graded = self.found(keys, since=since)
            return self._claims.take([k for k in keys if k not in graded])

    # --- looking in -------------------------------------------------------------------------------------------------

    def info(self) -> JournalInfo:
        """Count what it holds."""
        with self._db.alone():
            grades, abstained, cost = self._db.execute(
                "select count(*), coalesce(sum(json_extract(facts, '$[0]') is null), 0),"
                " coalesce(sum(json_extract(facts, '$[5][5]')), 0) from grades"
            ).fetchone()
            causes = self._db.execute("select cause, count(*) from failures group by cause order by 2 desc").fetchall()
            claimed = self._claims.living()
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        size = sum(f.stat().st_size for f in files if f.exists())
        return JournalInfo(self.path, size, grades, abstained, float(cost), tuple(causes), claimed)

    def all(self) -> Iterator[Kept]:
        """Every grade, oldest first."""
        with self._db.told():
            for key, body, facts, at in self._db.execute("select key, body, facts, at from grades order by rowid"):
                yield Kept(key, at, Grade(body, facts))

    def vacuum(self) -> None:
        """Give freed space back, and fold the write-ahead log into the file."""
        with self._db.alone():
            self._db.execute("vacuum")
            self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Give all claims free and close the file."""
        with self._db.alone():
            try:
                self._claims.close()
            finally:
                self._db.close()


def default_journal(out: Path) -> Path:
    """Where the journal of an output lies: beside it."""
    return out.with_name(f"{out.name}.journal.sqlite")
