"""Files of requests, from the first line to the end of their batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coach.batch.database import Database
from coach.batch.request_files import File, Place, RequestFiles
from coach.errors import InputError
from coach.judges.chat import Quirks

HERE, THERE = "one model", "another model"
LINE = b"{}\n"
PLAIN = Quirks()
OTHER = Quirks(temperature=False)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "j.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def files(db: Database) -> Iterator[RequestFiles]:
    made = RequestFiles(db, requests=2, size=100)
    yield made
    made.close()


def write(db: Database, files: RequestFiles, line: bytes = LINE, *, to: str = HERE, quirks: Quirks = PLAIN) -> Place:
    place = files.write(to, line, quirks)
    with db.writing():
        files.count(place)
    return place


def spooled(files: RequestFiles) -> list[bytes]:
    return [files.spool_path(f.token).read_bytes() for f in files.to_send(all=True)]


def sent(db: Database, files: RequestFiles) -> File:
    write(db, files)
    (file,) = files.to_send(all=True)
    files.uploaded(file, "file-1")
    return file


def test_a_file_that_is_full_is_followed_by_the_next(db: Database, files: RequestFiles) -> None:
    assert [write(db, files) for _ in range(3)] == [(1, 1), (1, 2), (2, 1)]
    assert [f.requests for f in files.in_state("spooled")] == [2, 1]
    assert spooled(files) == [2 * LINE, LINE]


def test_a_file_holds_no_more_bytes_than_it_may(db: Database, files: RequestFiles) -> None:
    assert [write(db, files, 60 * b"x").file for _ in range(2)] == [1, 2]


def test_requests_of_one_file_go_to_one_address_and_are_put_in_one_way(db: Database, files: RequestFiles) -> None:
    places = [write(db, files), write(db, files, to=THERE), write(db, files, quirks=OTHER)]
    assert [p.file for p in places] == [1, 2, 3]
    assert [(f.address, f.quirks) for f in files.in_state("spooled")] == [(HERE, PLAIN), (THERE, PLAIN), (HERE, OTHER)]


def test_only_full_files_are_sent_while_others_are_being_written(db: Database, files: RequestFiles) -> None:
    write(db, files)
    assert (files.full(), files.to_send(all=False)) == (False, [])
    write(db, files)
    write(db, files)
    assert files.full()
    assert [f.number for f in files.to_send(all=False)] == [1]
    assert [f.number for f in files.to_send(all=True)] == [1, 2]


def test_a_file_lies_beside_the_journal_until_it_is_sent(db: Database, files: RequestFiles) -> None:
    file = sent(db, files)
    assert list(db.path.parent.glob("*.requests")) == []
    assert [(f.number, f.file_id) for f in files.in_state("uploaded")] == [(file.number, "file-1")]


def test_a_file_whose_batch_found_no_room_is_sent_under_a_new_name(db: Database, files: RequestFiles) -> None:
    file = sent(db, files)
    files.created(file, "batch-1")
    assert files.to_send(all=True) == []
    files.queue_again(file)
    (again,) = files.to_send(all=True)
    assert (again.number, again.file_id, again.batch_id) == (file.number, "file-1", None)
    assert again.token != file.token


def test_files_after_one_that_was_too_large_are_half_its_size(db: Database, files: RequestFiles) -> None:
    write(db, files)
    write(db, files)
    (file,) = files.to_send(all=True)
    assert files.smaller(file)
    assert [write(db, files).line for _ in range(2)] == [1, 1]
    assert not files.smaller(files.to_send(all=True)[-1])


def test_what_an_earlier_process_left_is_put_away(db: Database, files: RequestFiles) -> None:
    write(db, files)
    files.close()
    again = RequestFiles(db, requests=2, size=100)
    with db.writing():
        again.forget("spooled")
    again.delete_spooled()
    assert again.to_send(all=True) == []
    assert [p.name for p in db.path.parent.iterdir()] == ["j.sqlite"]


def test_a_place_that_cannot_be_written_is_told(
    db: Database, files: RequestFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "spool_path", lambda token: db.path.parent / "no" / token)
    with pytest.raises(InputError, match="requests cannot be written beside"):
        write(db, files)
