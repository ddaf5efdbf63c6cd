"""The short way to an endpoint: what goes out and what comes back are the SDK's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2
import openai
import pytest

from coach.judges.wire import Wire, status_error

BODY: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "Warum “so”?"}], "seed": 7}
NOT_SENT = {"x-stainless-retry-count", "x-stainless-read-timeout"}
"""What the SDK says of itself alone."""


class Sent(httpx2.AsyncBaseTransport):
    """Keeps requests instead of sending them; answers each in one way."""

    def __init__(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self._status, self._headers = status, headers

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(self._status, headers=self._headers, json={"error": {"message": "no", "code": "x"}})


def opened(
    transport: httpx2.AsyncBaseTransport, base_url: str = "http://127.0.0.1:1/v1"
) -> tuple[openai.AsyncOpenAI, Wire]:
    connection = openai.DefaultAsyncHttpxClient(transport=transport)
    client = openai.AsyncOpenAI(api_key="sk-secret", base_url=base_url, max_retries=0, http_client=connection)
    return client, Wire(client, connection, "chat/completions")


def both_ways(base_url: str = "http://127.0.0.1:1/v1") -> tuple[httpx2.Request, httpx2.Request]:
    """The same body sent by the wire and by the SDK."""
    sent = Sent()

    async def work() -> None:
        client, wire = opened(sent, base_url)
        await wire.post(BODY)
        await client.post(
            "/chat/completions", cast_to=httpx2.Response, body=BODY, options={"security": {"bearer_auth": True}}
        )

    asyncio.run(work())
    ours, theirs = sent.requests
    return ours, theirs


def test_the_body_is_the_one_the_sdk_would_send() -> None:
    ours, theirs = both_ways()
    assert ours.content == theirs.content


def test_the_headers_are_those_the_sdk_would_send(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "authorization: Bearer other\nx-team: search")
    ours, theirs = both_ways()
    assert dict(ours.headers) == {name: value for name, value in theirs.headers.items() if name not in NOT_SENT}


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/", "http://127.0.0.1:1"])
def test_the_address_is_the_one_the_sdk_would_use(base_url: str) -> None:
    ours, theirs = both_ways(base_url)
    assert ours.url == theirs.url


def test_a_cookie_that_was_set_is_sent_back() -> None:
    sent = Sent(headers={"set-cookie": "lb=3; Path=/"})

    async def work() -> None:
        _, wire = opened(sent)
        await wire.post(BODY)
        await wire.post(BODY)

    asyncio.run(work())
    assert [r.headers.get("cookie") for r in sent.requests] == [None, "lb=3"]


def test_a_status_that_is_no_success_is_an_error_of_the_sdk() -> None:
    _, wire = opened(Sent(418))
    with pytest.raises(openai.APIStatusError) as caught:
        asyncio.run(wire.post(BODY))
    assert (caught.value.status_code, caught.value.body, caught.value.code) == (
        418,
        {"message": "no", "code": "x"},
        "x",
    )


@pytest.mark.parametrize(
    ("content", "told"), [(b'{"error": "busy"}', "busy"), (b'["busy"]', ["busy"]), (b" busy\n", "busy"), (b"", "")]
)
def test_whatever_a_server_says_is_passed_on(content: bytes, told: object) -> None:
    request = httpx2.Request("POST", "http://127.0.0.1/v1")
    assert status_error(httpx2.Response(503, content=content, request=request)).body == told


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(httpx2.ReadTimeout("slow"), openai.APITimeoutError), (httpx2.ReadError("gone"), openai.APIConnectionError)],
)
def test_a_fault_of_the_network_is_an_error_of_the_sdk(raised: Exception, expected: type[Exception]) -> None:
    class Broken(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            raise raised

    _, wire = opened(Broken())
    with pytest.raises(expected) as caught:
        asyncio.run(wire.post(BODY))
    assert caught.value.__cause__ is raised
