"""Connections in pools of one each, against a server on loopback that counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from coach.judges.lanes import Lanes, direct

LIMITS = httpx2.Limits(keepalive_expiry=5.0)
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def counted(work: Callable[[httpx2.AsyncClient, str], Awaitable[None]], *, reply: bytes = REPLY) -> int:
    """How many connections some work opens."""
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        try:
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                await asyncio.sleep(0.02)
                writer.write(reply)
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, httpx2.AsyncClient(transport=Lanes(LIMITS)) as client:
            await work(client, url)

    asyncio.run(main())
    return opened


def test_requests_one_after_the_other_share_a_connection() -> None:
    async def work(client: httpx2.AsyncClient, url: str) -> None:
        for _ in range(5):
            assert (await client.get(url)).text == "ok"

    assert counted(work) == 1


def test_requests_at_once_have_one_each_and_later_ones_take_those() -> None:
    async def work(client: httpx2.AsyncClient, url: str) -> None:
        for _ in range(3):
            await asyncio.gather(*(client.get(url) for _ in range(4)))

    assert counted(work) == 4


def test_a_failed_request_frees_its_place() -> None:
    async def work(client: httpx2.AsyncClient, url: str) -> None:
        for _ in range(3):
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get(url)

    assert counted(work, reply=b"no HTTP\r\n\r\n") == 3


def test_a_call_given_up_frees_its_place() -> None:
    async def work(client: httpx2.AsyncClient, url: str) -> None:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get(url, timeout=httpx2.Timeout(5.0, read=0.001))
        assert (await client.get(url)).text == "ok"

    assert counted(work) == 2


def test_with_a_proxy_in_the_environment_connections_are_not_ours_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert not direct()
