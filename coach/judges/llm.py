"""The LLM judge: one call for all criteria, then only what is missing or does not hold is asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

from coach.errors import CoachError, CostCapReached, JudgeError
from coach.evidence import locate
from coach.fingerprints import digest_of
from coach.judges.chat import ChatEndpoint, ChatReply, ChatRequest, Message
from coach.judges.contradiction import contradiction
from coach.judges.examples import Examples
from coach.judges.reply import SCHEMA_NAME, ParsedReply, parse_reply, partial_verdicts, reply_schema
from coach.landmarks import model_comes_first
from coach.models import (
    MAX_LEVEL,
    Abstained,
    GapStatus,
    Judged,
    Judgement,
    JudgeTask,
    PointVerdict,
    RaisedFlag,
    Usage,
    Verdict,
)
from coach.pricing import add_usage
from coach.prompting import prompt_fingerprint, render_judge_prompt
from coach.report import JudgeKind

MAX_TOKENS = 2500
"""Room for a reply on six criteria, several times what a terse model needs."""
MORE_ROOM = 3
"""Factor on MAX_TOKENS after a reply was cut off: models that think aloud spend theirs on thinking."""
REPAIR_CALLS = 2
"""Calls beyond the first that one answer may cost."""
SINGLE_HALF_WIDTH = 1
"""Levels. Published repeats of LLM judges mostly stay within one step; `--samples` measures it for this very answer."""
_PROTOCOL = 1
"""Raised when what is sent or how a reply is read changes, so that older grades are not taken for current ones."""


class _State:
    """What one group of criteria of one answer has got so far."""

    def __init__(self, task: JudgeTask, criteria: Sequence[str], *, sample: int, leads: bool) -> None:
        self.task = task
        self.sample = sample
        self.leads = leads
        """Whether this group also asks for points and red flags."""
        self.criteria = tuple(criteria)
        self.verdicts: dict[str, Judged | Abstained] = {}
        self.problems: dict[str, str] = dict.fromkeys(self.criteria, "it has not been judged")
        self.gap: GapStatus = "invalid"
        self.points: dict[str, PointVerdict] = {}
        self.flags: dict[str, RaisedFlag] = {}
        self.usage = Usage()

    def take(self, parsed: ParsedReply) -> None:
        """Keep what can be used. A doubtful verdict is kept too, and stands if asking again brings nothing better."""
        for declined in parsed.declined:
            self.verdicts[declined.criterion_id] = Abstained(criterion_id=declined.criterion_id, reason=declined.reason)
            self.problems.pop(declined.criterion_id, None)
        for verdict in parsed.judged:
            self.verdicts[verdict.criterion_id] = verdict
            doubt = _doubt(verdict, self.task.answer)
            self.problems.pop(verdict.criterion_id, None)
            if doubt:
                self.problems[verdict.criterion_id] = doubt
        self.problems |= {id: said for id, said in parsed.problems.items() if id not in self.verdicts}
        self.points |= {p.id: p for p in parsed.points if p.id not in self.points}
        self.flags |= {f.id: f for f in parsed.red_flags if f.id not in self.flags}


class _Ask(NamedTuple):
    """One call to come."""

    problems: Mapping[str, str]
    """Empty the first time."""
    max_tokens: int


class LLMJudge:
    """Judges through an endpoint.

    Args:
        endpoint: where the model answers.
        repair_calls: calls beyond the first that one answer may cost.
        max_tokens: room for one reply.
        temperature: None leaves it to the endpoint.
        seed: sent where the endpoint takes it.
        per_call: criteria asked for in one call; all of them where 0. Fewer cost more calls and run side by side.
        on_verdicts: told the verdicts read so far while a reply comes in.
    """

    kind: JudgeKind = "llm"
    name = "llm"

    def __init__(
        self,
        endpoint: ChatEndpoint,
        *,
        repair_calls: int = REPAIR_CALLS,
        max_tokens: int = MAX_TOKENS,
        temperature: float | None = 0.0,
        seed: int | None = 7,
        per_call: int = 0,
        examples: Examples | None = None,
        on_verdicts: Callable[[tuple[Judged, ...]], None] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._repair_calls = repair_calls
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._seed = seed
        self._per_call = per_call
        self._examples = examples
        self._on_verdicts = on_verdicts
        self.prompt_fingerprint = prompt_fingerprint()

    @property
    def model(self) -> str:
        """The model asked."""
        return self._endpoint.model

    @property
    def fingerprint(self) -> str:
        """Digest of endpoint, model, parameters and protocol."""
        examples = self._examples.digest if self._examples else ""
        parameters = [self._repair_calls, self._max_tokens, self._temperature, self._seed, self._per_call, examples]
        return digest_of([self._endpoint.identity, self.model, parameters, _PROTOCOL])

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`. An error after something was judged leaves the rest open instead of losing all."""
        return await self.judge_sample(task, 0)

    async def judge_sample(self, task: JudgeTask, sample: int) -> Judgement:
        """One of several independent judgements; all but the first see the criteria in an order of their own."""
        ids = [c.id for c in task.rubric.criteria]
        size = self._per_call or len(ids)
        groups = [ids[i : i + size] for i in range(0, len(ids), size)]
        states = [_State(task, group, sample=sample, leads=n == 0) for n, group in enumerate(groups)]
        found = await asyncio.gather(*(self._run(state) for state in states), return_exceptions=True)
        errors = [f for f in found if isinstance(f, BaseException)]
        for error in errors:
            if not isinstance(error, JudgeError | CostCapReached):
                raise error
        if errors and len(errors) == len(found):
            raise errors[0]
        return _judgement(task, states)

    async def _run(self, state: _State) -> None:
        """Ask, and ask again for what is missing or does not hold, within the budget of calls."""
        room = self._max_tokens
        for call in range(1 + self._repair_calls):
            try:
                reply = await self._call(state, _Ask(state.problems if call else {}, room))
            except (JudgeError, CostCapReached) as error:
                state.gap = _gap(error)
                if not state.verdicts:
                    raise
                return
            state.usage = add_usage(state.usage, reply.usage)
            if reply.finish in {"refusal", "content_filter"}:
                state.gap = "refused"
                state.problems = {i: _refusal_words(reply) for i in state.problems}
                return
            state.take(_parsed(reply, state.task, state.problems))
            state.gap = "truncated" if reply.finish == "length" else "invalid"
            if reply.finish == "length":
                room = MORE_ROOM * self._max_tokens
            if not state.problems:
                return

    async def aclose(self) -> None:
        """Close the endpoint's connections."""
        await self._endpoint.aclose()

    async def _call(self, state: _State, ask: _Ask) -> ChatReply:
        task, first = state.task, not ask.problems
        asked = tuple(ask.problems) or state.criteria
        part = len(state.criteria) < len(task.rubric.criteria)
        prompt = render_judge_prompt(
            task,
            only=asked if first and part else (),
            problems=ask.problems,
            order_seed=None if state.sample == 0 else (self._seed or 0) + state.sample,
            examples=self._examples.nearest(task) if self._examples else (),
        )
        wanted = first and state.leads
        points = [p.id for p in task.question.points] if wanted or (state.leads and not state.points) else []
        flags = [f.id for f in task.rubric.red_flags] if wanted else []
        return await self._endpoint.complete(
            ChatRequest(
                messages=(Message("system", prompt.system), Message("user", prompt.user)),
                schema=reply_schema(asked, points, flags),
                schema_name=SCHEMA_NAME,
                max_tokens=ask.max_tokens,
                temperature=self._temperature,
                seed=None if self._seed is None else self._seed + state.sample,
            ),
            on_text=self._listen(asked),
        )

    def _listen(self, asked: Sequence[str]) -> Callable[[str], None] | None:
        """Passes verdicts on as their entries are complete in the stream."""
        tell = self._on_verdicts
        if tell is None:
            return None
        return lambda text: tell(partial_verdicts(text, asked))


def _parsed(reply: ChatReply, task: JudgeTask, asked: Mapping[str, str]) -> ParsedReply:
    return parse_reply(
        reply.text,
        criteria=tuple(asked),
        points=[p.id for p in task.question.points],
        flags=[f.id for f in task.rubric.red_flags],
        answer=task.answer,
    )


def single_band(level: int) -> tuple[float, float]:
    """The band of a level that was drawn once. Its spread is not known, so one step either way is assumed and shown."""
    return float(max(0, level - SINGLE_HALF_WIDTH)), float(min(MAX_LEVEL, level + SINGLE_HALF_WIDTH))


def _doubt(verdict: Judged, answer: str) -> str | None:
    """Why a verdict is worth asking again, or None."""
    if verdict.level > 0:
        if not verdict.evidence:
            return "it has a level above 0 without a quote"
        if not any(locate(e.quote, answer) for e in verdict.evidence):
            return f"none of its quotes stands in the answer, e.g. “{verdict.evidence[0].quote[:80]}”: copy letter by letter"
    return contradiction(verdict)


def _gap(error: CoachError) -> GapStatus:
    match error.status:
        case "unreachable" | "refused" | "over_budget" as status:
            return status
        case _:
            return "invalid"


def _refusal_words(reply: ChatReply) -> str:
    return f"the model refused: {(reply.refusal or reply.finish)[:200]}"


def _judgement(task: JudgeTask, states: Sequence[_State]) -> Judgement:
    """All criteria in the rubric's order; what is still open is told with its status and its problem."""
    verdicts: list[Verdict] = []
    for state in states:
        for id in state.criteria:
            verdict = state.verdicts.get(id)
            if verdict is None:
                verdict = Abstained(criterion_id=id, reason=f"Not judged: {state.problems[id]}.", status=state.gap)
            elif isinstance(verdict, Judged):
                verdict = verdict.model_copy(update={"band": single_band(verdict.level)})
            verdicts.append(verdict)
    flags, dropped = confirmed_flags([f for s in states for f in s.flags.values()], task)
    doubts = tuple(
        f"{id}: {problem}, also when asked again."
        for state in states
        for id, problem in state.problems.items()
        if isinstance(state.verdicts.get(id), Judged)
    )
    return Judgement(
        verdicts=tuple(verdicts),
        red_flags=flags,
        points=tuple(p for s in states for p in s.points.values()),
        usage=reduce(add_usage, (s.usage for s in states), Usage()),
        warnings=(*dropped, *doubts),
    )


def confirmed_flags(flags: Sequence[RaisedFlag], task: JudgeTask) -> tuple[tuple[RaisedFlag, ...], tuple[str, ...]]:
    """Flags about order hold only where the order of the answer bears them out; the rest is passed on."""
    if model_comes_first(task.matches.landmarks) or not any(f.id == "model_first" for f in flags):
        return tuple(flags), ()
    told = (
        "The judge raised model_first, but the answer names an objective or constraint before any technique; dropped."
    )
    return tuple(f for f in flags if f.id != "model_first"), (told,)
