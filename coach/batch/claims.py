"""Claims on rows, so that processes share a journal: each row is graded by one of them, or by another where that one died.

claims    key, owner                             rows being graded; claims of a process that died count for nothing
owners    who claims: host, process, its start, its last sign of life
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from coach.batch.database import Database, chunks
from coach.batch.owners import BEAT, Owner, is_alive, this_process
from coach.errors import JournalError

CLAIM_TABLES = (
    "create table owners (id integer primary key, host text not null, pid integer not null, started text not null, seen real)",
    "create table claims (key blob primary key, owner integer not null) without rowid",
    "create index claims_of on claims (owner)",
)


class Claims:
    """What one open journal claims.

    Args:
        db: the journal's file, in which the tables stand.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._owner: int | None = None
        self._closed = threading.Event()

    def take(self, keys: Sequence[bytes]) -> set[bytes]:
        """Claim those keys that no other living process has claimed; within a transaction of the caller's."""
        owner = self._registered()
        foreign: dict[bytes, int] = {}
        for chunk in chunks(keys):
            marks = ",".join("?" * len(chunk))
            foreign |= dict(
                self._db.execute(
                    f"select key, owner from claims where key in ({marks}) and owner != ?",  # noqa: S608 - only marks
                    (*chunk, owner),
                )
            )
        alive = {id for id in set(foreign.values()) if self._alive(id)}
        mine = {k for k in keys if foreign.get(k) not in alive}
        self._db.executemany("insert or replace into claims values (?, ?)", [(k, owner) for k in mine])
        return mine

    def living(self) -> int:
        """How many rows are claimed by processes that live."""
        with self._db.alone():
            claims = self._db.execute("select owner, count(*) from claims group by owner").fetchall()
            return sum(count for owner, count in claims if self._alive(owner))

    def close(self) -> None:
        """Give all claims free; no further sign of life is given."""
        self._closed.set()
        if self._owner is None:
            return
        # What could not be given free counts as free once this process is gone.
        with suppress(JournalError), self._db.writing():
            self._db.execute("delete from claims where owner = ?", (self._owner,))
            self._db.execute("delete from owners where id = ?", (self._owner,))

    def _registered(self) -> int:
        """This journal's number among the owners, with a sign of life."""
        if self._owner is None:
            me = this_process()
            self._forget_the_dead()
            values = (socket.gethostname(), me.pid, me.started, time.time())
            inserted = self._db.execute("insert into owners (host, pid, started, seen) values (?, ?, ?, ?)", values)
            self._owner = int(inserted.lastrowid or 0)
            threading.Thread(target=self._beat, name="coach journal", daemon=True).start()
        else:
            self._sign()
        return self._owner

    def _beat(self) -> None:
        """Signs of life until the journal is closed: rows may be at the judge for longer than others have patience."""
        while not self._closed.wait(BEAT):
            # A journal that is locked for once may be free at the next beat.
            with suppress(JournalError), self._db.alone():
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
