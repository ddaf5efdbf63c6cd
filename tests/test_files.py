from __future__ import annotations

from pathlib import Path

import pytest

from coach.errors import InputError
from coach.files import Replacing, write_text


def test_text_is_written_whole(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "é\n")
    assert (tmp_path / "a.md").read_bytes() == "é\n".encode()


def test_nothing_is_left_beside_the_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.md"]


def test_a_missing_folder_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "no" / "a.md", "x")


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
