"""Connections in pools of one each.

A pool looks, for every request and again after it, at each of its idle connections: two calls of the system for each. With as
many as a batch keeps open that is a quarter of all the processor time of a call. Here a request takes the pool used last that is
free, and looks at its connection alone.
"""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Callable

import httpx2


def direct() -> bool:
    """Whether no proxy is set in the environment; a transport of our own would pass it by."""
    return not urllib.request.getproxies()


class Lanes(httpx2.AsyncBaseTransport):
    """A transport that opens as many pools as there are requests at once.

    Args:
        limits: of each pool.
    """

    def __init__(self, limits: httpx2.Limits) -> None:
        context = httpx2.create_ssl_context()
        one = httpx2.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=limits.keepalive_expiry)
        self._open: Callable[[], httpx2.AsyncHTTPTransport] = lambda: httpx2.AsyncHTTPTransport(
            verify=context, limits=one
        )
        self._all: list[httpx2.AsyncHTTPTransport] = []
        self._free: list[httpx2.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        lane = self._free.pop() if self._free else self._another()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            self._free.append(lane)
            raise
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Held(response.stream, lambda: self._free.append(lane))
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        for lane in self._all:
            await lane.aclose()

    def _another(self) -> httpx2.AsyncHTTPTransport:
        lane = self._open()
        self._all.append(lane)
        return lane


class _Held(httpx2.AsyncByteStream):
    """A response's body, whose end frees what it came through."""

    def __init__(self, body: httpx2.AsyncByteStream, free: Callable[[], None]) -> None:
        self._body, self._let_go = body, [free]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._body:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            while self._let_go:
                self._let_go.pop()()
