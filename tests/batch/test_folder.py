from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from coach.batch.folder import FOLDER, FolderBook, Index, logs_of, scan
from coach.batch.records import Grade
from coach.errors import JournalError

A, B = b"a" * 32, b"b" * 32
GRADE = Grade(b'"status":"ok"}', "[50.0,3,{},[],[],[1,10,0,2,0,0.25]]")
OTHER = Grade(b'"status":"ok","n":2}', "[null,null,{},[],[],[1,10,0,2,0,null]]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def book(folder: Path, piece: int = 0) -> FolderBook:
    return FolderBook(folder, piece, Index([scan(p) for p in logs_of(folder)]))


def found(folder: Path, *keys: bytes, piece: int = 0, since: float = 0.0) -> dict[bytes, Grade]:
    with closing(book(folder, piece)) as made:
        return made.found(keys, since=since)


def kept(folder: Path, piece: int, *grades: tuple[bytes, Grade]) -> None:
    made = book(folder, piece)
    made.keep(grades)
    made.close()


def test_a_grade_kept_for_one_piece_is_found_by_another(folder: Path) -> None:
    kept(folder, 0, (A, GRADE))
    assert found(folder, A, B, piece=7) == {A: GRADE}


def test_a_piece_finds_what_an_earlier_try_kept_after_the_index_was_made(folder: Path) -> None:
    index = Index([])
    kept(folder, 3, (A, GRADE))
    for piece, expected in ((3, {A: GRADE}), (4, {})):
        with closing(FolderBook(folder, piece, index)) as made:
            assert made.found([A]) == expected


def test_the_latest_grade_of_a_key_counts(folder: Path) -> None:
    kept(folder, 0, (A, GRADE))
    time.sleep(0.01)
    kept(folder, 1, (A, OTHER))
    assert found(folder, A, piece=2) == {A: OTHER}


def test_older_grades_can_be_left_out(folder: Path) -> None:
    kept(folder, 0, (A, GRADE))
    assert found(folder, A, since=time.time() + 1) == {}


def test_a_line_that_was_cut_off_does_not_count_and_spoils_nothing(folder: Path) -> None:
    kept(folder, 0, (A, GRADE), (B, GRADE))
    (log,) = logs_of(folder)
    whole = log.read_bytes()
    for length in range(0, len(whole), 7):
        log.write_bytes(whole[:length])
        assert set(found(folder, A, B)) == ({A} if b"\n" in whole[:length] else set())


def test_keys_that_begin_alike_are_told_apart(folder: Path) -> None:
    near = A[:8] + B[:24]
    kept(folder, 0, (A, GRADE), (near, OTHER))
    assert found(folder, A, near) == {A: GRADE, near: OTHER}


def test_a_process_that_keeps_nothing_leaves_no_file(folder: Path) -> None:
    made = book(folder)
    assert made.claim([A]) == {A}
    made.fail(A, "timed out")
    made.close()
    assert logs_of(folder) == []


def test_a_folder_that_is_gone_is_told(folder: Path) -> None:
    made = book(folder)
    (folder / FOLDER).rmdir()
    with pytest.raises(JournalError, match="cannot be kept"):
        made.keep([(A, GRADE)])
