"""The short way to an endpoint: what goes out and what comes back are the SDK's. Against a server on loopback."""

from __future__ import annotations

import asyncio
import gc
import gzip
import logging
from collections.abc import Awaitable, Callable

import httpx2
import openai
import pytest

from coach.judges.wire import Wire, names_socks, proxies, told_in

BODY: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "Warum “so”?"}], "seed": 7}
OF_A_LIBRARY = {"accept-encoding", "connection", "x-stainless-retry-count", "x-stainless-read-timeout"}
"""What the SDK or its HTTP library says of itself alone."""
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Served:
    """A server on loopback that answers every request in one way, and keeps what it got.

    Args:
        reply: all of it; None closes the connection without a word.
        wait: seconds before it.
    """

    def __init__(self, reply: bytes | None = OK, *, wait: float = 0.0) -> None:
        self.lines: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._reply, self._wait = reply, wait

    def run(self, work: Callable[[str], Awaitable[None]], *, path: str = "/v1") -> None:
        """Some work with the address."""

        async def main() -> None:
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            async with server:
                await work(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}")

        asyncio.run(main())

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
                self.bodies.append(await reader.readexactly(int(headers["content-length"])))
                self.lines.append(first)
                self.headers.append(headers)
                await asyncio.sleep(self._wait)
                if self._reply is None:
                    break
                writer.write(self._reply)
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


def client_of(url: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="sk-secret", base_url=url, max_retries=0)


def wire_to(url: str, *, timeout: float = 5.0) -> Wire:
    return Wire(client_of(url), "chat/completions", timeout=timeout)


def posted(served: Served, *, times: int = 1, timeout: float = 5.0) -> None:
    """One wire, which sends so often, one after the other."""

    async def work(url: str) -> None:
        wire = wire_to(url, timeout=timeout)
        try:
            for _ in range(times):
                await wire.post(BODY)
        finally:
            await wire.aclose()

    served.run(work)


def both_ways(path: str = "/v1") -> Served:
    """The same body sent by the wire and by the SDK, in this order."""
    served = Served()

    async def work(url: str) -> None:
        wire, client = wire_to(url), client_of(url)
        await wire.post(BODY)
        await client.post(
            "/chat/completions", cast_to=httpx2.Response, body=BODY, options={"security": {"bearer_auth": True}}
        )
        await wire.aclose()
        await client.close()

    served.run(work, path=path)
    return served


def test_the_body_is_the_one_the_sdk_would_send() -> None:
    ours, theirs = both_ways().bodies
    assert ours == theirs


def test_the_headers_are_those_the_sdk_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "authorization: Bearer other\nx-team: search")
    ours, theirs = ({n: v for n, v in h.items() if n not in OF_A_LIBRARY} for h in both_ways().headers)
    assert ours == theirs


@pytest.mark.parametrize("path", ["/v1", "/v1/", "", "/a%2Fb/v1"])
def test_the_address_is_the_one_the_sdk_would_use(path: str) -> None:
    ours, theirs = both_ways(path).lines
    assert ours == theirs


def test_a_name_in_the_address_goes_before_the_key() -> None:
    served = Served()

    async def work(url: str) -> None:
        client = client_of(url.replace("://", "://ada:pass@"))
        await Wire(client, "chat/completions", timeout=5.0).post(BODY)
        await client.close()

    served.run(work)
    assert served.headers[0]["authorization"].startswith("Basic ")


def test_a_cookie_that_was_set_is_sent_back() -> None:
    served = Served(OK.replace(b"content-type", b"set-cookie: lb=3; Path=/\r\ncontent-type"))
    posted(served, times=2)
    assert [h.get("cookie") for h in served.headers] == [None, "lb=3"]


def test_a_reply_that_comes_packed_is_unpacked() -> None:
    packed = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n"
    found: list[bytes] = []

    async def work(url: str) -> None:
        wire = wire_to(url)
        found.append((await wire.post(BODY)).content)
        await wire.aclose()

    Served(head.encode() + packed).run(work)
    assert found == [b'{"a": 1}']


# --- connections


def test_calls_one_after_the_other_share_a_connection() -> None:
    served = Served()
    posted(served, times=5)
    assert served.connections == 1


def test_calls_at_once_have_one_each_and_later_ones_take_those() -> None:
    served = Served(wait=0.02)

    async def work(url: str) -> None:
        wire = wire_to(url)
        for _ in range(3):
            await asyncio.gather(*(wire.post(BODY) for _ in range(4)))
        await wire.aclose()

    served.run(work)
    assert served.connections == 4


def test_what_was_closed_opens_again() -> None:
    served = Served()

    async def work(url: str) -> None:
        wire = wire_to(url)
        for _ in range(2):
            await wire.post(BODY)
            await wire.aclose()

    served.run(work)
    assert served.connections == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # what was open on a loop that has ended cannot be closed
def test_a_wire_serves_one_event_loop_after_another() -> None:
    served = Served()
    wires: list[Wire] = []

    async def work(url: str) -> None:
        wires.append(wires[0] if wires else wire_to(url))
        wires[0]._url = f"{url}/chat/completions"  # each server has a port of its own
        await wires[0].post(BODY)

    for _ in range(2):
        served.run(work)
    wires.clear()
    gc.collect()
    assert len(served.bodies) == 2


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_program_that_forgets_to_close_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def work(url: str) -> None:
        await wire_to(url).post(BODY)

    with caplog.at_level(logging.WARNING):
        Served().run(work)
        gc.collect()
    assert caplog.records == []


# --- faults


def status(code: int, body: bytes, more: str = "") -> bytes:
    return f"HTTP/1.1 {code} No\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


def test_a_redirection_is_followed_with_the_key() -> None:
    served = Served()

    async def work(url: str) -> None:
        async def away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 307 Elsewhere\r\nlocation: {url}/there\r\ncontent-length: 0\r\n\r\n".encode())
            writer.close()

        first = await asyncio.start_server(away, "127.0.0.1", 0)
        async with first:
            client = client_of(f"http://127.0.0.1:{first.sockets[0].getsockname()[1]}/v1")
            wire = Wire(client, "chat/completions", timeout=5.0)
            assert (await wire.post(BODY)).content == b"{}"
            await wire.aclose()
            await client.close()

    served.run(work)
    assert served.lines == ["POST /v1/there HTTP/1.1"]


def test_a_header_that_is_no_ascii_hides_no_status() -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        posted(Served(status(429, b"{}", "x-note: für\r\n")))
    assert caught.value.status_code == 429


def test_long_headers_are_taken() -> None:
    posted(Served(OK.replace(b"content-type", b"x-policy: " + b"a" * 20_000 + b"\r\ncontent-type")))


def test_a_key_that_fits_no_header_is_a_fault_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-team: a\rb")
    with pytest.raises(openai.APIConnectionError):
        posted(Served())


def test_closing_ends_a_call_that_is_being_read() -> None:
    async def work(url: str) -> None:
        wire = wire_to(url, timeout=60)
        call = asyncio.create_task(wire.post(BODY))
        await asyncio.sleep(0.3)
        await wire.aclose()
        with pytest.raises(openai.APIConnectionError):
            await asyncio.wait_for(call, 5)

    Served(OK.replace(b"length: 2", b"length: 3")).run(work)


def test_a_server_that_stops_taking_the_request_is_a_timeout() -> None:
    async def main() -> None:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await ended.wait()
            writer.close()

        ended = asyncio.Event()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0)
        async with server:
            wire = wire_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeout=0.2)
            with pytest.raises(openai.APITimeoutError):
                await wire.post({"model": "m", "messages": ["a" * 30_000_000]})
            await wire.aclose()
            ended.set()
            await asyncio.sleep(0.1)

    asyncio.run(main())


def test_a_status_that_is_no_success_is_an_error_of_the_sdk() -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        posted(Served(status(418, b'{"error": {"message": "no", "code": "x"}}', "retry-after: 3\r\n")))
    error = caught.value
    assert (error.status_code, error.body, error.code) == (418, {"message": "no", "code": "x"}, "x")
    assert error.response.headers["retry-after"] == "3"


def test_the_body_of_an_error_may_come_packed() -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        posted(Served(status(503, gzip.compress(b'{"error": "busy"}'), "content-encoding: gzip\r\n")))
    assert caught.value.response.text == '{"error": "busy"}'


@pytest.mark.parametrize("code", [302, 304])
def test_a_redirection_to_nowhere_is_no_success(code: int) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        posted(Served(status(code, b"")))
    assert caught.value.status_code == code


@pytest.mark.parametrize(
    ("content", "told"),
    [(b'{"error": "busy"}', "busy"), (b'["busy"]', ["busy"]), (b" busy\n", "busy"), (b"", ""), (b"\xff", "\ufffd")],
)
def test_whatever_a_server_says_is_passed_on(content: bytes, told: object) -> None:
    assert told_in(content) == told


@pytest.mark.parametrize("reply", [None, b"no HTTP\r\n\r\n", OK.replace(b"length: 2", b"length: 3")])
def test_a_broken_response_is_a_fault_of_the_connection(reply: bytes | None) -> None:
    async def work(url: str) -> None:
        wire = wire_to(url, timeout=0.5)
        with pytest.raises(openai.APIConnectionError):
            await wire.post(BODY)
        await wire.aclose()

    Served(reply).run(work)


def test_a_closed_port_is_no_timeout() -> None:
    with pytest.raises(openai.APIConnectionError) as caught:
        asyncio.run(wire_to("http://127.0.0.1:1/v1").post(BODY))
    assert not isinstance(caught.value, openai.APITimeoutError)
    assert "Connect call failed" in str(caught.value.__cause__)


def test_silence_is_a_timeout_and_frees_its_place() -> None:
    served = Served(wait=0.3)
    with pytest.raises(openai.APITimeoutError):
        posted(served, timeout=0.05)
    assert len(served.bodies) == 1


# --- proxies


def test_without_a_proxy_in_the_environment_there_is_none() -> None:
    assert proxies() == []


def test_where_every_host_is_excepted_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://p:1")
    monkeypatch.setenv("no_proxy", "inside.example, *")
    assert proxies() == []


def test_an_excepted_host_is_reached_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    served = Served()
    posted(served)
    assert len(served.bodies) == 1


def test_a_call_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()

    async def work(url: str) -> None:
        monkeypatch.setenv("http_proxy", url)
        client = client_of("http://llm.example/v1")
        await Wire(client, "chat/completions", timeout=5.0).post(BODY)
        await client.close()

    served.run(work, path="")
    assert served.lines == ["POST http://llm.example/v1/chat/completions HTTP/1.1"]
    assert "proxy-authorization" not in served.headers[0]


def test_a_proxy_to_which_a_tunnel_is_asked_for_is_not_told_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    async def main() -> None:
        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        async with server:
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            client = client_of("https://llm.example/v1")
            with pytest.raises(openai.APIConnectionError):
                await Wire(client, "chat/completions", timeout=5.0).post(BODY)
            await client.close()

    asyncio.run(main())
    assert seen[0].startswith(b"CONNECT llm.example:443")
    assert b"sk-secret" not in seen[0]


def test_a_socks_proxy_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://p:1")
    assert not names_socks()
    monkeypatch.setenv("all_proxy", "SOCKS5h://127.0.0.1:1080")
    assert names_socks()
    monkeypatch.setenv("no_proxy", "*")
    assert not names_socks()
