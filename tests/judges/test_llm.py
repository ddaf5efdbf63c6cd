from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from builders import flag, rubric
from hypothesis import given
from hypothesis import strategies as st

from coach.errors import CoachError, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable
from coach.judgement import Abstained, Judged, Judgement, Usage
from coach.judges.chat import ChatReply, ChatRequest, Finish
from coach.judges.llm import MORE_ROOM, LLMJudge
from coach.models import JudgeTask, Landmarks, Matches, Question, Span

ANSWER = "First I ask what the feed is for. A tower model would be too slow, so I give it up."
BIAS = {"id": "bias", "quotes": ["what the feed is for"], "reasoning": "Asks.", "level": 3}
VARIANCE = {"id": "variance", "quotes": ["so I give it up"], "reasoning": "A price.", "level": 2}


def task(landmarks: Landmarks | None = None) -> JudgeTask:
    question = Question(question="Which model?", reference="It depends.")
    asked = rubric((flag("model_first"), flag("hype")), bias=50, variance=50)
    return JudgeTask(question, asked, ANSWER, (), Matches((), landmarks or Landmarks(), 0.0, 0.0))


class ScriptedEndpoint:
    """Gives replies in turn; an exception in the script is raised. Its texts were written by hand."""

    model = "scripted-1"
    identity = "scripted"
    thinks = False

    def __init__(self, *script: str | tuple[str, Finish] | CoachError) -> None:
        self._script = list(script)
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        self.requests.append(request)
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, CoachError):
            raise step
        text, finish = step if isinstance(step, tuple) else (step, "stop")
        usage = Usage(calls=1, prompt_tokens=10, completion_tokens=5)
        return ChatReply(text, finish, text if finish == "refusal" else None, usage, "json_schema", "scripted-1")

    async def aclose(self) -> None:
        pass


def reply(*entries: Any, **more: Any) -> str:
    return json.dumps({"criteria": list(entries), **more})


def levels(judgement: Judgement) -> list[int | None]:
    return [v.level if isinstance(v, Judged) else None for v in judgement.verdicts]


def judge(*script: Any, landmarks: Landmarks | None = None, **options: Any) -> tuple[Judgement, ScriptedEndpoint]:
    endpoint = ScriptedEndpoint(*script)
    return asyncio.run(LLMJudge(endpoint, **options).judge(task(landmarks))), endpoint


def test_one_call_judges_every_criterion() -> None:
    judgement, endpoint = judge(reply(BIAS, VARIANCE))
    assert [(v.criterion_id, v.level) for v in judgement.verdicts if isinstance(v, Judged)] == [
        ("bias", 3),
        ("variance", 2),
    ]
    assert len(endpoint.requests) == 1


def test_verdicts_come_in_the_rubrics_order() -> None:
    assert [v.criterion_id for v in judge(reply(VARIANCE, BIAS))[0].verdicts] == ["bias", "variance"]


def test_only_what_is_missing_is_asked_for_again() -> None:
    judgement, endpoint = judge(reply(BIAS), reply(VARIANCE))
    asked: Any = endpoint.requests[1].schema
    assert asked["properties"]["criteria"]["items"]["properties"]["id"]["enum"] == ["variance"]
    assert all(isinstance(v, Judged) for v in judgement.verdicts)


def test_the_fixed_part_of_the_prompt_stays_when_asking_again() -> None:
    _, endpoint = judge(reply(BIAS), reply(VARIANCE))
    assert endpoint.requests[0].messages[0] == endpoint.requests[1].messages[0]


def test_what_stays_bad_is_left_open_as_invalid() -> None:
    judgement, endpoint = judge(reply(BIAS), repair_calls=2)
    gap = judgement.verdicts[1]
    assert isinstance(gap, Abstained)
    assert (gap.status, len(endpoint.requests)) == ("invalid", 3)


def test_no_repair_means_one_call() -> None:
    assert len(judge("nonsense", repair_calls=0)[1].requests) == 1


def test_a_criterion_the_model_leaves_open_is_abstained_and_not_asked_again() -> None:
    judgement, endpoint = judge(reply({**BIAS, "level": None, "reasoning": "No basis."}, VARIANCE))
    assert judgement.verdicts[0] == Abstained(criterion_id="bias", reason="No basis.")
    assert len(endpoint.requests) == 1


def test_a_cut_reply_is_asked_again_with_more_room() -> None:
    _, endpoint = judge(('{"criteria": [', "length"), reply(BIAS, VARIANCE), max_tokens=100)
    assert [r.max_tokens for r in endpoint.requests] == [100, 100 * MORE_ROOM]


def test_a_cut_reply_is_asked_again_with_more_room_once_and_no_more() -> None:
    assert len(judge(('{"criteria": [', "length"), repair_calls=5)[1].requests) == 2


def test_what_stays_cut_is_left_open_as_truncated() -> None:
    judgement, _ = judge(('{"criteria": [', "length"))
    assert {v.status for v in judgement.verdicts if isinstance(v, Abstained)} == {"truncated"}


def test_a_refusal_is_left_open_as_refused_and_never_a_zero() -> None:
    judgement, endpoint = judge(("I will not.", "refusal"))
    assert {v.status for v in judgement.verdicts if isinstance(v, Abstained)} == {"refused"}
    assert len(endpoint.requests) == 1


def test_an_endpoint_that_is_not_there_is_an_error() -> None:
    with pytest.raises(JudgeUnavailable):
        judge(JudgeUnavailable("gone"))


def test_an_endpoint_that_goes_away_keeps_what_was_judged() -> None:
    judgement, _ = judge(reply(BIAS), JudgeUnavailable("gone"))
    gap = judgement.verdicts[1]
    assert isinstance(judgement.verdicts[0], Judged)
    assert isinstance(gap, Abstained)
    assert gap.status == "unreachable"


def test_flags_that_the_endpoint_left_open_leave_the_judgement_incomplete() -> None:
    whole = reply(BIAS, VARIANCE, red_flags=[{"id": "hype", "quotes": ["A tower model"]}])
    judgement, _ = judge(whole[: whole.index("hype")], JudgeUnavailable("gone"))
    assert (levels(judgement), judgement.incomplete) == ([3, 2], "unreachable")


def test_a_bad_key_is_an_error() -> None:
    with pytest.raises(JudgeRefused):
        judge(JudgeRefused("key"))


def test_an_invented_quote_is_asked_again_and_mended() -> None:
    invented = {**BIAS, "quotes": ["words nobody wrote here"]}
    judgement, endpoint = judge(reply(invented, VARIANCE), reply(BIAS))
    assert "none of its quotes stands in the answer" in endpoint.requests[1].messages[1].content
    mended = judgement.verdicts[0]
    assert isinstance(mended, Judged)
    assert mended.evidence[0].quote == "what the feed is for"


def test_a_quote_that_stays_invented_is_told() -> None:
    judgement, _ = judge(reply({**BIAS, "quotes": ["words nobody wrote here"]}, VARIANCE))
    assert "bias: none of its quotes" in judgement.warnings[0]


def test_a_model_that_thinks_gets_room_for_it_at_once() -> None:
    endpoint = ScriptedEndpoint(reply(BIAS, VARIANCE))
    endpoint.thinks = True
    asyncio.run(LLMJudge(endpoint, max_tokens=100).judge(task()))
    assert endpoint.requests[0].max_tokens == 100 * MORE_ROOM


def test_a_doubt_is_told_once_and_then_the_policy_decides() -> None:
    _, endpoint = judge(reply({**BIAS, "quotes": ["words nobody wrote here"]}, VARIANCE), repair_calls=5)
    assert len(endpoint.requests) == 2


BROKEN = ("no JSON", '{"criteria": [{"id": "bi', '{"grade": "B"}', "", JudgeReplyInvalid("empty"))


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_reply_uses_up_no_repair_call(broken: str | CoachError) -> None:
    judgement, endpoint = judge(*[broken] * 4, reply(BIAS), reply(VARIANCE), repair_calls=2)
    assert (levels(judgement), len(endpoint.requests)) == ([3, 2], 6)


def test_an_endpoint_that_breaks_every_reply_soon_gets_the_repair_calls_only() -> None:
    endpoint = ScriptedEndpoint("no JSON")
    whole = LLMJudge(endpoint, repair_calls=2)
    calls: list[int] = []
    for _ in range(3):
        asyncio.run(whole.judge(task()))
        calls.append(len(endpoint.requests) - sum(calls))
    assert calls == [7, 3, 3]


def test_flags_lost_with_the_end_of_a_reply_are_asked_for_again() -> None:
    flags = [{"id": "hype", "quotes": ["A tower model"]}]
    whole = reply(BIAS, VARIANCE, red_flags=flags)
    judgement, endpoint = judge(whole[: whole.index("hype")], json.dumps({"red_flags": flags}))
    assert [f.id for f in judgement.red_flags] == ["hype"]
    schema: Any = endpoint.requests[1].schema
    assert "criteria" not in schema["properties"]


def test_flags_are_read_from_the_reply_after_a_broken_one() -> None:
    judgement, _ = judge("no JSON", reply(BIAS, VARIANCE, red_flags=[{"id": "hype", "quotes": ["A tower model"]}]))
    assert [f.id for f in judgement.red_flags] == ["hype"]


def test_flags_that_never_came_whole_are_told() -> None:
    judgement, _ = judge(reply(BIAS, VARIANCE)[:-1], "no JSON")
    assert any("list of red flags" in w for w in judgement.warnings)


def test_a_flag_without_words_of_the_answer_is_asked_for_again_once() -> None:
    invented = reply(BIAS, VARIANCE, red_flags=[{"id": "hype", "quotes": ["never said in it"]}])
    judgement, endpoint = judge(invented, json.dumps({"red_flags": [{"id": "hype", "quotes": ["A tower model"]}]}))
    assert judgement.red_flags[0].evidence[0].quote == "A tower model"
    assert len(judge(invented, json.dumps({"red_flags": []}))[1].requests) == 2
    assert "hype: none of its quotes" in endpoint.requests[1].messages[1].content


@given(
    st.lists(
        st.text(max_size=60)
        | st.sampled_from([reply(BIAS, VARIANCE), reply(BIAS)]).flatmap(
            lambda whole: st.tuples(st.integers(0, len(whole)), st.text(max_size=4), st.integers(0, 6)).map(
                lambda cut: whole[: cut[0]] + cut[1] + whole[cut[0] + cut[2] :]
            )
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_replies_give_one_verdict_a_criterion_at_a_bounded_cost(replies: list[str]) -> None:
    judgement, endpoint = judge(*replies)
    assert [v.criterion_id for v in judgement.verdicts] == ["bias", "variance"]
    assert len(endpoint.requests) <= 7
    for verdict in judgement.verdicts:
        assert isinstance(verdict, Abstained) or any(str(verdict.level) in text for text in replies)


def test_a_rationale_that_contradicts_its_level_is_asked_again() -> None:
    _, endpoint = judge(reply({**BIAS, "reasoning": "Framing is absent."}, VARIANCE), reply(BIAS))
    assert "its level is 3" in endpoint.requests[1].messages[1].content


def test_model_first_is_dropped_where_the_order_speaks_against_it() -> None:
    raised = reply(BIAS, VARIANCE, red_flags=[{"id": "model_first", "quotes": ["A tower model"]}])
    judgement, _ = judge(raised, landmarks=Landmarks(objective=Span(6, 9), model=Span(36, 47)))
    assert judgement.red_flags == ()
    assert "dropped" in judgement.warnings[0]


def test_model_first_stands_where_the_order_bears_it_out() -> None:
    raised = reply(BIAS, VARIANCE, red_flags=[{"id": "model_first", "quotes": ["A tower model"]}])
    judgement, _ = judge(raised, landmarks=Landmarks(model=Span(36, 47)))
    assert [f.id for f in judgement.red_flags] == ["model_first"]


def test_use_is_added_up_over_calls() -> None:
    assert judge(reply(BIAS), reply(VARIANCE))[0].usage == Usage(calls=2, prompt_tokens=20, completion_tokens=10)


def test_another_parameter_is_another_fingerprint() -> None:
    endpoint = ScriptedEndpoint("")
    assert LLMJudge(endpoint).fingerprint != LLMJudge(endpoint, max_tokens=99).fingerprint


def test_cancelling_passes_through() -> None:
    class Hanging(ScriptedEndpoint):
        async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
            await asyncio.sleep(60)
            raise AssertionError

    async def work() -> None:
        running = asyncio.create_task(LLMJudge(Hanging("")).judge(task()))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(work())


def test_an_error_after_replies_that_could_not_be_used_tells_what_they_cost() -> None:
    with pytest.raises(JudgeUnavailable) as caught:
        judge("nonsense", JudgeUnavailable("gone"))
    assert caught.value.usage.calls == 1
