from __future__ import annotations

import errno
import fcntl
from pathlib import Path
from typing import IO

import pytest

from coach.errors import InputError
from coach.files import Replacing, require_writable, write_text


def test_text_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "é\n")
    assert (tmp_path / "a.md").read_bytes() == "é\n".encode()


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.md"]


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "no" / "a.md", "x")


def test_a_missing_folder_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        require_writable(tmp_path / "no" / "a.md")


def test_a_folder_in_place_of_a_file_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Is a directory"):
        require_writable(tmp_path)


def test_asking_beforehand_writes_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path / "a.md")
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    target.write_text("old", encoding="utf-8")

    def interrupted() -> None:
        with Replacing(target) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert target.read_text(encoding="utf-8") == "old"
    assert (tmp_path / "a.jsonl.part").read_text(encoding="utf-8") == "half"


def test_a_full_disk_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left"), Replacing(tmp_path / "a.jsonl"):
        raise OSError(28, "No space left on device")


def test_a_lone_surrogate_is_written_as_its_escape(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "a\ud800")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "a\\ud800"


def test_a_file_that_is_being_written_is_not_written_by_a_second(tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    with Replacing(target) as file:
        file.write("first")
        file.flush()
        with pytest.raises(InputError, match="is being written by another process"):
            write_text(target, "second")
    assert target.read_text(encoding="utf-8") == "first"


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.part").write_text("left by a longer run", encoding="utf-8")
    write_text(tmp_path / "a.jsonl", "new")
    assert (tmp_path / "a.jsonl").read_text(encoding="utf-8") == "new"


def test_who_comes_as_another_finishes_holds_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, part, lock = tmp_path / "a.jsonl", tmp_path / "a.jsonl.part", fcntl.flock

    def lock_late(file: IO[bytes], how: int) -> None:
        if not target.exists():
            part.replace(target)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with Replacing(target), pytest.raises(InputError, match="is being written"):
        write_text(target, "third")


def test_a_drive_without_locks_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: IO[bytes], how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_text(tmp_path / "a.md", "x")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "x"


def test_on_an_error_nothing_stays_of_a_file_that_is_worth_nothing_by_half(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Replacing(tmp_path / "a.txt", keeps=False):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
