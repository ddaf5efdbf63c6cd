"""Rows taken as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from coach.batch.intake import Ahead
from coach.batch.rows import Row
from coach.errors import InputError


def row(line: int) -> Row:
    return Row(line, {})


def lines(rows: list[Row]) -> list[int]:
    return [r.line for r in rows]


class Stream:
    """Two rows, the second of which comes when it is sent."""

    def __init__(self) -> None:
        self.sent = threading.Event()

    def __iter__(self) -> Iterator[Row]:
        yield row(1)
        self.sent.wait(10)
        yield row(2)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_row_is_handed_on_before_the_next_one_comes() -> None:
    stream = Stream()
    ahead = Ahead(iter(stream))
    assert lines(ahead.take(5)) == [1]
    assert not stream.sent.is_set()
    stream.sent.set()
    assert lines(ahead.take(5)) == [2]
    assert ahead.take(5) == []


def test_rows_that_are_there_come_together_in_order() -> None:
    ahead = Ahead(row(n) for n in range(7))
    assert [lines(ahead.take(3)) for _ in range(4)] == [[0, 1, 2], [3, 4, 5], [6], []]


def test_no_more_is_read_than_is_asked_for() -> None:
    read: list[int] = []

    def endless() -> Iterator[Row]:
        while True:
            read.append(1)
            yield row(len(read))

    ahead = Ahead(endless())
    ahead.take(3)
    ahead.take(2)
    assert len(read) == 5


def test_a_fault_of_the_input_is_raised() -> None:
    def broken() -> Iterator[Row]:
        raise InputError("the disk is gone")
        yield row(1)

    with pytest.raises(InputError, match="the disk is gone"):
        Ahead(broken()).take(3)


def test_the_thread_ends_with_the_work() -> None:
    before = threading.active_count()
    ahead = Ahead(row(n) for n in range(7))
    ahead.take(3)
    ahead.end()
    until(lambda: threading.active_count() == before)
    assert ahead.take(3) == []
