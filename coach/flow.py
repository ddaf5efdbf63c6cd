"""Blocking work beside an event loop, one piece after the other; time limits that stand still where they are told to."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Call(NamedTuple):
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    result: asyncio.Future[Any]


class Lane:
    """A thread that does what it is given, in order.

    The thread is a daemon: a read that waits for more input must not keep a program alive that was told to end, as the
    threads of `asyncio.to_thread` would.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def do(self, work: Callable[[], T]) -> T:
        """Run `work` in the thread and return its result, or raise its error."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        self._calls.put(_Call(work, loop, result))
        return await result

    def end(self) -> None:
        """Let the thread go once it has done what it was given."""
        self._calls.put(None)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            value, error = None, None
            try:
                value = call.work()
            except BaseException as raised:
                error = raised
            if not call.loop.is_closed():
                call.loop.call_soon_threadsafe(_settle, call.result, value, error)


def _settle(result: asyncio.Future[Any], value: object, error: BaseException | None) -> None:
    if result.cancelled():
        return
    if error is None:
        result.set_result(value)
    elif isinstance(error, StopIteration):
        result.set_exception(RuntimeError("work of a lane raised StopIteration"))
    else:
        result.set_exception(error)


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """As `asyncio.timeout`, but time in `standing_still` does not count, here or in tasks begun here.

    Raises:
        TimeoutError: the time is over.
    """
    async with asyncio.timeout(seconds) as timeout:
        token = _limit.set(_Limit(timeout))
        try:
            yield
        finally:
            _limit.reset(token)


@contextmanager
def standing_still() -> Iterator[None]:
    """The `time_limit` around this, if there is one, stands still."""
    limit = _limit.get()
    if limit is None:
        yield
        return
    limit.hold()
    try:
        yield
    finally:
        limit.go_on()


class _Limit:
    """A time limit that several may hold up at once."""

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        self._holders = 0
        self._left = 0.0

    def hold(self) -> None:
        self._holders += 1
        when = self._timeout.when()
        if when is not None:
            self._left = when - asyncio.get_running_loop().time()
            self._move(None)

    def go_on(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._move(asyncio.get_running_loop().time() + self._left)

    def _move(self, when: float | None) -> None:
        # A limit that is over cannot be moved, and need not be.
        with suppress(RuntimeError):
            self._timeout.reschedule(when)


_limit: ContextVar[_Limit | None] = ContextVar("limit", default=None)
