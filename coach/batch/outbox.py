"""Requests for a provider's batches, and what became of them: two tables in the journal's file, and files to be sent.

    provider_files     one file of requests each: written, sent up, made a batch of, done with
    provider_requests  one request each: in which file, sent how often, and its reply

All is written down before the provider is told, so a process that is killed goes on where it was and sends nothing twice.
A file is spooled beside the journal and deleted once it is sent.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Literal, NamedTuple

from coach.batch.journal import TIMEOUT, translated
from coach.errors import InputError
from coach.judges.batch_api import MAX_BYTES, MAX_REQUESTS, Again, request_line
from coach.judges.chat import Quirks
from coach.judges.deferred import Answered, Declined, Letter, Waiting

MAX_LESSONS = 20
"""Times one request may be sent again for what its refusal taught; those do not count as tries."""
_CHUNK = 500

_SCHEMA = """
create table if not exists provider_files (number integer primary key, address text not null, token text not null unique,
 quirks text not null, requests integer not null, state text not null, file_id text, batch_id text);
create table if not exists provider_requests (key text primary key, file integer not null, line integer not null,
 sent integer not null, lessons integer not null, worst real not null, state text not null, told blob) without rowid;
create index if not exists provider_requests_of on provider_requests (file);
"""

FileState = Literal["spooled", "uploaded", "created", "done"]


class File(NamedTuple):
    """A file of requests."""

    number: int
    address: str
    token: str
    quirks: Quirks
    """With which its requests are put."""
    requests: int
    state: FileState
    file_id: str | None
    batch_id: str | None


class Limits(NamedTuple):
    """How large files may be, how often a request is sent, and what all may cost."""

    requests: int = MAX_REQUESTS
    size: int = MAX_BYTES
    tries: int = 4
    max_cost: float | None = None
    """US dollars, for this run."""


class _Spool:
    """A file being written; all its requests are put with the same quirks."""

    def __init__(self, number: int, file: IO[bytes], quirks: Quirks, limits: Limits) -> None:
        self.number, self.file, self._quirks, self._limits = number, file, quirks, limits
        self.size = self.lines = 0

    def fits(self, line: bytes, quirks: Quirks) -> bool:
        """Whether one more request may go in."""
        room = self.lines < self._limits.requests and self.size + len(line) <= self._limits.size
        return room and quirks == self._quirks

    def write(self, line: bytes) -> None:
        """Add one."""
        self.file.write(line)
        self.lines += 1
        self.size += len(line)


class Outbox:
    """The box of one journal; only one process works on it at a time, which `coach.batch.by_provider` sees to.

    Args:
        path: the journal.
        limits: see `Limits`.

    Raises:
        JournalError: the journal cannot be used.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self._spent = 0.0
        self._spools: dict[str, _Spool] = {}
        self._largest: dict[str, int] = {}
        with self._told():
            self._db = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False)
            self._db.executescript(_SCHEMA)
        self._reserved = self._sum_of_waiting()

    def go_on(self, *, anew: bool) -> None:
        """Take up what an earlier process left: what it had not sent is put together anew, failures are tried again.

        Args:
            anew: replies that came before do not count.
        """
        with self._writing():
            for file in self.files("spooled"):
                self._unspool(file)
            states = ("declined", "again", "answered") if anew else ("declined", "again")
            marks = ",".join("?" * len(states))
            self._db.execute(f"delete from provider_requests where state in ({marks})", states)  # noqa: S608 - only marks
        for left in self.path.parent.glob(f"{self.path.name}.*.requests"):
            left.unlink(missing_ok=True)
        self._reserved = self._sum_of_waiting()

    # --- the box ----------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Answered | Declined | Waiting | None:
        """See `Box.find`."""
        with self._told():
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
        """See `Box.put`. A file that is full is closed, and the next one begun."""
        cap = self._limits.max_cost
        if cap is not None and self._spent + self._reserved + letter.worst > cap:
            return False
        line = request_line(letter.key, letter.body)
        spool = self._spools.get(address)
        if spool is None or not spool.fits(line, letter.quirks):
            spool = self._begin(address, letter.quirks)
        with self._writable():
            spool.write(line)
        self._reserved += letter.worst
        with self._writing():
            self._db.execute(
                "insert into provider_requests values (?, ?, ?, 1, 0, ?, 'waiting', null) on conflict (key) do update set"
                " file = excluded.file, line = excluded.line, sent = sent + 1, worst = excluded.worst, state = 'waiting'",
                (letter.key, spool.number, spool.lines, letter.worst),
            )
            self._db.execute("update provider_files set requests = ? where number = ?", (spool.lines, spool.number))
        return True

    def paid(self, cost: float) -> None:
        """See `Box.paid`."""
        self._spent += cost

    def _begin(self, address: str, quirks: Quirks) -> _Spool:
        self._close(address)
        token = secrets.token_hex(8)
        with self._writing():
            made = self._db.execute(
                "insert into provider_files (address, token, quirks, requests, state) values (?, ?, ?, 0, 'spooled')",
                (address, token, quirks.model_dump_json()),
            )
            number = int(made.lastrowid or 0)
        with self._writable():
            file = self.spool_path(token).open("wb")
        spool = _Spool(
            number, file, quirks, self._limits._replace(requests=self._largest.get(address, self._limits.requests))
        )
        self._spools[address] = spool
        return spool

    def _close(self, address: str) -> None:
        spool = self._spools.pop(address, None)
        if spool is not None:
            with self._writable():
                spool.file.close()

    def spool_path(self, token: str) -> Path:
        """Where a file lies until it is sent."""
        return self.path.with_name(f"{self.path.name}.{token}.requests")

    # --- files ------------------------------------------------------------------------------------------------------

    def files(self, *states: FileState) -> list[File]:
        """Files in these states, oldest first."""
        marks = ",".join("?" * len(states))
        with self._told():
            names = ", ".join(File._fields)
            rows = self._db.execute(
                f"select {names} from provider_files where state in ({marks}) order by number",  # noqa: S608 - names and marks
                states,
            ).fetchall()
        return [f._replace(quirks=Quirks.model_validate_json(r[3])) for r in rows for f in (File._make(r),)]

    def full(self) -> bool:
        """Whether a file is full and can be sent while others are still being written."""
        writing = {s.number for s in self._spools.values()}
        return any(f.number not in writing for f in self.files("spooled"))

    def to_send(self, *, all: bool) -> list[File]:
        """Files to be sent: those that are full, or all."""
        if all:
            for address in list(self._spools):
                self._close(address)
        writing = {s.number for s in self._spools.values()}
        return [f for f in self.files("spooled", "uploaded") if f.number not in writing]

    def uploaded(self, file: File, file_id: str) -> None:
        """The file is with the provider; here it is not needed any more."""
        with self._writing():
            self._db.execute(
                "update provider_files set state = 'uploaded', file_id = ? where number = ?", (file_id, file.number)
            )
        self.spool_path(file.token).unlink(missing_ok=True)

    def created(self, file: File, batch_id: str) -> None:
        """The provider has made a batch of it."""
        with self._writing():
            self._db.execute(
                "update provider_files set state = 'created', batch_id = ? where number = ?", (batch_id, file.number)
            )

    def done(self, file: File, rest: Again | Declined) -> int:
        """All that came of the file is taken in; says what becomes of requests it brought nothing for, and how many."""
        with self._told():
            keys = self._db.execute(
                "select key from provider_requests where file = ? and state = 'waiting'", (file.number,)
            ).fetchall()
        self.take(file, ((key, rest, 0.0) for (key,) in keys))
        with self._writing():
            self._db.execute("update provider_files set state = 'done' where number = ?", (file.number,))
        self._reserved = self._sum_of_waiting()
        return len(keys)

    def queue_again(self, file: File) -> None:
        """The provider has no room for its batch yet: one is made of it later, under a new name."""
        with self._writing():
            self._db.execute(
                "update provider_files set state = 'uploaded', batch_id = null, token = ? where number = ?",
                (secrets.token_hex(8), file.number),
            )

    def key_at(self, file: File, line: int) -> str | None:
        """The request that stands on a line of a file."""
        with self._told():
            row = self._db.execute(
                "select key from provider_requests where file = ? and line = ?", (file.number, line)
            ).fetchone()
        return row[0] if row else None

    def smaller_files(self, file: File) -> bool:
        """Make files half as large as this one was; False where it held one request."""
        self._largest[file.address] = max(1, file.requests // 2)
        return file.requests > 1

    # --- replies ----------------------------------------------------------------------------------------------------

    def take(self, file: File, verdicts: Iterable[tuple[str, bytes | Again | Declined, float | None]]) -> None:
        """Keep what came down: key, what it means, and what it cost; None counts as the most it could have cost.

        Only requests that wait in this file count.
        """
        rest = iter(verdicts)
        while chunk := list(islice(rest, _CHUNK)):
            with self._writing():
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
        with self._writing():
            self._db.execute("delete from provider_requests where state != 'waiting'")
            self._db.execute("delete from provider_files where state = 'done'")

    def close(self) -> None:
        """Close the files and the database."""
        for address in list(self._spools):
            with suppress(InputError):
                self._close(address)
        self._db.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _unspool(self, file: File) -> None:
        self._db.execute("delete from provider_requests where file = ?", (file.number,))
        self._db.execute("delete from provider_files where number = ?", (file.number,))

    def _sum_of_waiting(self) -> float:
        with self._told():
            found = self._db.execute("select coalesce(sum(worst), 0) from provider_requests where state = 'waiting'")
            return float(found.fetchone()[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._told():
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

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            told = f"requests cannot be written beside {self.path}: {error.strerror or error}"
            raise InputError(told, hint="Make room there, or name another --journal.") from None
