from __future__ import annotations

import asyncio

import pytest

from coach.portal import Portal


async def nothing() -> None:
    pass


async def answer() -> int:
    return 42


def test_a_coroutine_runs_to_its_result() -> None:
    portal = Portal()
    assert portal.run(answer()) == 42
    portal.close(nothing)


def test_it_works_inside_a_running_loop() -> None:
    portal = Portal()

    async def notebook() -> int:
        return portal.run(answer())

    assert asyncio.run(notebook()) == 42
    portal.close(nothing)


def test_all_runs_share_one_loop() -> None:
    portal = Portal()

    async def loop() -> int:
        return id(asyncio.get_running_loop())

    assert portal.run(loop()) == portal.run(loop())
    portal.close(nothing)


def test_an_error_reaches_the_caller() -> None:
    portal = Portal()

    async def fails() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        portal.run(fails())
    portal.close(nothing)


def test_closing_runs_the_last_work_on_the_loop() -> None:
    portal = Portal()
    portal.run(answer())
    closed = []

    async def last() -> None:
        closed.append(True)

    portal.close(last)
    assert closed == [True]


def test_closing_what_was_never_started_does_nothing() -> None:
    closed = []

    async def last() -> None:
        closed.append(True)

    Portal().close(last)
    assert closed == []
