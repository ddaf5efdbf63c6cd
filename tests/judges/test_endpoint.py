"""Faults over real HTTP: what they cost, what they become."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.scripted import Reply, Script, Server, refused, said, scripted

from coach.errors import CoachError, JudgeError, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable
from coach.judges.chat import ChatReply, ChatRequest, Message
from coach.judges.endpoint import Endpoint
from coach.pricing import REPLY_TOKENS, Price

REQUEST = ChatRequest((Message("user", "hi"),), {"type": "object"}, "verdicts", max_tokens=50, seed=7)


class Waits(list[float]):
    """Records waits instead of spending them."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def run(
    script: Script,
    *,
    tries: int = 3,
    timeout: float = 5.0,
    waits: Waits | None = None,
    cache_dir: Path | None = None,
    times: int = 1,
    on_text: Callable[[str], None] | None = None,
) -> tuple[ChatReply, Server]:
    """Complete `times` calls with one endpoint against a script; the last reply and the server."""
    with scripted(script) as server:
        endpoint = Endpoint(
            model="scripted-1",
            base_url=server.base_url,
            api_key="sk-secret",
            tries=tries,
            timeout=timeout,
            cache_dir=cache_dir,
            sleep=waits if waits is not None else Waits(),
            prices={"scripted-1": Price(prompt=1.0, cached=0.5, completion=2.0)},
        )

        async def work() -> ChatReply:
            try:
                for _ in range(times):
                    reply = await endpoint.complete(REQUEST, on_text=on_text)
                return reply
            finally:
                await endpoint.aclose()

        return asyncio.run(work()), server


def fail(script: Script, expected: type[CoachError], *, timeout: float = 5.0) -> tuple[CoachError, Server]:
    """The error a script ends in."""
    seen: list[Server] = []

    def remember(body: dict[str, object]) -> Reply:
        return replies.pop(0) if len(replies) > 1 else replies[0]

    replies = list(script) if isinstance(script, list) else []
    with scripted(remember) as server:
        seen.append(server)
        endpoint = Endpoint(
            model="scripted-1",
            base_url=server.base_url,
            api_key="sk-secret",
            tries=3,
            timeout=timeout,
            sleep=Waits(),
        )

        async def work() -> None:
            try:
                await endpoint.complete(REQUEST)
            finally:
                await endpoint.aclose()

        with pytest.raises(expected) as caught:
            asyncio.run(work())
    return caught.value, server


def test_a_reply_comes_back_with_its_text_and_model() -> None:
    reply, _ = run([said("{}")])
    assert (reply.text, reply.finish, reply.model, reply.rung) == ("{}", "stop", "scripted-1", "json_schema")


def test_the_first_request_asks_for_a_strict_schema() -> None:
    _, server = run([said("{}")])
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True


def test_temperature_seed_and_room_are_sent() -> None:
    _, server = run([said("{}")])
    assert (server.requests[0]["temperature"], server.requests[0]["seed"], server.requests[0]["max_tokens"]) == (
        0,
        7,
        50,
    )


def test_tokens_and_money_are_counted() -> None:
    reply, _ = run([said("{}", prompt_tokens_details={"cached_tokens": 40})])
    assert reply.usage.cached_tokens == 40
    assert reply.usage.cost_usd == pytest.approx((60 * 1.0 + 40 * 0.5 + 20 * 2.0) / 1e6)


def uncounted(content: str) -> Reply:
    """A completion whose server counts no tokens."""
    reply = said(content)
    del reply.body["usage"]
    return reply


def test_tokens_that_nobody_counted_are_estimated_and_marked() -> None:
    usage = run([uncounted("{}")])[0].usage
    assert (usage.calls, usage.estimated_calls, usage.completion_tokens) == (1, 1, REPLY_TOKENS)
    assert usage.cost_usd == pytest.approx((usage.prompt_tokens * 1.0 + REPLY_TOKENS * 2.0) / 1e6)


def test_replies_that_said_nothing_are_paid_for() -> None:
    usage = run([said(""), said("{}")])[0].usage
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (2, 200, 40)
    assert usage.cost_usd == pytest.approx(2 * (100 * 1.0 + 20 * 2.0) / 1e6)


def test_an_error_tells_what_was_paid_for_before_it() -> None:
    error, server = fail([said("")], JudgeReplyInvalid)
    assert (error.usage.calls, error.usage.prompt_tokens) == (len(server.requests), 100 * len(server.requests))


@pytest.mark.parametrize("url", ["http://127.0.0.1:80a/v1", "http://ada:hunter2@127.0.0.1:1/v1"])
def test_an_error_shows_no_password_that_stands_in_the_address(url: str) -> None:
    with pytest.raises(JudgeError) as caught:
        asyncio.run(Endpoint(model="m", base_url=url, tries=1).complete(REQUEST))
    assert "hunter2" not in caught.value.message
    assert "127.0.0.1" in caught.value.message


def test_a_socks_proxy_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    error, server = fail([said("{}")], JudgeRefused)
    assert error.hopeless
    assert "ALL_PROXY" in error.hint
    assert server.requests == []


def test_an_error_before_which_nothing_was_paid_for_says_so() -> None:
    assert fail([refused(401, "no")], JudgeRefused)[0].usage is None


@pytest.mark.parametrize(
    "reply",
    [
        refused(401, "bad key"),
        refused(402, "insufficient balance"),
        refused(403, "not allowed"),
        refused(404, "no such path"),
        refused(400, "The model `x` does not exist or you do not have access to it."),
        refused(400, "x is not a valid model ID"),
        Reply(400, {"error": {"message": "sorry", "code": "model_not_found"}}),
        Reply(body={"error": {"message": "no such key", "code": 401}}),
    ],
)
def test_what_no_retry_can_mend_costs_one_request_and_is_hopeless(reply: Reply) -> None:
    error, server = fail([reply], JudgeRefused)
    assert (len(server.requests), error.hopeless) == (1, True)


def test_the_status_a_gateway_hides_in_its_own_is_minded() -> None:
    busy = Reply(body={"error": {"message": "slow down", "code": 429}})
    assert run([busy, said("{}")])[0].usage.calls == 2


def test_429_waits_as_long_as_it_is_told_and_recovers() -> None:
    waits = Waits()
    reply, server = run([refused(429, "slow down", retry_after="7"), said("{}")], waits=waits)
    assert (reply.text, waits, len(server.requests)) == ("{}", [7.0], 2)


def test_a_wait_of_hours_is_cut() -> None:
    waits = Waits()
    run([refused(429, "slow down", retry_after="7200"), said("{}")], waits=waits)
    assert waits == [60.0]


def test_a_permanent_429_costs_exactly_the_configured_tries() -> None:
    error, server = fail([refused(429, "slow down")], JudgeUnavailable)
    assert len(server.requests) == 3
    assert error.retryable


def test_requests_that_failed_are_counted_in_the_usage() -> None:
    assert run([refused(500, "oops"), said("{}")])[0].usage.calls == 2


@pytest.mark.parametrize("status", [408, 500, 502, 503])
def test_server_faults_are_tried_again(status: int) -> None:
    assert len(run([refused(status, "oops"), said("{}")])[1].requests) == 2


def test_a_slow_server_is_given_up_and_tried_again() -> None:
    error, server = fail([said("{}")._replace(delay=0.6)], JudgeUnavailable, timeout=0.2)
    assert "within 0.2 s" in error.message
    assert len(server.requests) == 3


def test_a_cut_connection_is_tried_again() -> None:
    reply, server = run([said("{}")._replace(cut=10), said('{"a": 1}')])
    assert (reply.text, len(server.requests)) == ('{"a": 1}', 2)


def test_a_response_that_is_no_json_is_tried_again() -> None:
    assert len(run([Reply(body=b"<html>busy</html>"), said("{}")])[1].requests) == 2


def test_a_bad_key_fails_at_once_and_says_so() -> None:
    error, server = fail([refused(401, "Incorrect API key provided: sk-secret")], JudgeRefused)
    assert len(server.requests) == 1
    assert "OPENAI_API_KEY" in error.hint
    assert "sk-secret" not in error.message


def test_an_unknown_model_fails_at_once_and_says_where() -> None:
    error, server = fail([refused(404, "model not found")], JudgeRefused)
    assert len(server.requests) == 1
    assert "'scripted-1'" in error.message


def test_a_bad_request_fails_at_once() -> None:
    error, server = fail([refused(400, "context too long")], JudgeRefused)
    assert (len(server.requests), "context too long" in error.message) == (1, True)


def test_no_quota_is_not_tried_again() -> None:
    _, server = fail([refused(429, "insufficient_quota: pay first")], JudgeRefused)
    assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_unavailable() -> None:
    endpoint = Endpoint(model="m", base_url="http://127.0.0.1:9/v1", tries=2, sleep=Waits())
    with pytest.raises(JudgeUnavailable, match="cannot be reached"):
        asyncio.run(endpoint.complete(REQUEST))


WORDINGS = [
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
    "extra_forbidden: response_format.json_schema",
    "This model does not support structured output",
    "failed to parse grammar",
    "guided decoding is not enabled",
]


@pytest.mark.parametrize("words", WORDINGS)
def test_an_endpoint_without_schemas_is_asked_for_a_json_object(words: str) -> None:
    reply, server = run([refused(400, words), said("{}")])
    assert (reply.rung, server.requests[1]["response_format"]) == ("json_object", {"type": "json_object"})


def test_an_endpoint_without_any_format_is_asked_for_text() -> None:
    reply, server = run([refused(400, "response_format?"), refused(422, "response_format?"), said("{}")])
    assert reply.rung == "text"
    assert "response_format" not in server.requests[2]


def test_going_down_the_ladder_costs_no_try() -> None:
    steps = [refused(400, "json_schema"), refused(500, "oops"), refused(500, "oops"), said("{}")]
    assert run(steps, tries=3)[0].rung == "json_object"


def test_what_was_learned_is_not_asked_again() -> None:
    _, server = run([refused(400, "json_schema"), said("{}")], times=3)
    assert len(server.requests) == 4


def test_what_was_learned_is_kept_in_the_cache(tmp_path: Path) -> None:
    def script(body: dict[str, object]) -> Reply:
        return said("{}") if "json_schema" not in json.dumps(body) else refused(400, "json_schema")

    with scripted(script) as server:

        async def once() -> None:
            endpoint = Endpoint(model="m", base_url=server.base_url, cache_dir=tmp_path)
            await endpoint.complete(REQUEST)
            await endpoint.aclose()

        asyncio.run(once())
        asyncio.run(once())
        assert len(server.requests) == 3


def test_an_empty_reply_goes_down_the_ladder() -> None:
    assert run([said(""), said("{}")])[0].rung == "json_object"


def test_one_empty_reply_does_not_change_how_a_sound_endpoint_is_asked() -> None:
    reply, server = run([said("{}"), said(""), said("{}")], times=3)
    assert (reply.rung, len(server.requests)) == ("json_schema", 4)


def test_an_endpoint_that_says_nothing_for_a_while_is_asked_anew_as_before(tmp_path: Path) -> None:
    with scripted([said(""), said(""), said(""), said("{}")]) as server:
        endpoint = Endpoint(model="m", base_url=server.base_url, cache_dir=tmp_path, tries=1)

        async def work() -> ChatReply:
            with contextlib.suppress(JudgeReplyInvalid):
                await endpoint.complete(REQUEST)
            try:
                return await endpoint.complete(REQUEST)
            finally:
                await endpoint.aclose()

        assert asyncio.run(work()).rung == "json_schema"


def test_nothing_but_empty_replies_is_an_invalid_reply() -> None:
    fail([said("")], JudgeReplyInvalid)


def test_a_model_that_refuses_temperature_is_asked_without() -> None:
    words = "Unsupported value: 'temperature' does not support 0 with this model."
    _, server = run([refused(400, words, param="temperature"), said("{}")])
    assert "temperature" not in server.requests[1]


def test_a_model_that_wants_another_name_for_its_room_gets_it() -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported, use 'max_completion_tokens' instead."
    _, server = run([refused(400, words, param="max_tokens"), said("{}")])
    assert (server.requests[1].get("max_completion_tokens"), "max_tokens" in server.requests[1]) == (50, False)


def test_cancelling_ends_at_once() -> None:
    with scripted([said("{}")._replace(delay=3.0)]) as server:

        async def work() -> float:
            endpoint = Endpoint(model="m", base_url=server.base_url)
            task = asyncio.create_task(endpoint.complete(REQUEST))
            await asyncio.sleep(0.2)
            loop = asyncio.get_running_loop()
            start = loop.time()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await endpoint.aclose()
            return loop.time() - start

        assert asyncio.run(work()) < 1.0


def events(*pieces: object, done: bool = True) -> Reply:
    """A stream of server-sent events."""
    lines = "".join(f"data: {json.dumps(p)}\n\n" for p in pieces) + ("data: [DONE]\n\n" if done else "")
    return Reply(body=lines.encode(), headers={"x-stream": "1"})


def chunk(content: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": content} if content else {}, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "scripted-1",
        "choices": [choice],
        **more,
    }


USED = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 0,
    "model": "scripted-1",
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def test_a_stream_is_heard_piece_by_piece_and_put_together() -> None:
    heard: list[str] = []
    reply, server = run([events(chunk('{"a"'), chunk(": 1}"), chunk(finish="stop"), USED)], on_text=heard.append)
    assert heard == ['{"a"', '{"a": 1}']
    assert (reply.text, reply.finish, reply.usage.prompt_tokens) == ('{"a": 1}', "stop", 9)
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_a_stream_that_breaks_off_is_tried_again() -> None:
    whole = events(chunk("{}"), chunk(finish="stop"))
    reply, server = run([events(chunk('{"a"'), done=False), whole], on_text=lambda text: None)
    assert (reply.text, len(server.requests)) == ("{}", 2)


@pytest.mark.parametrize(
    "junk",
    [b"data: {bad", b"data: [1]", b"data: \xff\xfe", b'data: {"choices":"x"}', b'data: {"choices":[{"delta":null}]}',
     b'data: {"choices":[],"usage":"x"}', b": ping", b"event: odd"],
)  # fmt: skip
def test_junk_in_a_stream_is_passed_over(junk: bytes) -> None:
    whole = events(chunk('{"a": 1}'), chunk(finish="stop"))
    reply, _ = run([whole._replace(body=junk + b"\n\n" + whole.body)], on_text=lambda text: None)
    assert reply.text == '{"a": 1}'


def test_a_stream_whose_connection_is_cut_is_tried_again() -> None:
    whole = events(chunk('{"a": 1}'), chunk(finish="stop"))
    _, server = run([whole._replace(cut=200), whole], on_text=lambda text: None)
    assert len(server.requests) == 2


def test_an_error_within_a_stream_is_told() -> None:
    with pytest.raises(JudgeReplyInvalid, match="overloaded"):
        run([events({"error": {"message": "overloaded"}})], on_text=lambda text: None)


def test_a_server_that_does_not_stream_is_read_all_the_same() -> None:
    heard: list[str] = []
    assert run([said('{"a": 1}')], on_text=heard.append)[0].text == '{"a": 1}'


def test_a_server_that_knows_no_stream_options_is_asked_without() -> None:
    whole = events(chunk("{}"), chunk(finish="stop"))
    _, server = run([refused(400, "unknown field stream_options"), whole], on_text=lambda text: None)
    assert "stream_options" not in server.requests[1]


EVENTS = st.sampled_from([b"data: ", b"data: [DONE]", b'data: {"choices":[{"delta":{"content":"{"}}]}', b"\n\n", b"\r"])


@pytest.mark.parametrize("streamed", [False, True])
def test_any_bytes_give_a_reply_or_one_of_our_errors(streamed: bool) -> None:
    body = b""

    def script(request: dict[str, object]) -> Reply:
        return Reply(body=body, headers={"x-stream": "1"} if streamed else {})

    with scripted(script) as server:
        endpoint = Endpoint(model="m", base_url=server.base_url, tries=1)

        @settings(max_examples=60, deadline=None)
        @given(
            st.binary(max_size=80)
            | st.text(max_size=60).map(lambda t: json.dumps(said(t).body).encode())
            | st.lists(EVENTS | st.binary(max_size=9), max_size=12).map(b"".join)
        )
        def probe(content: bytes) -> None:
            nonlocal body
            body = content

            async def once() -> None:
                with contextlib.suppress(CoachError):
                    reply = await endpoint.complete(REQUEST, on_text=(lambda text: None) if streamed else None)
                    assert isinstance(reply.text, str)
                await endpoint.aclose()

            asyncio.run(once())

        probe()


O1 = [
    refused(400, "Unsupported parameter: 'max_tokens' is not supported, use 'max_completion_tokens' instead."),
    refused(400, "Unsupported value: 'temperature' does not support 0 with this model.", param="temperature"),
    said("", finish="length", completion_tokens_details={"reasoning_tokens": 50}),
    said("{}", completion_tokens_details={"reasoning_tokens": 90}),
]


def test_a_reasoning_model_is_asked_in_its_own_terms_and_known_to_think(tmp_path: Path) -> None:
    with scripted(list(O1)) as server:

        async def once() -> tuple[bool, ChatReply]:
            endpoint = Endpoint(model="o1", base_url=server.base_url, cache_dir=tmp_path)
            known = endpoint.thinks
            reply = await endpoint.complete(REQUEST)
            await endpoint.aclose()
            return known, reply

        assert [asyncio.run(once())[0] for _ in range(3)] == [False, True, True]
    last = server.requests[-1]
    assert (len(server.requests), "temperature" in last, last["max_completion_tokens"]) == (5, False, 50)


def test_thinking_is_seen_in_a_stream() -> None:
    thinking = {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}]}
    assert run([events(thinking, chunk("{}"), chunk(finish="stop"))], on_text=lambda text: None)[0].thought
