"""The LLM judge: one call for all criteria, then only what is missing or does not hold is asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property

from coach.errors import CoachError, CostCapReached, JudgeError, JudgeReplyInvalid
from coach.fingerprints import digest_of
from coach.judgement import Judged, Judgement, RaisedFlag, Verdict, shortfall
from coach.judges.chat import ChatEndpoint, ChatReply, ChatRequest, Message
from coach.judges.examples import Examples
from coach.judges.reply import SCHEMA_NAME, partial_verdicts, reply_schema
from coach.judges.rounds import Ask, CallBudget, Reliability, Rounds
from coach.landmarks import model_comes_first
from coach.models import MAX_LEVEL, JudgeTask
from coach.pricing import sum_usage
from coach.prompting import prompt_fingerprint, render_judge_prompt
from coach.report import JudgeKind

MAX_TOKENS = 2500
"""Room for a reply on six criteria, several times what a terse model needs."""
MORE_ROOM = 3
"""Factor on the room after a reply was cut off, and for models that are known to think out of the same room."""
REPAIR_CALLS = 2
"""Calls beyond the first that ask again for what was missing, invalid or doubtful in a reply that could be read."""
SINGLE_HALF_WIDTH = 1
"""Levels. Published repeats of LLM judges mostly stay within one step; `--samples` measures it for this very answer."""
_PROTOCOL = 2
"""Raised when what is sent or how a reply is read changes, so that older grades are not taken for current ones."""


class LLMJudge:
    """Judges through an endpoint.

    Args:
        endpoint: where the model answers.
        repair_calls: calls beyond the first for what is missing, invalid or doubtful; see `CallBudget`.
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
        self._reliability = Reliability()

    @property
    def model(self) -> str:
        """The model asked."""
        return self._endpoint.model

    @property
    def _room(self) -> int:
        return self._max_tokens * (MORE_ROOM if self._endpoint.thinks else 1)

    @cached_property
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
        groups = self._groups(task)
        rounds = [Rounds(task, group, leads=n == 0) for n, group in enumerate(groups)]
        found = await asyncio.gather(*(self._run(r, sample) for r in rounds), return_exceptions=True)
        errors = [f for f in found if isinstance(f, BaseException)]
        grave = next((e for e in errors if not isinstance(e, JudgeError | CostCapReached) or e.hopeless), None)
        if grave or len(errors) == len(found):
            error = grave or errors[0]
            if isinstance(error, CoachError):
                error.usage = sum_usage(r.usage for r in rounds)
            raise error
        return _judgement(task, rounds)

    def first_requests(self, task: JudgeTask, sample: int = 0) -> tuple[ChatRequest, ...]:
        """What is sent before anything is asked again: one request a group of criteria."""
        return tuple(
            self._request(task, Rounds(task, group, leads=n == 0).next_ask(), sample, self._room)
            for n, group in enumerate(self._groups(task))
        )

    def _groups(self, task: JudgeTask) -> list[list[str]]:
        ids = [c.id for c in task.rubric.criteria]
        size = self._per_call or len(ids)
        return [ids[i : i + size] for i in range(0, len(ids), size)]

    async def _run(self, rounds: Rounds, sample: int) -> None:
        """Ask, and ask again for what is missing or does not hold, within the budget of calls."""
        budget, room = CallBudget(self._repair_calls), self._room
        enough = room
        while True:
            ask, failure, before, new = rounds.next_ask(), None, rounds.open, True
            try:
                reply = await self._call(rounds.task, ask, sample, room)
                broken, new = rounds.take(ask, reply), not reply.repeated
            except JudgeReplyInvalid as error:
                failure, broken = error, True
                rounds.fail(error)
            except (JudgeError, CostCapReached) as error:
                rounds.fail(error)
                if not rounds.verdicts:
                    raise
                return
            hiccup = self._reliability.hiccup(broken=broken, new=new)
            if not rounds.open or rounds.gap == "refused":
                return
            stuck = rounds.gap == "truncated" and room > enough and rounds.open == before
            if stuck or not budget.another(hiccup=hiccup):
                if failure and not rounds.verdicts:
                    raise failure
                return
            if rounds.gap == "truncated":
                room = MORE_ROOM * enough

    async def aclose(self) -> None:
        """Close the endpoint's connections."""
        await self._endpoint.aclose()

    async def _call(self, task: JudgeTask, ask: Ask, sample: int, room: int) -> ChatReply:
        return await self._endpoint.complete(self._request(task, ask, sample, room), on_text=self._listen(ask.criteria))

    def _request(self, task: JudgeTask, ask: Ask, sample: int, room: int) -> ChatRequest:
        part = not ask.problems and len(ask.criteria) < len(task.rubric.criteria)
        prompt = render_judge_prompt(
            task,
            only=ask.criteria if part else (),
            problems=ask.problems,
            order_seed=None if sample == 0 else (self._seed or 0) + sample,
            examples=self._examples.nearest(task) if self._examples else (),
        )
        return ChatRequest(
            messages=(Message("system", prompt.system), Message("user", prompt.user)),
            schema=reply_schema(ask.criteria, ask.points, ask.flags),
            schema_name=SCHEMA_NAME,
            max_tokens=room,
            temperature=self._temperature,
            seed=None if self._seed is None else self._seed + sample,
        )

    def _listen(self, asked: Sequence[str]) -> Callable[[str], None] | None:
        """Passes verdicts on as their entries are complete in the stream."""
        tell = self._on_verdicts
        if tell is None:
            return None
        return lambda text: tell(partial_verdicts(text, asked))


def single_band(level: int) -> tuple[float, float]:
    """The band of a level that was drawn once. Its spread is not known, so one step either way is assumed and shown."""
    return float(max(0, level - SINGLE_HALF_WIDTH)), float(min(MAX_LEVEL, level + SINGLE_HALF_WIDTH))


def _judgement(task: JudgeTask, rounds: Sequence[Rounds]) -> Judgement:
    """All criteria in the rubric's order; what is still open is told with its status and its problem."""
    verdicts: list[Verdict] = []
    for part in rounds:
        for id in part.criteria:
            verdict = part.verdicts.get(id) or part.gap_of(id)
            if isinstance(verdict, Judged):
                verdict = verdict.model_copy(update={"band": single_band(verdict.level)})
            verdicts.append(verdict)
    flags, dropped = confirmed_flags([f for r in rounds for f in r.flags.values()], task)
    return Judgement(
        verdicts=tuple(verdicts),
        red_flags=flags,
        points=tuple(p for r in rounds for p in r.points.values()),
        usage=sum_usage(r.usage for r in rounds),
        warnings=(*dropped, *(w for r in rounds for w in r.warnings())),
        lost=shortfall(r.gap for r in rounds if r.open),
    )


def confirmed_flags(flags: Sequence[RaisedFlag], task: JudgeTask) -> tuple[tuple[RaisedFlag, ...], tuple[str, ...]]:
    """Flags about order hold only where the order of the answer bears them out; the rest is passed on."""
    if model_comes_first(task.matches.landmarks) or not any(f.id == "model_first" for f in flags):
        return tuple(flags), ()
    told = (
        "The judge raised model_first, but the answer names an objective or constraint before any technique; dropped."
    )
    return tuple(f for f in flags if f.id != "model_first"), (told,)
