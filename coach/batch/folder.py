"""Grades kept in a folder that several machines share: files that one process each appends to, and nobody ever changes.

    OUT/_grades/00012.5f1c9a.log      a line a grade: key, when, facts, body, parted by tabs

A database in one file needs locks that network file systems do not keep to; appending to a file of one's own does not. A
line without its end was cut off by a kill and does not count.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np

from coach.batch.records import Grade
from coach.errors import JournalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "_grades"
_KEY_CHARS = 64


class Entries(NamedTuple):
    """Where grades stand in one log. Arrays of the same length."""

    path: str
    keys: NDArray[np.uint64]
    """First eight bytes of each key; the whole one is compared when the grade is read."""
    offsets: NDArray[np.int64]


def scan(path: Path) -> Entries:
    """Find the grades of a log, without reading more of each than its key."""
    keys, offsets, at = [], [], 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and len(line) > _KEY_CHARS:
                keys.append(int(line[:16], 16))
                offsets.append(at)
            at += len(line)
    return Entries(str(path), np.array(keys, dtype=np.uint64), np.array(offsets, dtype=np.int64))


class Index:
    """Grades of many logs by key: twenty bytes each. Where a key has several, the last log and line win.

    Args:
        logs: oldest first.
    """

    def __init__(self, logs: Iterable[Entries]) -> None:
        found = list(logs)
        self.paths = [e.path for e in found]
        keys = np.concatenate([np.empty(0, np.uint64), *(e.keys for e in found)])
        files = np.concatenate(
            [np.empty(0, np.uint32), *(np.full(len(e.keys), n, np.uint32) for n, e in enumerate(found))]
        )
        offsets = np.concatenate([np.empty(0, np.int64), *(e.offsets for e in found)])
        order = np.argsort(keys, kind="stable")
        self._keys, self._files, self._offsets = keys[order], files[order], offsets[order]

    def __len__(self) -> int:
        return len(self._keys)

    def places(self, key: bytes) -> list[tuple[str, int]]:
        """Where grades of a key may stand, latest first."""
        short = np.uint64(int.from_bytes(key[:8], "big"))
        low, high = np.searchsorted(self._keys, short, "left"), np.searchsorted(self._keys, short, "right")
        return [(self.paths[self._files[n]], int(self._offsets[n])) for n in range(high - 1, low - 1, -1)]


class FolderBook:
    """The grades that one process keeps for one piece, and all those it finds; see `GradeBook`.

    Args:
        folder: the output folder.
        piece: number of the piece.
        index: of logs that were there before the run.

    Raises:
        JournalError: the folder cannot be read.
    """

    def __init__(self, folder: Path, piece: int, index: Index) -> None:
        self._folder = folder / FOLDER
        self._piece = piece
        self._index = index
        self._log: IO[bytes] | None = None
        self._open: dict[str, IO[bytes]] = {}
        # What an earlier try at this very piece has kept since the index was made.
        try:
            own = [scan(path) for path in _in_order(self._folder.glob(f"{piece:05d}.*.log"))]
        except OSError as error:
            raise self._fault(error) from None
        self._own = Index(own)

    def found(self, keys: Sequence[bytes], *, since: float = 0.0) -> dict[bytes, Grade]:
        """See `GradeBook.found`."""
        try:
            read = {key: self._read(key, since) for key in keys}
        except OSError as error:
            raise self._fault(error) from None
        return {key: grade for key, grade in read.items() if grade is not None}

    def claim(self, keys: Sequence[bytes], *, since: float = 0.0) -> set[bytes]:
        """All of them: a piece is one process's work at a time."""
        return set(keys)

    def keep(self, grades: Sequence[tuple[bytes, Grade]]) -> None:
        """See `GradeBook.keep`; once this returns, no killing of the process loses them."""
        lines = [
            b"%b\t%.3f\t%b\t%b\n" % (key.hex().encode(), time.time(), grade.facts_json.encode(), grade.body)
            for key, grade in grades
        ]
        try:
            if self._log is None:
                name = f"{self._piece:05d}.{uuid.uuid4().hex[:12]}.log"
                self._log = (self._folder / name).open("ab", buffering=0)
            self._log.write(b"".join(lines))
        except OSError as error:
            raise self._fault(error) from None

    def fail(self, key: bytes, cause: str) -> None:
        """Failures stand in the output; the next run tries them again."""

    def close(self) -> None:
        """Close all files."""
        for file in (self._log, *self._open.values()):
            if file is not None:
                file.close()

    def _read(self, key: bytes, since: float) -> Grade | None:
        hexed = key.hex().encode()
        for path, offset in (*self._own.places(key), *self._index.places(key)):
            file = self._open.get(path)
            if file is None:
                file = self._open[path] = Path(path).open("rb")  # noqa: SIM115 - closed with the book
            file.seek(offset)
            named, at, facts, body = file.readline().rstrip(b"\n").split(b"\t", 3)
            if named == hexed and float(at) >= since:
                return Grade(body, facts.decode())
        return None

    def _fault(self, error: OSError) -> JournalError:
        told = f"grades cannot be kept in {self._folder}: {error.strerror or error}"
        return JournalError(told, hint="Is the folder there on every machine, writable and not full?")


def logs_of(folder: Path) -> list[Path]:
    """All logs of an output folder, oldest first."""
    return _in_order((folder / FOLDER).glob("*.log"))


def _in_order(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name))
