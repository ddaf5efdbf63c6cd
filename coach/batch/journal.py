"""The journal: one SQLite file in which every finished grade stands as soon as it is made, by content.

    grades    key, body, facts, when                 found again by any run that asks for the same
    failures  key, cause, when                       for `coach journal info`; tried again by the next run
    claims    key, owner                             rows being graded; claims of a process that died count for nothing
    owners    who claims: host, process, its start, its last sign of life

A write-ahead log takes each grade with one `write`, so killing the process loses none that was kept. Nothing here knows
asyncio; a journal may be shared by threads and by processes of one machine.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from coach.batch.owners import BEAT, Owner, is_alive, this_process
from coach.batch.records import Grade
from coach.errors import JournalError

APPLICATION_ID = 0x636F6163
"""Marks the file as a journal of coach: `coac` in ASCII."""
FORMAT = 1
TIMEOUT = 30.0
"""Seconds to wait for another process's lock."""
_CHUNK = 500
"""Keys in one statement."""
_TOGETHER = 100
"""Grades in one statement."""

_SCHEMA = """
create table grades (key blob primary key, body blob not null, facts text not null, at real not null)

create table failures (key blob primary key, cause text not null, at real not null) without rowid

create table owners (id integer primary key, host text not null, pid integer not null, started text not null, seen real)

create table claims (key blob primary key, owner integer not null) without rowid

create index claims_of on claims (owner)

create trigger graded after insert on grades begin
  delete from claims where key = new.key; delete from failures where key = new.key;
end

create trigger failed after insert on failures begin
  delete from claims where key = new.key;
end
"""


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
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._closed = threading.Event()
        self._beating = False
        if must_exist and not path.is_file():
            raise JournalError(f"{path}: there is no journal here")
        with self._told():
            self._db = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
            try:
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
        with self._writing():
            # Another process may have made it since.
            if self._is_empty():
                for statement in _SCHEMA.strip().split("\n\n"):
                    self._db.execute(statement)
                self._db.execute(f"pragma application_id = {APPLICATION_ID}")
                self._db.execute(f"pragma user_version = {FORMAT}")

    def _is_empty(self) -> bool:
        tables = self._db.execute("select 1 from sqlite_schema").fetchone()
        return self._pragma("application_id") == 0 and tables is None

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"pragma {name}").fetchone()[0])

    # --- grades -----------------------------------------------------------------------------------------------------

    def found(self, keys: Sequence[bytes], *, since: float = 0.0) -> dict[bytes, Grade]:
        """Finished grades of those keys that have one.

        Args:
            keys: any number.
            since: older grades do not count; seconds of the Unix epoch.
        """
        grades: dict[bytes, Grade] = {}
        with self._lock, self._told():
            for chunk in _chunks(keys):
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
            with self._lock, self._told():
                self._insert(grades, now)
            return
        with self._writing():
            for start in range(0, len(grades), _TOGETHER):
                self._insert(grades[start : start + _TOGETHER], now)

    def _insert(self, grades: Sequence[tuple[bytes, Grade]], now: float) -> None:
        values = [value for key, grade in grades for value in (key, grade.body, grade.facts_json, now)]
        marks = ",".join(["(?,?,?,?)"] * len(grades))
        if grades:
            self._db.execute(f"insert or replace into grades values {marks}", values)

    def fail(self, key: bytes, cause: str) -> None:
        """Note a failure and give the row free; a grade it had before stays."""
        with self._lock, self._told():
            self._db.execute("insert or replace into failures values (?, ?, ?)", (key, cause, time.time()))

    # --- claims -----------------------------------------------------------------------------------------------------

    def claim(self, keys: Sequence[bytes], *, since: float = 0.0) -> set[bytes]:
        """Those keys that are this journal's to grade from now on: without a grade, and claimed by no living process."""
        with self._writing():
            owner = self._registered()
            graded = self.found(keys, since=since)
            open_ = [k for k in keys if k not in graded]
            foreign: dict[bytes, int] = {}
            for chunk in _chunks(open_):
                marks = ",".join("?" * len(chunk))
                foreign |= dict(
                    self._db.execute(
                        f"select key, owner from claims where key in ({marks}) and owner != ?",
                        (*chunk, owner),
                    )
                )
            alive = {id for id in set(foreign.values()) if self._alive(id)}
            mine = {k for k in open_ if foreign.get(k) not in alive}
            self._db.executemany("insert or replace into claims values (?, ?)", [(k, owner) for k in mine])
        return mine

    def release(self) -> None:
        """Give all claims free."""
        if self._owner is None:
            return
        with self._writing():
            self._db.execute("delete from claims where owner = ?", (self._owner,))
            self._db.execute("delete from owners where id = ?", (self._owner,))
        self._owner = None

    def _registered(self) -> int:
        """This journal's number among the owners, with a sign of life."""
        if self._owner is None:
            me = this_process()
            self._forget_the_dead()
            values = (socket.gethostname(), me.pid, me.started, time.time())
            inserted = self._db.execute("insert into owners (host, pid, started, seen) values (?, ?, ?, ?)", values)
            self._owner = int(inserted.lastrowid or 0)
            if not self._beating:
                self._beating = True
                threading.Thread(target=self._beat, name="coach journal", daemon=True).start()
        else:
            self._sign()
        return self._owner

    def _beat(self) -> None:
        """Signs of life until the journal is closed: rows may be at the judge for longer than others have patience."""
        while not self._closed.wait(BEAT):
            # A journal that is locked for once may be free at the next beat.
            with suppress(JournalError), self._lock, self._told():
                self._sign()

    def _sign(self) -> None:
        self._db.execute("update owners set seen = ? where id = ?", (time.time(), self._owner))

    def _forget_the_dead(self) -> None:
        for (id,) in self._db.execute("select id from owners").fetchall():
            if not self._alive(id):
                self._db.execute("delete from claims where owner = ?", (id,))
                self._db.execute("delete from owners where id = ?", (id,))

    def _alive(self, owner: int) -> bool:
        row = self._db.execute("select host, pid, started, seen from owners where id = ?", (owner,)).fetchone()
        return row is not None and is_alive(Owner(*row), time.time())

    # --- looking in -------------------------------------------------------------------------------------------------

    def info(self) -> JournalInfo:
        """Count what it holds."""
        with self._lock, self._told():
            grades, abstained, cost = self._db.execute(
                "select count(*), coalesce(sum(json_extract(facts, '$[0]') is null), 0),"
                " coalesce(sum(json_extract(facts, '$[5][5]')), 0) from grades"
            ).fetchone()
            causes = self._db.execute("select cause, count(*) from failures group by cause order by 2 desc").fetchall()
            claims = self._db.execute("select owner, count(*) from claims group by owner").fetchall()
            living = sum(count for owner, count in claims if self._alive(owner))
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        size = sum(f.stat().st_size for f in files if f.exists())
        return JournalInfo(self.path, size, grades, abstained, float(cost), tuple(causes), living)

    def all(self) -> Iterator[Kept]:
        """Every grade, oldest first."""
        with self._told():
            for key, body, facts, at in self._db.execute("select key, body, facts, at from grades order by rowid"):
                yield Kept(key, at, Grade(body, facts))

    def vacuum(self) -> None:
        """Give freed space back, and fold the write-ahead log into the file."""
        with self._lock, self._told():
            self._db.execute("vacuum")
            self._db.execute("pragma wal_checkpoint(truncate)")

    def close(self) -> None:
        """Give all claims free and close the file."""
        self._closed.set()
        with self._lock:
            try:
                # What could not be given free counts as free once this process is gone.
                with suppress(JournalError):
                    self.release()
            finally:
                self._db.close()

    # --- transactions and faults ------------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, all or nothing."""
        with self._lock, self._told():
            self._db.execute("begin immediate")
            try:
                yield
                self._db.execute("commit")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("rollback")
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translated(self.path, error) from None


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


def translated(path: Path, error: sqlite3.Error) -> JournalError:
    """An error of SQLite's in our words, by its primary result code."""
    name = getattr(error, "sqlite_errorname", "") or ""
    code = name.removeprefix("SQLITE_").split("_")[0]
    told, hint = _FAULTS.get(code, (f"cannot be used: {error}", ""))
    return JournalError(f"the journal {path} {told}", hint=hint)


def _chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def default_journal(out: Path) -> Path:
    """Where the journal of an output lies: beside it."""
    return out.with_name(f"{out.name}.journal.sqlite")
