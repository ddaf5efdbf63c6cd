"""JSON sent with the SDK's address, headers and errors, but over aiohttp.

The SDK copies its options for every request, makes the same headers and takes the same URL apart again, and its HTTP library does
in Python what aiohttp does in C: together three quarters of the processor time of a call.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.parse
import urllib.request
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import aiohttp
    import httpx2
    import openai

KEPT = 4.0
"""Seconds for which an unused connection is kept; common servers close theirs after five."""


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
        self._url = f"{str(client.base_url).rstrip('/')}/{path}"
        self._headers: dict[str, str] = {}
        for headers in (client.auth_headers, client.default_headers):
            # What the SDK would leave out it marks by something that is no text.
            self._headers.update({name.lower(): v for name, v in headers.items() if isinstance(v, str)})
        if urllib.parse.urlsplit(self._url).username:
            self._headers.pop("authorization", None)  # what the address says goes before the key
        self._timeout = timeout
        self._proxy = proxy_for(self._url)
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(self, body: dict[str, object]) -> Reply:
        """The whole response.

        Raises:
            openai.APIConnectionError: none came, or not in time.
            openai.APIStatusError: it is no success.
        """
        import aiohttp
        import openai

        try:
            async with self._opened().post(self._url, data=_json(body), proxy=self._proxy) as response:
                content = await response.read()
        except TimeoutError as error:
            raise openai.APITimeoutError(request=self._request()) from error
        except (aiohttp.ClientError, ssl.SSLError, OSError) as error:
            cause = getattr(error, "os_error", error)  # in the system's words, not with aiohttp's settings between them
            raise openai.APIConnectionError(request=self._request()) from cause
        if not 200 <= response.status < 300:
            raise self._status_error(response.status, response.headers, content)
        return Reply(response.headers, content)

    async def aclose(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """What belongs to the running loop; connections of another one are of no use here."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session, self._loop = _session(self._headers, self._url, self._timeout), loop
            # A program may end without closing us; aiohttp would complain of that in its log.
            weakref.finalize(self, self._session.detach)
        return self._session

    def _request(self) -> httpx2.Request:
        import httpx2

        return httpx2.Request("POST", self._url)

    def _status_error(self, status: int, headers: Mapping[str, str], content: bytes) -> openai.APIStatusError:
        """A response without success, as the SDK tells it."""
        import httpx2
        import openai

        as_sent = {"content-encoding", "content-length", "transfer-encoding"}
        kept = [(name, value) for name, value in headers.items() if name.lower() not in as_sent]
        response = httpx2.Response(status, headers=kept, content=content, request=self._request())
        return openai.APIStatusError(f"Error code: {status}", response=response, body=told_in(content))


def told_in(content: bytes) -> object:
    """What the body of an error says: its `error` where it is JSON that has one, all of it otherwise."""
    try:
        told = json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace").strip()
    return told.get("error", told) if isinstance(told, dict) else told


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address, None where it names none or excepts the host."""
    parts = urllib.parse.urlsplit(url)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def names_socks() -> bool:
    """Whether the environment names a SOCKS proxy; the SDK's client and aiohttp would both need another package for it."""
    return any(proxy.startswith("socks") for proxy in urllib.request.getproxies().values())


def _session(headers: dict[str, str], url: str, timeout: float) -> aiohttp.ClientSession:
    import aiohttp
    import httpx2

    class Connector(aiohttp.TCPConnector):
        def __del__(self, *_: object) -> None:
            """Unclosed connections end with their sockets; see `Wire._opened`."""

    # The certificates that the SDK trusts; to read them takes a while.
    context = httpx2.create_ssl_context() if url.startswith("https:") else True
    return aiohttp.ClientSession(
        connector=Connector(limit=0, ssl=context, keepalive_timeout=KEPT),
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=timeout, sock_read=timeout),
    )


def _json(body: dict[str, object]) -> bytes:
    """As the SDK writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
