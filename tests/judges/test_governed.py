from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from coach.errors import JudgeUnavailable
from coach.flow import time_limit
from coach.judgement import Usage
from coach.judges import governed
from coach.judges.chat import ChatReply, ChatRequest, Message
from coach.judges.governed import GovernedEndpoint, SharedPace
from coach.judges.pace import START
from coach.judges.permits import Heard, Lease, Permits

REQUEST = ChatRequest((Message("user", "x"),), {"type": "object"}, "reply", max_tokens=100)
REPLY = ChatReply("{}", "stop", None, Usage(), "json_schema", "m")


class Local:
    """A governor in the same process, that can be dead."""

    def __init__(self, most: int | None = None) -> None:
        self.permits = Permits(most)
        self.told: list[Heard] = []
        self.deaths = 0

    async def heard(self, refusals: int) -> None:
        """Wait until so many refusals were told."""
        async with asyncio.timeout(60):
            while sum(heard.refusals for heard in self.told) < refusals:  # noqa: ASYNC110 - another loop may tell
                await asyncio.sleep(0.001)

    async def exchange(self, name: str, heard: Heard) -> Lease:
        await asyncio.sleep(0)
        if self.deaths:
            self.deaths -= 1
            raise ConnectionError("no such actor")
        self.told.append(heard)
        return self.permits.exchange(name, heard)


class Counting:
    """An endpoint that counts how many are at it at once."""

    model = identity = "m"
    thinks = False

    def __init__(self, calls: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0.001)) -> None:
        self.now = self.most = self.done = 0
        self._call = calls

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self._call()
        finally:
            self.now -= 1
        self.done += 1
        return REPLY

    async def aclose(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governed, "RENEW", 0.01)


async def calls(pace: SharedPace, endpoint: Counting, count: int) -> None:
    async with pace.exchanging():
        around = GovernedEndpoint(endpoint, pace)
        await asyncio.gather(*(around.complete(REQUEST) for _ in range(count)))


def test_two_processes_together_keep_to_the_number_asked_for() -> None:
    governor, endpoint = Local(3), Counting()

    async def go() -> None:
        await asyncio.gather(*(calls(SharedPace(governor), endpoint, 20) for _ in range(2)))

    asyncio.run(go())
    assert (endpoint.done, endpoint.most) == (40, 3)


def test_a_call_needs_no_exchange_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governed, "RENEW", 1000.0)
    governor, endpoint = Local(4), Counting()
    asyncio.run(calls(SharedPace(governor), endpoint, 100))
    assert endpoint.done == 100
    assert len(governor.told) < 10


def test_every_success_is_told_once() -> None:
    governor = Local()
    asyncio.run(calls(SharedPace(governor), Counting(), 50))
    assert sum(heard.went_well for heard in governor.told) == 50


def test_permits_are_given_back_at_the_end() -> None:
    governor = Local()
    asyncio.run(calls(SharedPace(governor), Counting(), 50))
    assert governor.permits.exchange("another", Heard(wanted=99)).permits == governor.permits.limit


def test_a_pace_serves_one_event_loop_after_the_other() -> None:
    pace, endpoint = SharedPace(Local()), Counting()
    for _ in range(2):
        asyncio.run(calls(pace, endpoint, 5))
    assert endpoint.done == 10


def test_a_governor_that_dies_loses_no_call() -> None:
    governor, endpoint = Local(2), Counting()
    governor.deaths = 3
    asyncio.run(calls(SharedPace(governor), endpoint, 10))
    assert endpoint.done == 10


def test_what_a_dead_governor_did_not_hear_is_told_again() -> None:
    governor = Local()
    pace = SharedPace(governor)

    async def go() -> None:
        async with pace.exchanging():
            await pace.acquire()
            governor.deaths = 2
            pace.held_up()
            await governor.heard(refusals=1)
            pace.release()

    asyncio.run(go())
    assert governor.permits.limit == START / 2


def test_a_wait_is_told_to_the_others() -> None:
    governor = Local()
    one, other = SharedPace(governor), SharedPace(governor)

    async def go() -> None:
        async with one.exchanging(), other.exchanging():
            await other.acquire()
            one.held_up(50.0)
            await governor.heard(refusals=1)
            other.release()
        # What ends tells once more, and hears what all were told.

    asyncio.run(go())
    assert other.pause > 40


def test_a_call_that_waits_for_its_next_try_leaves_its_permit_to_another() -> None:
    governor = Local(1)
    resting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await resting.wait()

    pace = SharedPace(governor, sleep=sleep)

    async def again() -> None:
        await pace.rest(1.0)

    async def go() -> int:
        first, second = Counting(again), Counting()
        async with pace.exchanging():
            task = asyncio.create_task(GovernedEndpoint(first, pace).complete(REQUEST))
            await GovernedEndpoint(second, pace).complete(REQUEST)
            resting.set()
            await task
        return first.done + second.done

    assert asyncio.run(go()) == 2


def test_calls_that_are_cancelled_leave_all_permits_free() -> None:
    governor = Local(2)
    pace = SharedPace(governor)

    async def for_ever() -> None:
        await pace.rest(1000.0)

    async def go() -> None:
        async with pace.exchanging():
            around = GovernedEndpoint(Counting(for_ever), pace)
            tasks = [asyncio.create_task(around.complete(REQUEST)) for _ in range(5)]
            await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(go())
    assert pace._held == 0


def test_a_call_that_fails_gives_its_permit_back() -> None:
    governor = Local(1)
    pace = SharedPace(governor)

    async def broken() -> None:
        raise JudgeUnavailable("gone")

    async def go() -> None:
        async with pace.exchanging():
            for _ in range(3):
                with pytest.raises(JudgeUnavailable):
                    await GovernedEndpoint(Counting(broken), pace).complete(REQUEST)

    asyncio.run(go())
    assert sum(heard.went_well for heard in governor.told) == 0


def test_waiting_for_a_permit_does_not_count_towards_a_time_limit() -> None:
    governor = Local(1)
    pace = SharedPace(governor)

    async def go() -> None:
        async with pace.exchanging():
            await pace.acquire()
            async with time_limit(0.01):
                waiting = asyncio.create_task(pace.acquire())
                await asyncio.sleep(0)
                asyncio.get_running_loop().call_later(0.05, pace.release)
                await waiting
            pace.release()

    asyncio.run(go())
    assert pace._held == 0
