from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from coach.batch.database import Database, chunks
from coach.errors import JournalError


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    opened = Database(path, timeout=0.1)
    opened.execute("create table notes (text)")
    yield opened
    opened.close()


def notes(db: Database) -> list[str]:
    return [text for (text,) in db.execute("select text from notes")]


def test_what_is_written_in_one_transaction_stands(db: Database) -> None:
    with db.writing():
        db.executemany("insert into notes values (?)", [("a",), ("b",)])
    assert notes(db) == ["a", "b"]


def test_a_transaction_that_ends_in_an_error_leaves_nothing(db: Database) -> None:
    def write() -> None:
        with db.writing():
            db.execute("insert into notes values ('a')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert notes(db) == []


def test_a_thread_waits_for_anothers_transaction(db: Database) -> None:
    def write() -> None:
        with db.writing():
            db.execute("insert into notes values ('second')")

    other = threading.Thread(target=write)
    with db.writing():
        other.start()
        db.execute("insert into notes values ('first')")
    other.join()
    assert notes(db) == ["first", "second"]


def test_many_keys_are_asked_for_a_statement_at_a_time() -> None:
    keys = list(range(1201))
    parts = list(chunks(keys))
    assert [len(p) for p in parts] == [500, 500, 201]
    assert [key for part in parts for key in part] == keys


# --- faults


def test_a_locked_file_is_told(db: Database, path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(JournalError, match="locked by another program"), db.writing():
        pass
    holder.close()


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        Database(tmp_path / "no" / "j.sqlite")


def test_a_file_that_cannot_be_written_is_told(db: Database) -> None:
    db.execute("pragma query_only = on")
    with pytest.raises(JournalError, match="read-only"), db.writing():
        db.execute("insert into notes values ('a')")


def test_what_no_words_are_known_for_is_told_in_sqlites(db: Database) -> None:
    with pytest.raises(JournalError, match="cannot be used: no such table: others"), db.alone():
        db.execute("select * from others")
