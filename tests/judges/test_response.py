"""What a response's body is taken for; nothing is sent."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.scripted import said

from coach.errors import CoachError, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable
from coach.judges.chat import ChatReply, ChatRequest, Message
from coach.judges.faults import Place
from coach.judges.response import counted, read, usage_in
from coach.pricing import REPLY_TOKENS, Price

PLACE = Place("scripted-1", "http://127.0.0.1/v1", "sk-secret")
PRICE = Price(prompt=1.0, cached=0.5, completion=2.0, batch=0.5)
REQUEST = ChatRequest((Message("user", "hi"),), {"type": "object"}, "verdicts", max_tokens=50)


def reply_in(body: object, *, batch: bool = False) -> ChatReply:
    return read(json.dumps(body).encode(), "json_schema", PLACE, price=PRICE, batch=batch)


def fault_in(body: object, expected: type[CoachError]) -> CoachError:
    with pytest.raises(expected) as caught:
        reply_in(body)
    return caught.value


def message(finish: str = "stop", **parts: object) -> dict[str, Any]:
    """A response without usage."""
    return {"choices": [{"message": parts, "finish_reason": finish}]}


def test_a_refusal_is_told_apart() -> None:
    reply = reply_in(message(content=None, refusal="I will not."))
    assert (reply.finish, reply.refusal) == ("refusal", "I will not.")


def test_a_reply_cut_for_want_of_room_is_told_apart() -> None:
    assert reply_in(message("length", content='{"cri')).finish == "length"


def test_a_response_that_names_no_model_is_the_model_that_was_asked() -> None:
    assert reply_in(message(content="{}")).model == "scripted-1"


def test_no_choices_is_an_invalid_reply() -> None:
    fault_in({"choices": []}, JudgeReplyInvalid)


def test_a_body_that_is_cut_off_may_be_whole_the_next_time() -> None:
    with pytest.raises(JudgeUnavailable, match="cut off"):
        read(b'{"choices": [', "json_schema", PLACE, price=None)


def test_an_error_inside_of_a_200_is_told_safely() -> None:
    error = fault_in({"error": {"message": "overloaded by sk-secret\x1b[31m"}}, JudgeReplyInvalid)
    assert "overloaded by [key]" in error.message
    assert "\x1b" not in error.message


def test_a_status_inside_of_a_200_is_minded() -> None:
    fault_in({"error": {"message": "no such key", "code": 401}}, JudgeRefused)


def test_a_malformed_response_that_was_paid_for_counts() -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    assert fault_in(body, JudgeReplyInvalid).usage.prompt_tokens == 9


def test_cached_tokens_under_their_other_name_are_counted() -> None:
    assert reply_in(said("{}", prompt_cache_hit_tokens=64).body).usage.cached_tokens == 64


def test_no_more_tokens_are_cached_than_were_sent() -> None:
    assert reply_in(said("{}", prompt_cache_hit_tokens=640).body).usage.cached_tokens == 100


def test_reasoning_tokens_are_counted() -> None:
    told = {"reasoning_tokens": 15}
    assert reply_in(said("{}", completion_tokens_details=told).body).usage.reasoning_tokens == 15


@pytest.mark.parametrize("told", [None, "many", [], {"prompt_tokens": "9"}, {"prompt_tokens": -9}])
def test_odd_usage_counts_as_none(told: object) -> None:
    assert usage_in(json.dumps({"usage": told}).encode(), price=PRICE) is None


def test_what_came_by_the_batch_api_costs_its_price() -> None:
    body = said("{}").body
    assert reply_in(body, batch=True).usage.cost_usd == pytest.approx((100 * 1.0 + 20 * 2.0) / 2e6)


def test_tokens_that_nobody_counted_are_estimated_at_the_same_price() -> None:
    usage = counted(reply_in(message(content="{}")), REQUEST, price=PRICE, batch=True).usage
    assert usage.cost_usd == pytest.approx((usage.prompt_tokens * 1.0 + REPLY_TOKENS * 2.0) / 2e6)


THOUGHTS = [
    {"content": "{}", "reasoning_content": "Hm."},
    {"content": "{}", "reasoning": "Hm."},
    {"content": "<think>Hm.</think>{}"},
]


@pytest.mark.parametrize("parts", THOUGHTS)
def test_thinking_is_seen_under_the_names_servers_give_it(parts: dict[str, str]) -> None:
    assert reply_in(message(**parts)).thought


def test_a_reply_without_a_sign_of_thinking_is_not_taken_for_thought() -> None:
    assert not reply_in(message(content="{}")).thought


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)
)
PARTS = st.dictionaries(st.sampled_from(["content", "refusal", "reasoning"]), JSON, max_size=3)
CHOICES = st.fixed_dictionaries({"message": PARTS | JSON, "finish_reason": JSON})


@given(st.fixed_dictionaries({"choices": st.lists(CHOICES | JSON, max_size=2) | JSON, "usage": JSON, "model": JSON}))
def test_any_shape_gives_a_reply_or_one_of_our_errors(body: object) -> None:
    with contextlib.suppress(CoachError):
        assert isinstance(reply_in(body).text, str)


def test_a_count_beyond_all_reason_counts_nothing() -> None:
    assert usage_in(b'{"usage": {"prompt_tokens": 1' + b"0" * 400 + b"}}", price=PRICE) is None
