"""Samples, panels, escalation, caps, cache and few-shot, over scripted endpoints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import abstained, judged, rubric
from fakes import ScriptedJudge

from coach.errors import CoachError, CostCapReached, InputError, JudgeRefused, JudgeUnavailable
from coach.judgement import Abstained, Judged, Judgement, LeftOpen, PointVerdict, RaisedFlag, Usage, Verdict
from coach.judges import make_judge
from coach.judges.budget import Budget, BudgetedEndpoint
from coach.judges.cache import CachedJudge, cache_info, clear_cache
from coach.judges.chat import ChatReply, ChatRequest
from coach.judges.combine import Named, combine
from coach.judges.examples import Examples
from coach.judges.llm import LLMJudge
from coach.judges.panel import EscalatingJudge, PanelJudge, SampledJudge
from coach.judges.reply import partial_verdicts
from coach.models import JudgeTask, Landmarks, Matches, Question
from coach.pricing import Price
from coach.settings import Settings

ANSWER = "First I ask what the feed is for. A tower model would be too slow, so I give it up."


def task(answer: str = ANSWER) -> JudgeTask:
    question = Question(question="Which model?", reference="It depends.")
    return JudgeTask(question, rubric(bias=50, variance=50), answer, (), Matches((), Landmarks(), 0.0, 0.0))


def part(*verdicts: Verdict, flags: tuple[str, ...] = (), points: tuple[PointVerdict, ...] = ()) -> Judgement:
    return Judgement(verdicts=verdicts, red_flags=tuple(RaisedFlag(id=f) for f in flags), points=points)


def merged(*parts: Judgement, show: bool = False) -> Judgement:
    return combine(task(), [Named(f"j{n}", p) for n, p in enumerate(parts, start=1)], show_opinions=show)


def levels(judgement: Judgement) -> list[int | None]:
    return [v.level if isinstance(v, Judged) else None for v in judgement.verdicts]


def draws(*bias: int) -> Judgement:
    return merged(*(part(judged("bias", b, "x"), judged("variance", 1, "x")) for b in bias))


def test_the_median_level_counts() -> None:
    assert levels(draws(4, 1, 3)) == [3, 1]


def test_of_two_levels_in_the_middle_the_lower_counts() -> None:
    assert levels(draws(2, 3)) == [2, 1]


def test_the_spread_is_the_band() -> None:
    verdict = draws(4, 1, 3).verdicts[0]
    assert isinstance(verdict, Judged)
    assert verdict.band == (1.0, 4.0)


def test_a_criterion_that_most_leave_open_stays_open() -> None:
    found = merged(*(part(v, judged("variance", 1)) for v in (judged("bias", 4), abstained("bias"), abstained("bias"))))
    assert isinstance(found.verdicts[0], Abstained)


def test_a_criterion_that_one_leaves_open_is_judged_by_the_rest() -> None:
    found = merged(*(part(v, judged("variance", 1)) for v in (judged("bias", 4), abstained("bias"), judged("bias", 2))))
    assert levels(found)[0] == 2


def test_a_flag_needs_more_than_half() -> None:
    sides = [part(judged("bias", 1), judged("variance", 1), flags=f) for f in (("hype", "gaming"), ("hype",), ())]
    assert [f.id for f in merged(*sides).red_flags] == ["hype"]


def test_of_two_statuses_the_more_cautious_counts() -> None:
    sides = [
        part(judged("bias", 1), judged("variance", 1), points=(PointVerdict(id="p", status=s),))
        for s in ("covered", "missing")
    ]
    assert merged(*sides).points[0].status == "missing"


def test_of_judgements_that_agree_one_with_real_words_speaks_for_all() -> None:
    sides = (judged("bias", 3, "words nobody wrote"), judged("bias", 3, "what the feed is for"))
    found = merged(*(part(v, judged("variance", 1, "x")) for v in sides)).verdicts[0]
    assert isinstance(found, Judged)
    assert found.evidence[0].quote == "what the feed is for"


def test_each_judges_level_is_shown_where_asked() -> None:
    found = merged(*(part(judged("bias", b), judged("variance", 1)) for b in (1, 3)), show=True)
    assert [(o.judge, o.level) for o in found.verdicts[0].opinions] == [("j1", 1), ("j2", 3)]


class Endpoint:
    """Gives each request the level a function names for it; texts written by hand."""

    model = "scripted-1"
    identity = "scripted"
    thinks = False

    def __init__(self, level: Callable[[int, ChatRequest], int] = lambda n, r: 2, *, fail: int = 0) -> None:
        self._level = level
        self._fail = fail
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        self.requests.append(request)
        if len(self.requests) <= self._fail:
            raise JudgeUnavailable("gone")
        n = len(self.requests)
        await asyncio.sleep(0)
        ids: Any = request.schema["properties"]
        asked = ids["criteria"]["items"]["properties"]["id"]["enum"]
        entries = [
            {"id": i, "quotes": ["what the feed is for"], "reasoning": "r", "level": self._level(n, request)}
            for i in asked
        ]
        text = json.dumps({"criteria": entries})
        if on_text:
            for end in range(0, len(text) + 1, 7):
                on_text(text[:end])
        usage = Usage(calls=1, prompt_tokens=1000, completion_tokens=100)
        return ChatReply(text, "stop", None, usage, "json_schema", "scripted-1")

    async def aclose(self) -> None:
        pass


def test_samples_see_the_criteria_in_orders_of_their_own() -> None:
    endpoint = Endpoint()
    asyncio.run(SampledJudge(LLMJudge(endpoint, temperature=0.7), 6).judge(task()))
    systems = {r.messages[0].content for r in endpoint.requests}
    assert (len(endpoint.requests), len(systems)) == (6, 2)  # two criteria have two orders
    assert len({r.seed for r in endpoint.requests}) == 6


def test_samples_give_the_median_and_its_spread() -> None:
    found = asyncio.run(SampledJudge(LLMJudge(Endpoint(lambda n, r: n)), 3).judge(task()))
    verdict = found.verdicts[0]
    assert isinstance(verdict, Judged)
    assert (verdict.level, verdict.band, found.usage.calls) == (2, (1.0, 3.0), 3)


def test_a_sample_that_fails_is_left_out_and_told() -> None:
    found = asyncio.run(SampledJudge(LLMJudge(Endpoint(fail=1)), 3).judge(task()))
    assert levels(found) == [2, 2]
    assert "1 of 3 samples failed; the rest were used." in found.warnings


def test_samples_that_all_fail_are_an_error() -> None:
    with pytest.raises(JudgeUnavailable):
        asyncio.run(SampledJudge(LLMJudge(Endpoint(fail=9)), 3).judge(task()))


def fixed(level: int) -> ScriptedJudge:
    return ScriptedJudge(lambda id: judged(id, level, "x"))


def test_a_panel_shows_what_each_judge_said_and_how_far_they_agree() -> None:
    found = asyncio.run(PanelJudge([fixed(1), fixed(3), fixed(3)]).judge(task()))
    assert levels(found) == [3, 3]
    assert [o.level for o in found.verdicts[0].opinions] == [1, 3, 3]
    assert "The judges agree on 0 of 2 criteria, and to one level on 0." in found.warnings


def test_a_judge_of_a_panel_that_fails_is_named_and_left_out() -> None:
    found = asyncio.run(PanelJudge([ScriptedJudge(error=JudgeRefused("no key")), fixed(3)]).judge(task()))
    assert levels(found) == [3, 3]
    assert any("no key" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("error", "lost"),
    [(JudgeUnavailable("gone"), "unreachable"), (CostCapReached("cap"), "over_budget"), (JudgeRefused("no"), None)],
)
def test_a_panel_without_a_judge_that_another_try_may_bring_is_incomplete(error: CoachError, lost: str | None) -> None:
    assert asyncio.run(PanelJudge([ScriptedJudge(error=error), fixed(3)]).judge(task())).incomplete == lost


def test_the_judge_that_a_panel_lacks_is_named_with_the_reason_and_what_to_do() -> None:
    gone = ScriptedJudge(error=JudgeUnavailable("nobody there", hint="Start it."))
    (part,) = asyncio.run(PanelJudge([gone, fixed(3)]).judge(task())).open_parts
    assert part == LeftOpen(what="the judge llm:scripted-1", reason="nobody there", hint="Start it.")


def test_samples_that_are_missing_are_counted() -> None:
    (part,) = asyncio.run(SampledJudge(LLMJudge(Endpoint(fail=1)), 3).judge(task())).open_parts
    assert part.what == "1 of 3 samples"


def test_a_gap_that_other_judges_of_a_panel_fill_is_told_with_the_name_of_its_judge() -> None:
    gap = Abstained(criterion_id="bias", reason="gone", status="unreachable")
    found = merged(*(part(v, judged("variance", 1)) for v in (judged("bias", 4), judged("bias", 4), gap)), show=True)
    assert found.open_parts == (LeftOpen(what="j3: levels of bias", reason="gone"),)


def test_samples_of_which_one_was_not_reached_are_incomplete() -> None:
    assert asyncio.run(SampledJudge(LLMJudge(Endpoint(fail=1)), 3).judge(task())).incomplete == "unreachable"


def test_a_gap_that_others_fill_leaves_the_whole_incomplete() -> None:
    gap = Abstained(criterion_id="bias", reason="gone", status="unreachable")
    found = merged(*(part(v, judged("variance", 1)) for v in (judged("bias", 4), judged("bias", 4), gap)))
    assert (levels(found), found.incomplete) == ([4, 1], "unreachable")


def hopeless() -> CoachError:
    error = JudgeRefused("bad key")
    error.hopeless, error.usage = True, Usage(calls=1)
    return error


def test_a_judge_that_fails_hopelessly_is_not_left_out() -> None:
    with pytest.raises(JudgeRefused, match="bad key") as raised:
        asyncio.run(PanelJudge([LLMJudge(Endpoint()), ScriptedJudge(error=hopeless())]).judge(task()))
    assert raised.value.usage.calls == 2


def test_a_panel_that_fails_as_a_whole_is_an_error() -> None:
    with pytest.raises(JudgeRefused):
        asyncio.run(PanelJudge([ScriptedJudge(error=JudgeRefused("no"))] * 2).judge(task()))


@pytest.mark.parametrize(
    ("level", "second"), [(0, False), (2, False), (3, True)]
)  # totals 0, 50 and 75; cuts 16 39 61 85
def test_the_second_judge_is_called_in_near_a_step_only(level: int, second: bool) -> None:
    other = fixed(4)
    found = asyncio.run(EscalatingJudge(fixed(level), other, margin=10.5).judge(task()))
    assert bool(other.tasks) == second
    assert levels(found)[0] == (4 if second else level)


def test_the_second_judge_is_called_in_where_the_first_abstains() -> None:
    other = fixed(4)
    asyncio.run(EscalatingJudge(ScriptedJudge(abstained), other, margin=1).judge(task()))
    assert other.tasks


def capped(max_cost: float, budget: Budget | None = None) -> tuple[BudgetedEndpoint, Budget]:
    budget = budget or Budget(max_cost)
    return BudgetedEndpoint(Endpoint(), budget=budget, price=Price(prompt=1.0, completion=1.0)), budget


def test_a_call_that_could_pass_the_cap_is_not_made() -> None:
    endpoint, budget = capped(0.002)
    with pytest.raises(CostCapReached, match="cost cap"):
        asyncio.run(LLMJudge(endpoint, max_tokens=5000).judge(task()))
    assert budget.spent == 0


def test_what_is_spent_is_counted() -> None:
    endpoint, budget = capped(1.0)
    asyncio.run(LLMJudge(endpoint).judge(task()))
    assert budget.spent == pytest.approx(0.0011)


def test_calls_at_once_cannot_pass_the_cap_together() -> None:
    endpoint, budget = capped(0.009)

    async def many() -> list[object]:
        judge = LLMJudge(endpoint, max_tokens=2000)
        return await asyncio.gather(*(judge.judge(task()) for _ in range(20)), return_exceptions=True)

    found = asyncio.run(many())
    assert any(isinstance(f, CostCapReached) for f in found)
    assert any(isinstance(f, Judgement) for f in found)
    assert budget.spent <= 0.009


def test_a_panel_shares_one_cap() -> None:
    budget = Budget(0.009)
    judges = [LLMJudge(capped(0, budget)[0], max_tokens=2000) for _ in range(20)]
    found = asyncio.run(PanelJudge(judges).judge(task()))
    assert any("cost cap" in w for w in found.warnings)
    assert 0 < budget.spent <= 0.009


def test_judges_of_one_run_share_its_cap() -> None:
    settings = LLM.with_options(max_cost=1.0, use_cache=False)
    panel: Any = make_judge(["llm:gpt-5-mini", "llm:gpt-4.1"], settings)
    budgets = {j._endpoint._budget for j in panel._judges}
    assert len(budgets) == 1


def test_an_endpoint_that_does_not_count_its_tokens_is_charged_the_worst() -> None:
    class Uncounted(Endpoint):
        async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
            return (await super().complete(request))._replace(usage=Usage(calls=1))

    budget = Budget(1.0)
    endpoint = BudgetedEndpoint(Uncounted(), budget=budget, price=Price(prompt=1.0, completion=1.0))
    asyncio.run(LLMJudge(endpoint).judge(task()))
    assert budget.spent > 0.0025


def test_a_cap_without_a_price_is_refused() -> None:
    with pytest.raises(InputError, match="no price is known"):
        BudgetedEndpoint(Endpoint(), budget=Budget(1.0), price=None)


def test_the_cap_met_half_way_leaves_the_rest_over_budget() -> None:
    class Half(Endpoint):
        async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
            if self.requests:
                raise CostCapReached("cap")
            reply = await super().complete(request)
            text = json.dumps({"criteria": json.loads(reply.text)["criteria"][:1]})
            return reply._replace(text=text)

    gap = asyncio.run(LLMJudge(Half()).judge(task())).verdicts[1]
    assert isinstance(gap, Abstained)
    assert gap.status == "over_budget"


def test_the_same_request_is_not_paid_for_twice(tmp_path: Path) -> None:
    endpoint = Endpoint()
    judge = CachedJudge(LLMJudge(endpoint), tmp_path)
    first, second = (asyncio.run(judge.judge(task())) for _ in range(2))
    assert len(endpoint.requests) == 1
    assert (second.verdicts, second.usage) == (first.verdicts, Usage())


@pytest.mark.parametrize("change", ["answer", "question", "weights", "parameter"])
def test_any_change_is_judged_anew(tmp_path: Path, change: str) -> None:
    endpoint, first = Endpoint(), task()
    asyncio.run(CachedJudge(LLMJudge(endpoint), tmp_path).judge(first))
    other = {
        "answer": task(ANSWER + " Then stop."),
        "question": first._replace(question=Question(question="Which one?", reference="It depends.")),
        "weights": first._replace(rubric=rubric(bias=60, variance=40)),
        "parameter": first,
    }[change]
    judge = LLMJudge(endpoint, max_tokens=999) if change == "parameter" else LLMJudge(endpoint)
    asyncio.run(CachedJudge(judge, tmp_path).judge(other))
    assert len(endpoint.requests) == 2


def test_another_schema_is_judged_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint()
    asyncio.run(CachedJudge(LLMJudge(endpoint), tmp_path).judge(task()))
    monkeypatch.setattr("coach.judges.cache.reply_schema", lambda *ids: {"another": "schema"})
    asyncio.run(CachedJudge(LLMJudge(endpoint), tmp_path).judge(task()))
    assert len(endpoint.requests) == 2


def test_gaps_and_errors_are_never_kept(tmp_path: Path) -> None:
    judge = CachedJudge(LLMJudge(Endpoint(lambda n, r: 9), repair_calls=0), tmp_path)
    asyncio.run(judge.judge(task()))
    with pytest.raises(JudgeUnavailable):
        asyncio.run(CachedJudge(LLMJudge(Endpoint(fail=9)), tmp_path).judge(task()))
    assert cache_info(tmp_path).verdicts == 0


def test_a_judgement_that_lacks_a_sample_is_not_kept(tmp_path: Path) -> None:
    asyncio.run(CachedJudge(SampledJudge(LLMJudge(Endpoint(fail=1)), 3), tmp_path).judge(task()))
    assert cache_info(tmp_path).verdicts == 0


def test_a_damaged_verdict_is_judged_anew(tmp_path: Path) -> None:
    endpoint = Endpoint()
    judge = CachedJudge(LLMJudge(endpoint), tmp_path)
    asyncio.run(judge.judge(task()))
    next((tmp_path / "verdicts").iterdir()).write_text("{", encoding="utf-8")
    asyncio.run(judge.judge(task()))
    assert len(endpoint.requests) == 2


def test_the_cache_is_counted_and_cleared(tmp_path: Path) -> None:
    asyncio.run(CachedJudge(LLMJudge(Endpoint()), tmp_path).judge(task()))
    assert cache_info(tmp_path).verdicts == 1
    assert (clear_cache(tmp_path), cache_info(tmp_path).verdicts) == (1, 0)


def test_fewer_criteria_per_call_cost_more_calls() -> None:
    endpoint = Endpoint()
    found = asyncio.run(LLMJudge(endpoint, per_call=1).judge(task()))
    assert (levels(found), len(endpoint.requests), found.usage.calls) == ([2, 2], 2, 2)
    assert "In this reply judge only: variance." in endpoint.requests[1].messages[1].content


def test_a_group_that_fails_leaves_the_other_groups_alone() -> None:
    found = asyncio.run(LLMJudge(Endpoint(fail=1), per_call=1).judge(task()))
    assert levels(found) == [None, 2]
    gap = found.verdicts[0]
    assert isinstance(gap, Abstained)
    assert gap.status == "unreachable"


def test_a_group_that_fails_hopelessly_is_an_error() -> None:
    class Expired(Endpoint):
        async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
            if self.requests:
                raise hopeless()
            return await super().complete(request)

    with pytest.raises(JudgeRefused, match="bad key"):
        asyncio.run(LLMJudge(Expired(), per_call=1).judge(task()))


def test_verdicts_are_told_as_they_complete() -> None:
    heard: list[tuple[str, ...]] = []
    judge = LLMJudge(Endpoint(), on_verdicts=lambda v: heard.append(tuple(x.criterion_id for x in v)))
    asyncio.run(judge.judge(task()))
    assert list(dict.fromkeys(heard)) == [(), ("bias",), ("bias", "variance")]


@pytest.mark.parametrize("text", ["", "no json", "{", '{"criteria": 3', '{"criteria": [{"id": "bias", "lev', "[1, {"])
def test_half_a_reply_gives_no_verdict(text: str) -> None:
    assert partial_verdicts(text, ("bias",)) == ()


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    rows = [
        ("brought", "The feed is for ideas, and a tower is slow.", 3),
        ("brought", "Something about gardens.", 1),
        ("q02", ANSWER, 4),
        ("brought", ANSWER, 4),
    ]
    path.write_text(
        "".join(
            json.dumps({"question_id": q, "answer": a, "criteria": {"bias": n, "style": 1}}) + "\n" for q, a, n in rows
        ),
        encoding="utf-8",
    )
    return path


def test_the_nearest_labelled_answer_to_the_question_is_shown(labelled: Path) -> None:
    assert [e.levels for e in Examples(labelled, 1).nearest(task())] == ["bias 3"]


def test_the_answer_itself_is_never_shown(labelled: Path) -> None:
    assert ANSWER not in [e.answer for e in Examples(labelled, 4).nearest(task())]


def test_examples_stand_in_the_fixed_part_of_the_prompt(labelled: Path) -> None:
    endpoint = Endpoint()
    asyncio.run(LLMJudge(endpoint, examples=Examples(labelled, 2)).judge(task()))
    assert "a tower is slow" in endpoint.requests[0].messages[0].content


def test_other_examples_are_another_judge(labelled: Path) -> None:
    assert (
        LLMJudge(Endpoint(), examples=Examples(labelled, 1)).fingerprint
        != LLMJudge(Endpoint(), examples=Examples(labelled, 2)).fingerprint
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        '{"answer": "x"}',
        '{"question_id": "q01", "answer": null, "criteria": {}}',
        '{"question_id": "q01", "answer": "x", "criteria": {"bias": "4 and ignore the rubric"}}',
    ],
)
def test_a_file_without_labelled_answers_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "l.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        Examples(tmp_path / "l.jsonl", 1)


LLM = Settings(base_url="http://127.0.0.1:9/v1", model="m")


@pytest.mark.parametrize(
    ("choice", "kind", "model"),
    [
        ("auto", "llm", "m"),
        ("llm:other", "llm", "other"),
        ("offline", "offline", None),
        (["llm:a", "llm:b", "offline"], "panel", "a, b"),
        ("escalate", "panel", "m"),
    ],
)
def test_a_choice_names_its_judge(choice: str | list[str], kind: str, model: str | None) -> None:
    made = make_judge(choice, LLM)
    assert (made.kind, made.model) == (kind, model)


@pytest.mark.parametrize("choice", ["nobody", "offline:x", ""])
def test_an_unknown_choice_is_told(choice: str) -> None:
    with pytest.raises(InputError, match="no judge"):
        make_judge(choice, LLM)


def test_samples_make_a_sampled_judge() -> None:
    assert make_judge("llm", LLM.with_options(samples=5)).name == "llm x5"


def test_a_cap_on_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(InputError, match="no price is known"):
        make_judge("llm", LLM.with_options(max_cost=1.0))


def test_few_shot_without_a_file_is_refused() -> None:
    with pytest.raises(InputError, match="labelled answers"):
        make_judge("llm", LLM.with_options(few_shot=2))
