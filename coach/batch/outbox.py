"""Requests for a provider's batches, and what became of them: a table in the journal's file.

    provider_requests  one request each: in which file, sent how often, and its reply

All is written down before the provider is told, so a process that is killed goes on where it was and sends nothing twice.
The files in which requests are sent are those of `request_files`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from coach.batch.database import Database
from coach.batch.request_files import File, RequestFiles
from coach.judges.batch_api import MAX_BYTES, MAX_REQUESTS, Again, request_line
from coach.judges.chat import Quirks
from coach.judges.deferred import Answered, Declined, Letter, Waiting

MAX_LESSONS = 20
"""Times one request may be sent again for what its refusal taught; those do not count as tries."""
_CHUNK = 500

_SCHEMA = (
    "create table if not exists provider_requests (key text primary key, file integer not null, line integer not null,"
    " sent integer not null, lessons integer not null, worst real not null, state text not null, told blob) without rowid",
    "create index if not exists provider_requests_of on provider_requests (file)",
)


class Limits(NamedTuple):
    """How large files may be, how often a request is sent, and what all may cost."""

    requests: int = MAX_REQUESTS
    size: int = MAX_BYTES
    tries: int = 4
    max_cost: float | None = None
    """US dollars, for this run."""


class Outbox:
    """The box of one journal; only one process works on it at a time, which `coach.batch.by_provider` sees to.

    Args:
        path: the journal.
        limits: see `Limits`.

    Raises:
        JournalError: the journal cannot be used.

    Attributes:
        files: those in which requests are sent.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self._spent = 0.0
        self._db = Database(path)
        self.files = RequestFiles(self._db, requests=limits.requests, size=limits.size)
        with self._db.alone():
            for statement in _SCHEMA:
                self._db.execute(statement)
        self._reserved = self._sum_of_waiting()

    def go_on(self, *, anew: bool) -> None:
        """Take up what an earlier process left: what it had not sent is put together anew, failures are tried again.

        Args:
            anew: replies that came before do not count.
        """
        with self._db.writing():
            for file in self.files.in_state("spooled"):
                self._db.execute("delete from provider_requests where file = ?", (file.number,))
            self.files.forget("spooled")
            states = ("declined", "again", "answered") if anew else ("declined", "again")
            marks = ",".join("?" * len(states))
            self._db.execute(f"delete from provider_requests where state in ({marks})", states)  # noqa: S608 - only marks
        self.files.delete_spooled()
        self._reserved = self._sum_of_waiting()

    # --- the box ----------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Answered | Declined | Waiting | None:
        """See `Box.find`."""
        with self._db.alone():
            row = self._db.execute(
                "select r.state, r.told, f.quirks from provider_requests r join provider_files f on f.number = r.file"
                " where r.key = ?",
                (key,),
            ).fetchone()
        match row:
            case ("waiting", _, _):
                return Waiting()
            case ("answered", body, quirks):
                return Answered(body, Quirks.model_validate_json(quirks))
            case ("declined", told, _):
                return Declined(*json.loads(told))
            case _:
                return None

    def put(self, address: str, letter: Letter) -> bool:
        """See `Box.put`."""
        cap = self._limits.max_cost
        if cap is not None and self._spent + self._reserved + letter.worst > cap:
            return False
        place = self.files.write(address, request_line(letter.key, letter.body), letter.quirks)
        self._reserved += letter.worst
        with self._db.writing():
            self._db.execute(
                "insert into provider_requests values (?, ?, ?, 1, 0, ?, 'waiting', null) on conflict (key) do update set"
                " file = excluded.file, line = excluded.line, sent = sent + 1, worst = excluded.worst, state = 'waiting'",
                (letter.key, place.file, place.line, letter.worst),
            )
            self.files.count(place)
        return True

    def paid(self, cost: float) -> None:
        """See `Box.paid`."""
        self._spent += cost

    # --- replies ----------------------------------------------------------------------------------------------------

    def done(self, file: File, rest: Again | Declined) -> int:
        """All that came of the file is taken in; says what becomes of requests it brought nothing for, and how many."""
        with self._db.alone():
            keys = self._db.execute(
                "select key from provider_requests where file = ? and state = 'waiting'", (file.number,)
            ).fetchall()
        self.take(file, ((key, rest, 0.0) for (key,) in keys))
        self.files.done(file)
        self._reserved = self._sum_of_waiting()
        return len(keys)

    def key_at(self, file: File, line: int) -> str | None:
        """The request that stands on a line of a file."""
        with self._db.alone():
            row = self._db.execute(
                "select key from provider_requests where file = ? and line = ?", (file.number, line)
            ).fetchone()
        return row[0] if row else None

    def take(self, file: File, verdicts: Iterable[tuple[str, bytes | Again | Declined, float | None]]) -> None:
        """Keep what came down: key, what it means, and what it cost; None counts as the most it could have cost.

        Only requests that wait in this file count.
        """
        rest = iter(verdicts)
        while chunk := list(islice(rest, _CHUNK)):
            with self._db.writing():
                for key, found, cost in chunk:
                    self._take(file, key, found, cost)

    def _take(self, file: File, key: str, found: bytes | Again | Declined, cost: float | None) -> None:
        row = self._db.execute(
            "select sent, lessons, worst from provider_requests where key = ? and file = ? and state = 'waiting'",
            (key, file.number),
        ).fetchone()
        if row is None:
            return
        sent, lessons, worst = row
        self._spent += worst if cost is None else cost
        if isinstance(found, Again):
            lessons += not found.counts
            if sent - lessons >= self._limits.tries or lessons > MAX_LESSONS:
                found = Declined("unreachable", f"no reply in {sent} batches: {found.reason}")
        match found:
            case Again():
                state, told = "again", None
            case Declined():
                state, told = "declined", json.dumps(found).encode()
            case _:
                state, told = "answered", found
        self._db.execute(
            "update provider_requests set state = ?, told = ?, lessons = ? where key = ?", (state, told, lessons, key)
        )

    def clear(self) -> None:
        """Forget requests that are dealt with: their grades stand in the journal."""
        with self._db.writing():
            self._db.execute("delete from provider_requests where state != 'waiting'")
            self.files.forget("done")

    def close(self) -> None:
        """Close the files and the database."""
        self.files.close()
        self._db.close()

    def _sum_of_waiting(self) -> float:
        with self._db.alone():
            found = self._db.execute("select coalesce(sum(worst), 0) from provider_requests where state = 'waiting'")
            return float(found.fetchone()[0])
