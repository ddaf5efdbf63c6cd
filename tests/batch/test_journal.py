from __future__ import annotations

import errno
import os
import resource
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from coach.batch.journal import Journal, default_journal
from coach.batch.records import Grade
from coach.errors import JournalError

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
GRADE = Grade(b'"status":"ok"}', "[50.0,3,{},[],[],[1,10,0,2,0,0.25]]")
OTHER = Grade(b'"status":"ok","n":2}', "[null,null,{},[],[],[1,10,0,2,0,null]]")


def test_a_kept_grade_is_found_by_its_key(journal: Journal) -> None:
    journal.keep([(A, GRADE)])
    assert journal.found([A, B]) == {A: GRADE}


def test_a_kept_grade_is_found_after_closing(path: Path) -> None:
    for _ in range(2):
        book = Journal(path)
        book.keep([(A, GRADE)])
        book.close()
    again = Journal(path)
    assert again.found([A]) == {A: GRADE}
    again.close()


def test_more_keys_than_fit_one_statement_are_found(journal: Journal) -> None:
    keys = [n.to_bytes(32, "big") for n in range(1201)]
    journal.keep([(k, GRADE) for k in keys])
    assert len(journal.found(keys)) == 1201


def test_a_grade_made_before_a_moment_can_be_left_out(journal: Journal) -> None:
    journal.keep([(A, GRADE)])
    assert journal.found([A], since=time.time() + 1) == {}


def test_a_later_grade_takes_the_place_of_the_first(journal: Journal) -> None:
    journal.keep([(A, GRADE)])
    journal.keep([(A, OTHER)])
    assert journal.found([A]) == {A: OTHER}


@pytest.mark.parametrize("count", [2, 250])
def test_grades_kept_together_are_kept_all_or_none(journal: Journal, count: int) -> None:
    grades = [(n.to_bytes(32, "big"), GRADE) for n in range(count)]
    broken = Grade(GRADE.body, cast("str", None))
    with pytest.raises(JournalError):
        journal.keep([*grades, (A, broken)])
    assert journal.info().grades == 0


def test_keeping_nothing_is_nothing(journal: Journal) -> None:
    journal.keep([])
    assert journal.info().grades == 0


def test_a_grade_makes_a_failure_good(journal: Journal) -> None:
    journal.fail(A, "timed out")
    journal.keep([(A, GRADE)])
    assert journal.info().causes == ()


# --- looking in


def test_what_a_journal_holds_is_counted(journal: Journal) -> None:
    journal.keep([(A, GRADE), (B, OTHER)])
    info = journal.info()
    assert (info.grades, info.abstained, info.cost_usd, info.claimed) == (2, 1, 0.25, 0)


def test_all_grades_come_oldest_first(journal: Journal) -> None:
    journal.keep([(B, GRADE)])
    journal.keep([(A, OTHER)])
    assert [(k.key, k.grade) for k in journal.all()] == [(B, GRADE), (A, OTHER)]


def test_vacuum_folds_the_log_into_the_file(journal: Journal, path: Path) -> None:
    journal.keep([(A, GRADE)])
    journal.vacuum()
    assert path.with_name("j.sqlite-wal").stat().st_size == 0
    assert journal.found([A]) == {A: GRADE}


def test_the_journal_of_an_output_lies_beside_it() -> None:
    assert default_journal(Path("out/reports.jsonl")) == Path("out/reports.jsonl.journal.sqlite")


# --- faults


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to be taken for one\n" * 100)


def another_database(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table notes (text)")
    db.close()


def damaged(path: Path) -> None:
    book = Journal(path)
    book.keep([(n.to_bytes(32, "big"), GRADE) for n in range(2000)])
    book.vacuum()
    book.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(no_database, "is no journal of coach"), (another_database, "no journal of coach"), (damaged, "is damaged")],
)
def test_a_file_that_cannot_be_used_is_told_and_left_alone(
    path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=message):
        Journal(path).keep([(A, GRADE)])
    assert path.read_bytes() == before


def test_a_journal_of_another_format_is_refused(path: Path) -> None:
    Journal(path).close()
    with sqlite3.connect(path) as db:
        db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="another version"):
        Journal(path)


def test_a_full_disk_is_told_and_nothing_kept_is_lost(journal: Journal, path: Path) -> None:
    journal.keep([(A, GRADE)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = path.with_name("j.sqlite-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, before[1]))
    try:
        with pytest.raises(JournalError, match=r"disk|read or written"):
            journal.keep([(B, Grade(os.urandom(100_000), "[]"))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert journal.found([A, B]) == {A: GRADE}
    journal.keep([(B, OTHER)])
    assert journal.found([B]) == {B: OTHER}


def test_a_journal_that_must_exist_is_not_made(path: Path) -> None:
    with pytest.raises(JournalError, match=os.strerror(errno.ENOENT) + "|no journal here"):
        Journal(path, must_exist=True)
    assert not path.exists()


def test_a_new_journal_syncs_like_one_that_was_there(tmp_path: Path) -> None:
    for _ in range(2):
        journal = Journal(tmp_path / "j.sqlite")
        found = [journal._db.execute(f"pragma {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        journal.close()
        assert found == ["wal", 1]
