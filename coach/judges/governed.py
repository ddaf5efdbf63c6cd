"""Calls that need a permit of a pace that many processes share; see `permits` for who may have how many under way."""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from coach.flow import standing_still
from coach.judges.chat import Around, ChatEndpoint, ChatReply, ChatRequest
from coach.judges.pace import Pace
from coach.judges.permits import Heard, Lease

RENEW = 1.0
"""Seconds between exchanges while there are calls; sooner when the endpoint refuses, or when permits run short."""
GIVE_BACK = 5.0
"""Seconds that giving permits back may take; those of a lease that nobody gives back end with it."""


class Governor(Protocol):
    """Hands out permits to all processes."""

    async def exchange(self, name: str, heard: Heard) -> Lease:
        """See `Permits.exchange`."""


class SharedPace(Pace):
    """One process's part of the pace that many share. Without a valid lease no call starts; none is lost, it waits.

    Args:
        governor: of all processes.
        clock: seconds, monotonic.
        sleep: how a call's wait before its next try is spent.
    """

    def __init__(
        self,
        governor: Governor,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(clock)
        self._governor, self._sleep = governor, sleep
        self._name = uuid.uuid4().hex
        self._lease, self._until = Lease(0, 0.0), 0.0
        self._line: deque[asyncio.Future[None]] = deque()
        """Calls that wait for a permit."""
        self._held = 0
        self._news, self._told = Heard(), Heard()
        self._poked = asyncio.Event()

    # --- what engine and endpoint know of a pace --------------------------------------------------------------------

    @property
    def limit(self) -> int:
        """Any number of answers: it is their calls that need a permit."""
        return sys.maxsize

    def went_well(self, under_way: int) -> None:
        """Nothing to learn from an answer: its calls are counted one by one."""

    def held_up(self, wait: float | None = None) -> None:
        """See `Pace.held_up`; all processes are told."""
        self._news = self._news._replace(refusals=self._news.refusals + 1)
        if wait is not None:
            self.wait(wait)
        self._poked.set()

    def wait(self, seconds: float) -> None:
        """See `Pace.wait`; all processes are told."""
        if seconds > 0:
            super().wait(seconds)
            self._news = self._news._replace(wait=max(seconds, self._news.wait))
            self._poked.set()

    async def rest(self, seconds: float) -> None:
        """See `Pace.rest`; meanwhile the permit is another call's, and the next try needs one again."""
        self.release()
        try:
            await self._sleep(seconds)
            await self.acquire()
        except BaseException:
            # Whoever began the call gives back a permit at its end.
            self._held += 1
            raise

    # --- permits ----------------------------------------------------------------------------------------------------

    async def acquire(self) -> None:
        """Wait for a permit. A `time_limit` stands still meanwhile."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self._let_in()
        if not place.done() and self._wanted > self._told.wanted:
            self._poked.set()
        try:
            with standing_still():
                await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.release()
            elif place in self._line:
                self._line.remove(place)
            raise

    def release(self) -> None:
        """Give a permit back."""
        self._held -= 1
        self._let_in()

    def succeeded(self) -> None:
        """A call went well, whose permit is still held."""
        self._news = self._news._replace(went_well=self._news.went_well + 1)

    @property
    def _wanted(self) -> int:
        return self._held + len(self._line)

    def _let_in(self) -> None:
        while self._line and self._held < self._lease.permits and self._clock() < self._until and self.pause <= 0:
            place = self._line.popleft()
            if not place.done():
                self._held += 1
                place.set_result(None)
        self._note()

    def _note(self) -> None:
        news = self._news
        self._news = news._replace(most=max(news.most, self._held), wanted=max(news.wanted, self._wanted))

    # --- exchanges --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def exchanging(self) -> AsyncIterator[None]:
        """Permits are to be had inside of this, in the event loop that it is entered in."""
        self._poked = asyncio.Event()
        work = asyncio.create_task(self._keep_up())
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._news = self._news._replace(wanted=0)
            if self._told != Heard():
                with suppress(Exception):
                    async with asyncio.timeout(GIVE_BACK):
                        await self._exchange()

    async def _keep_up(self) -> None:
        while True:
            idle = self._told == Heard() and self._news == Heard()
            with suppress(TimeoutError):
                async with asyncio.timeout(None if idle else RENEW):
                    await self._poked.wait()
            self._poked.clear()
            # Whatever befell the governor: what was not told is told the next time, and calls wait for a lease.
            with suppress(Exception):
                await self._exchange()

    async def _exchange(self) -> None:
        self._note()
        told = self._news._replace(held=self._held)
        self._news = Heard()
        self._note()
        try:
            lease = await self._governor.exchange(self._name, told)
        except BaseException:
            news = self._news
            self._news = news._replace(
                went_well=news.went_well + told.went_well,
                refusals=news.refusals + told.refusals,
                wait=max(news.wait, told.wait),
            )
            raise
        self._told, self._lease, self._until = told, lease, self._clock() + lease.seconds
        super().wait(lease.pause)
        self._let_in()
        if self.pause > 0:
            asyncio.get_running_loop().call_later(self.pause, self._let_in)


class GovernedEndpoint(Around):
    """Passes calls on as there are permits.

    Args:
        endpoint: the real one, which tells `pace` of refusals and rests between tries with it.
        pace: the one it was made with.
    """

    def __init__(self, endpoint: ChatEndpoint, pace: SharedPace) -> None:
        super().__init__(endpoint)
        self._pace = pace

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`. Waiting for a permit does not count towards a `time_limit`."""
        await self._pace.acquire()
        try:
            reply = await self._endpoint.complete(request, on_text=on_text)
            self._pace.succeeded()
            return reply
        finally:
            self._pace.release()
