"""JSON sent with the SDK's address, headers and errors, but over aiohttp.

The SDK copies its options for every request, makes the same headers and takes the same URL apart again, and its HTTP library does
in Python what aiohttp does in C: together three quarters of the processor time of a call. What is out of the ordinary (a proxy,
a name and password in the address, a redirection) goes the SDK's own way.
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import urllib.request
import weakref
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import aiohttp
    import httpx2
    import openai

KEPT = 4.0
"""Seconds for which an unused connection is kept; common servers close theirs after five."""
LONGEST_HEADER, MOST_HEADERS = 100_000, 1000
"""Bytes of a header and headers of a response that are taken, as the SDK's client does."""
IN_ONE_PIECE = 1_000_000
"""Bytes of a body from which aiohttp shall send it in pieces, so that other calls get their turn."""
_ELSEWHERE = frozenset({301, 302, 303, 307, 308})


class Reply(NamedTuple):
    """A response with success, whole."""

    headers: Mapping[str, str]
    """Found by names in any case."""
    content: bytes


class Wire:
    """Sends to one path. Calls at once have a connection each; how many there are is the caller's to limit.

    Args:
        client: the SDK's, for the address and the headers.
        path: below its base URL.
        timeout: seconds to connect, and again between one piece of a response and the next.
    """

    def __init__(self, client: openai.AsyncOpenAI, path: str, *, timeout: float) -> None:
        base = client.base_url
        self._client, self._path = client, f"/{path}"
        self._url = f"{str(base).rstrip('/')}/{path}"
        self._headers: dict[str, str] = {}
        for headers in (client.auth_headers, client.default_headers):
            # What the SDK would leave out it marks by something that is no text.
            self._headers.update({name.lower(): v for name, v in headers.items() if isinstance(v, str)})
        self._timeout = timeout
        self._plain = not (proxies() or base.username or base.password)
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._being_read: set[aiohttp.ClientResponse] = set()

    async def post(self, body: dict[str, object]) -> Reply:
        """The whole response.

        Raises:
            openai.APIConnectionError: none came, or not in time.
            openai.APIStatusError: it is no success.
        """
        if not self._plain:
            return await self._by_the_sdk(body)
        response, content = await self._sent(_json(body))
        if response.status in _ELSEWHERE and "location" in response.headers:
            return await self._by_the_sdk(body)
        if not 200 <= response.status < 300:
            raise self._status_error(response.status, response.raw_headers, content)
        return Reply(response.headers, content)

    async def aclose(self) -> None:
        """Close all connections."""
        for response in list(self._being_read):
            response.close()  # whoever reads it would wait for ever
        sessions, self._sessions = self._sessions, {}
        for loop, session in sessions.items():
            if loop is asyncio.get_running_loop():
                await session.close()
            else:
                session.detach()

    async def _sent(self, data: bytes) -> tuple[aiohttp.ClientResponse, bytes]:
        import openai

        body = data if len(data) < IN_ONE_PIECE else io.BytesIO(data)
        try:
            # To connect, to wait, and between them to upload, for which aiohttp has no limit of its own.
            async with (
                asyncio.timeout(3 * self._timeout) as limit,
                self._opened().post(self._url, data=body, headers=self._headers, allow_redirects=False) as response,
            ):
                limit.reschedule(None)
                self._being_read.add(response)
                try:
                    return response, await response.read()
                finally:
                    self._being_read.discard(response)
        except TimeoutError as error:
            raise openai.APITimeoutError(request=self._request()) from error
        except Exception as error:  # as the SDK has it: whatever hinders a call is a fault of the connection
            raise openai.APIConnectionError(request=self._request()) from _cause(error)

    async def _by_the_sdk(self, body: dict[str, object]) -> Reply:
        import httpx2

        raw = await self._client.post(
            self._path, cast_to=httpx2.Response, body=body, options={"security": {"bearer_auth": True}}
        )
        return Reply(raw.headers, raw.content)

    def _opened(self) -> aiohttp.ClientSession:
        """What belongs to the running loop; connections of another one are of no use here."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            for ended in [other for other in self._sessions if other.is_closed()]:
                self._sessions.pop(ended).detach()
            session = self._sessions[loop] = _session(self._url, self._timeout)
            # A program may end without closing us; aiohttp would complain of that in its log.
            weakref.finalize(self, session.detach)
        return self._sessions[loop]

    def _request(self) -> httpx2.Request:
        import httpx2

        return httpx2.Request("POST", self._url)

    def _status_error(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes
    ) -> openai.APIStatusError:
        """A response without success, as the SDK tells it."""
        import httpx2
        import openai

        as_sent = {b"content-encoding", b"content-length", b"transfer-encoding"}
        kept = [(name, value) for name, value in headers if name.lower() not in as_sent]
        response = httpx2.Response(status, headers=kept, content=content, request=self._request())
        return openai.APIStatusError(f"Error code: {status}", response=response, body=told_in(content))


def told_in(content: bytes) -> object:
    """What the body of an error says: its `error` where it is JSON that has one, all of it otherwise."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return content.decode("utf-8", "replace").strip()
    return told.get("error", told) if isinstance(told, dict) else told


def proxies() -> list[str]:
    """The proxies that the environment names for HTTP, none where it excepts every host."""
    named = urllib.request.getproxies()
    if "*" in (host.strip() for host in named.get("no", "").split(",")):
        return []
    return [named[what] for what in ("http", "https", "all") if named.get(what)]


def names_socks() -> bool:
    """Whether one of them is a SOCKS proxy, for which the SDK's client would need another package."""
    return any(proxy.lower().startswith("socks") for proxy in proxies())


def _cause(error: Exception) -> Exception:
    """A fault in the system's words: aiohttp puts settings and parts of what was received beside them."""
    import aiohttp

    if isinstance(error, aiohttp.ServerDisconnectedError):
        return OSError("the server closed the connection")
    if isinstance(error, aiohttp.ClientResponseError):
        return OSError(error.message or type(error).__name__)
    cause: Exception = getattr(error, "os_error", error)
    return cause


def _session(url: str, timeout: float) -> aiohttp.ClientSession:
    import aiohttp
    import httpx2

    class Connector(aiohttp.TCPConnector):
        def __del__(self, *_: object) -> None:
            """Unclosed connections end with their sockets; see `Wire._opened`."""

    context: ssl.SSLContext | bool = True
    if url.startswith("https:"):
        context = httpx2.create_ssl_context()  # the certificates that the SDK trusts; to read them takes a while
        context.set_alpn_protocols(["http/1.1"])
    return aiohttp.ClientSession(
        connector=Connector(limit=0, ssl=context, keepalive_timeout=KEPT),
        cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False),
        max_line_size=LONGEST_HEADER,
        max_field_size=LONGEST_HEADER,
        max_headers=MOST_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
    )


def _json(body: dict[str, object]) -> bytes:
    """As the SDK writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
