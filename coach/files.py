"""Files: written whole or not at all, and read line by line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, TextIO

from coach.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment] # a module elsewhere


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text beside `path` and rename, so that no half file ever has the final name.

    Raises:
        InputError: the folder is missing, not writable, or the disk is full.
    """
    with Replacing(path) as file:
        file.write(text)


def require_writable(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done for it.

    Raises:
        InputError: it is a folder, or its own folder is missing or not writable.
    """
    if path.is_dir():
        raise _unwritable(path, OSError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if path.exists() and not path.is_file():
        return
    if not path.parent.is_dir():
        raise _unwritable(path, OSError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if not os.access(path.parent, os.W_OK):
        raise _unwritable(path, OSError(errno.EACCES, os.strerror(errno.EACCES)))


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path} cannot be written: {error.strerror or error}", hint="Choose a folder that exists and is writable."
    )


_BUFFER = 1 << 18


class Replacing:
    """A file for writing that gets its final name only when all went well; bytes go to its `buffer`.

    Use as `with Replacing(path) as file`. On an error what was written so far stays beside it as `NAME.part`. While one
    process writes, others are refused. A path that is no ordinary file, as /dev/stdout, is written to directly.

    Args:
        path: its final name.
        keeps: whether what was written so far stays on an error.
    """

    def __init__(self, path: Path, *, keeps: bool = True) -> None:
        self._path, self._keeps = path, keeps
        direct = path.exists() and not path.is_file()
        self._part = path if direct else path.with_name(f"{path.name}.part")
        self._hold = ExitStack()

    def __enter__(self) -> TextIO:
        """Open the part file.

        Raises:
            InputError: it cannot be opened, or another process is writing it.
        """
        with ExitStack() as hold:
            try:
                if self._part != self._path:
                    hold.enter_context(_held(self._part))
                self._file = self._part.open(
                    "w", buffering=_BUFFER, encoding="utf-8", errors="backslashreplace", newline="\n"
                )
            except BlockingIOError:
                raise InputError(
                    f"{self._path} is being written by another process",
                    hint="Let that one finish, or write to another file.",
                ) from None
            except OSError as error:
                raise _unwritable(self._path, error) from None
            self._hold = hold.pop_all()
        return self._file

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and rename if nothing was raised."""
        # Let go last: whoever came between closing and renaming would empty a finished file.
        with self._hold:
            try:
                self._file.close()
                if self._part != self._path:
                    if kind is None:
                        self._part.replace(self._path)
                    elif not self._keeps:
                        self._part.unlink(missing_ok=True)
            except OSError as failed:
                raise _unwritable(self._path, failed) from None
        if isinstance(error, OSError):
            raise _unwritable(self._path, error) from None


@contextmanager
def _held(part: Path) -> Iterator[None]:
    """Hold a file, made where it is missing, against other processes; what stands in it stays.

    Without locks (Windows, some network drives) nobody is kept out.

    Raises:
        BlockingIOError: another process holds it.
        OSError: it cannot be opened.
    """
    if fcntl is None:
        yield
        return
    while True:
        with part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:
                pass  # a drive without locks
            # Between opening and locking, the one who held it may have given it its final name.
            if _is_at(file, part):
                yield
                return


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a JSONL file that hold anything, with their numbers from 1.

    Only a line feed ends a line: JSON strings may hold the other characters that `str.splitlines` splits at.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            yield number, line
