"""Files of requests on their way to a provider: a table in the journal's file, and the files to be sent.

    provider_files     one file of requests each: written, sent up, made a batch of, done with

A file is spooled beside the journal and deleted once it is sent. What its requests are, and what became of each, is the
outbox's to know.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal, NamedTuple

from coach.batch.database import Database
from coach.errors import InputError
from coach.judges.chat import Quirks

_SCHEMA = (
    "create table if not exists provider_files (number integer primary key, address text not null,"
    " token text not null unique, quirks text not null, requests integer not null, state text not null, file_id text,"
    " batch_id text)"
)

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


class Place(NamedTuple):
    """Where a request stands."""

    file: int
    """The file's number."""
    line: int
    """From 1."""


class _Spool:
    """A file being written; all its requests are put with the same quirks."""

    def __init__(self, number: int, file: IO[bytes], quirks: Quirks, *, requests: int, size: int) -> None:
        self.number, self.file = number, file
        self._quirks, self._most_lines, self._most_bytes = quirks, requests, size
        self._lines = self._bytes = 0

    def fits(self, line: bytes, quirks: Quirks) -> bool:
        """Whether one more request may go in."""
        room = self._lines < self._most_lines and self._bytes + len(line) <= self._most_bytes
        return room and quirks == self._quirks

    def write(self, line: bytes) -> Place:
        """Add one."""
        self.file.write(line)
        self._lines += 1
        self._bytes += len(line)
        return Place(self.number, self._lines)


class RequestFiles:
    """The files of one journal.

    Args:
        db: the journal's file.
        requests: in one file at most.
        size: bytes of one file at most.

    Raises:
        JournalError: the journal cannot be used.
    """

    def __init__(self, db: Database, *, requests: int, size: int) -> None:
        self._db = db
        self._requests, self._size = requests, size
        self._smaller: dict[str, int] = {}
        self._spools: dict[str, _Spool] = {}
        with db.alone():
            db.execute(_SCHEMA)

    # --- written ----------------------------------------------------------------------------------------------------

    def write(self, address: str, line: bytes, quirks: Quirks) -> Place:
        """Add a request to the file for its address. A file that is full is closed, and the next one begun.

        Raises:
            InputError: there is no room on the disk.
            JournalError: the journal cannot be used.
        """
        spool = self._spools.get(address)
        if spool is None or not spool.fits(line, quirks):
            spool = self._begin(address, quirks)
        with self._writable():
            return spool.write(line)

    def count(self, place: Place) -> None:
        """Note that the file holds requests up to this one; within a transaction of the caller's."""
        self._db.execute("update provider_files set requests = ? where number = ?", (place.line, place.file))

    def smaller(self, file: File) -> bool:
        """From now on make files half as large as this one was; False where it held one request."""
        self._smaller[file.address] = max(1, file.requests // 2)
        return file.requests > 1

    def spool_path(self, token: str) -> Path:
        """Where a file lies until it is sent."""
        return self._db.path.with_name(f"{self._db.path.name}.{token}.requests")

    def _begin(self, address: str, quirks: Quirks) -> _Spool:
        self._close(address)
        token = secrets.token_hex(8)
        with self._db.writing():
            made = self._db.execute(
                "insert into provider_files (address, token, quirks, requests, state) values (?, ?, ?, 0, 'spooled')",
                (address, token, quirks.model_dump_json()),
            )
            number = int(made.lastrowid or 0)
        with self._writable():
            file = self.spool_path(token).open("wb")
        requests = self._smaller.get(address, self._requests)
        spool = self._spools[address] = _Spool(number, file, quirks, requests=requests, size=self._size)
        return spool

    def _close(self, address: str) -> None:
        spool = self._spools.pop(address, None)
        if spool is not None:
            with self._writable():
                spool.file.close()

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            told = f"requests cannot be written beside {self._db.path}: {error.strerror or error}"
            raise InputError(told, hint="Make room there, or name another --journal.") from None

    # --- sent -------------------------------------------------------------------------------------------------------

    def in_state(self, *states: FileState) -> list[File]:
        """Files in these states, oldest first."""
        marks = ",".join("?" * len(states))
        names = ", ".join(File._fields)
        with self._db.alone():
            rows = self._db.execute(
                f"select {names} from provider_files where state in ({marks}) order by number",  # noqa: S608 - names and marks
                states,
            ).fetchall()
        return [f._replace(quirks=Quirks.model_validate_json(r[3])) for r in rows for f in (File._make(r),)]

    def full(self) -> bool:
        """Whether a file is full and can be sent while others are still being written."""
        writing = self._being_written()
        return any(f.number not in writing for f in self.in_state("spooled"))

    def to_send(self, *, all: bool) -> list[File]:
        """Files to be sent: those that are full, or all."""
        if all:
            for address in list(self._spools):
                self._close(address)
        writing = self._being_written()
        return [f for f in self.in_state("spooled", "uploaded") if f.number not in writing]

    def uploaded(self, file: File, file_id: str) -> None:
        """The file is with the provider; here it is not needed any more."""
        with self._db.writing():
            self._db.execute(
                "update provider_files set state = 'uploaded', file_id = ? where number = ?", (file_id, file.number)
            )
        self.spool_path(file.token).unlink(missing_ok=True)

    def created(self, file: File, batch_id: str) -> None:
        """The provider has made a batch of it."""
        with self._db.writing():
            self._db.execute(
                "update provider_files set state = 'created', batch_id = ? where number = ?", (batch_id, file.number)
            )

    def queue_again(self, file: File) -> None:
        """The provider has no room for its batch yet: one is made of it later, under a new name."""
        with self._db.writing():
            self._db.execute(
                "update provider_files set state = 'uploaded', batch_id = null, token = ? where number = ?",
                (secrets.token_hex(8), file.number),
            )

    def done(self, file: File) -> None:
        """Nothing more comes of it."""
        with self._db.writing():
            self._db.execute("update provider_files set state = 'done' where number = ?", (file.number,))

    def _being_written(self) -> set[int]:
        return {s.number for s in self._spools.values()}

    # --- put away ---------------------------------------------------------------------------------------------------

    def forget(self, *states: FileState) -> None:
        """Forget files in these states; within a transaction of the caller's."""
        marks = ",".join("?" * len(states))
        self._db.execute(f"delete from provider_files where state in ({marks})", states)  # noqa: S608 - only marks

    def delete_spooled(self) -> None:
        """Delete what lies beside the journal, left there by an earlier process."""
        path = self._db.path
        for left in path.parent.glob(f"{path.name}.*.requests"):
            left.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files that are being written."""
        for address in list(self._spools):
            with suppress(InputError):
                self._close(address)
