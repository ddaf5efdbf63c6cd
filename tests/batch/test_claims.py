from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from coach.batch import claims as claims_module
from coach.batch.journal import Journal
from coach.batch.records import Grade

A, B, C = b"a" * 32, b"b" * 32, b"c" * 32
GRADE = Grade(b'"status":"ok"}', "[50.0,3,{},[],[],[1,10,0,2,0,0.25]]")


def test_a_row_is_claimed_once(journal: Journal, path: Path) -> None:
    other = Journal(path)
    assert journal.claim([A, B]) == {A, B}
    assert other.claim([B, C]) == {C}
    other.close()


def test_ones_own_claim_is_claimed_again(journal: Journal) -> None:
    journal.claim([A])
    assert journal.claim([A]) == {A}


def test_a_graded_row_is_not_claimed(journal: Journal) -> None:
    journal.keep([(A, GRADE)])
    assert journal.claim([A, B]) == {B}


def test_a_grade_gives_the_row_free(journal: Journal) -> None:
    journal.claim([A])
    assert journal.info().claimed == 1
    journal.keep([(A, GRADE)])
    assert journal.info().claimed == 0


def test_a_failure_gives_the_row_free_and_is_noted(journal: Journal, path: Path) -> None:
    journal.claim([A])
    journal.fail(A, "timed out")
    other = Journal(path)
    assert other.claim([A]) == {A}
    assert other.info().causes == (("timed out", 1),)
    other.close()


def test_closing_gives_claims_free(journal: Journal, path: Path) -> None:
    other = Journal(path)
    other.claim([A])
    other.close()
    assert journal.claim([A]) == {A}


def test_claims_of_a_process_that_was_killed_are_taken_over(journal: Journal, path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from coach.batch.journal import Journal;"
        "Journal(Path(sys.argv[1])).claim([b'a' * 32]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert journal.claim([A]) == {A}


def test_a_process_gives_signs_of_life_while_its_rows_are_at_the_judge(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims_module, "BEAT", 0.01)
    busy, other = Journal(path), Journal(path)
    busy.claim([A])
    looks = sqlite3.connect(path, isolation_level=None)
    looks.execute("update owners set host = 'elsewhere', seen = 0")
    deadline = time.monotonic() + 10
    while looks.execute("select seen from owners").fetchone() == (0,):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert other.claim([A]) == set()
    for opened in (looks, other, busy):
        opened.close()


def test_signs_of_life_end_when_the_journal_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "BEAT", 0.01)
    before = threading.active_count()
    book = Journal(path)
    book.claim([A])
    book.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
