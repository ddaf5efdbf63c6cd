"""A journal of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coach.batch.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    book = Journal(path, timeout=0.1)
    yield book
    book.close()
