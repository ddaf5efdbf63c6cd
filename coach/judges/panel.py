"""Several judgements of one answer: samples of one LLM, a panel of judges, or a cheap judge that calls in a dear one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from coach.errors import AnswerPending, CoachError
from coach.fingerprints import digest_of
from coach.judgement import Judged, Judgement, LeftOpen, Usage, Verdict, shortfall
from coach.judges.base import Judge
from coach.judges.combine import Named, combine
from coach.judges.llm import LLMJudge
from coach.models import JudgeTask
from coach.pricing import sum_usage
from coach.report import JudgeKind
from coach.scoring import nearest_cut


class SampledJudge:
    """Draws several judgements of one LLM at once and takes the median.

    Args:
        judge: should run at a temperature above 0, or all draws are alike.
        samples: 2 or more.
    """

    kind: JudgeKind = "llm"

    def __init__(self, judge: LLMJudge, samples: int) -> None:
        self._judge = judge
        self._samples = samples
        self.name = f"llm x{samples}"
        self.prompt_fingerprint = judge.prompt_fingerprint

    @property
    def model(self) -> str | None:
        """The model asked."""
        return self._judge.model

    @property
    def fingerprint(self) -> str:
        """Digest of the judge and the number of draws."""
        return digest_of([self._judge.fingerprint, "samples", self._samples])

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`. Draws that fail are left out as long as one succeeds."""
        draws = await _all(self._judge.judge_sample(task, n) for n in range(self._samples))
        named = [Named(f"draw {n}", draw) for n, draw in enumerate(draws, start=1) if isinstance(draw, Judgement)]
        lost = len(draws) - len(named)
        judgement = combine(task, named, show_opinions=False)
        told = (f"{lost} of {self._samples} samples failed; the rest were used.",) if lost else ()
        missing = [d for d in draws if isinstance(d, CoachError) and shortfall([d.status])]
        open_ = [_left_open(f"{len(missing)} of {self._samples} samples", missing[0])] if missing else []
        return _of_all(judgement, draws, open_, *told)

    async def aclose(self) -> None:
        """Close the judge's connections."""
        await self._judge.aclose()


class PanelJudge:
    """Asks several judges and shows what each said; the median counts.

    Args:
        judges: two or more.
    """

    kind: JudgeKind = "panel"

    def __init__(self, judges: Sequence[Judge]) -> None:
        self._judges = tuple(judges)
        self.name = " + ".join(_label(j) for j in judges)
        self.model = ", ".join(j.model for j in judges if j.model) or None
        self.prompt_fingerprint = digest_of([j.prompt_fingerprint for j in judges])

    @property
    def fingerprint(self) -> str:
        """Digest of all judges."""
        return digest_of(["panel", *(j.fingerprint for j in self._judges)])

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`. A judge that fails is left out and named, as long as another succeeds."""
        found = await _all(j.judge(task) for j in self._judges)
        named = [Named(_label(j), f) for j, f in zip(self._judges, found, strict=True) if isinstance(f, Judgement)]
        failed = [(_label(j), f) for j, f in zip(self._judges, found, strict=True) if isinstance(f, CoachError)]
        told = (f"{label} failed and was left out: {error.message}" for label, error in failed)
        open_ = [_left_open(f"the judge {label}", error) for label, error in failed if shortfall([error.status])]
        judgement = combine(task, named, show_opinions=True)
        return _of_all(judgement, found, open_, *told, *_agreement(judgement.verdicts))

    async def aclose(self) -> None:
        """Close all judges' connections."""
        for judge in self._judges:
            await judge.aclose()


class EscalatingJudge:
    """Asks the first judge, and the second only where the first is unsure.

    Args:
        first: the cheap one.
        second: the one to call in.
        margin: points of the total; nearer than this to a step of the hiring signal, the first counts as unsure.
    """

    kind: JudgeKind = "panel"

    def __init__(self, first: Judge, second: Judge, *, margin: float) -> None:
        self._first, self._second, self._margin = first, second, margin
        self.name = f"{_label(first)}, then {_label(second)}"
        self.model = second.model
        self.prompt_fingerprint = second.prompt_fingerprint

    @property
    def fingerprint(self) -> str:
        """Digest of both judges and the margin."""
        return digest_of(["escalate", self._first.fingerprint, self._second.fingerprint, self._margin])

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`. The report says who was asked in the end."""
        judgement = await self._first.judge(task)
        distance = nearest_cut(task.rubric, judgement.verdicts)
        if distance is not None and distance >= self._margin:
            return _told(judgement, f"{_label(self._first)} was sure; {_label(self._second)} was not asked.")
        return _told(
            await self._second.judge(task), f"{_label(self._first)} was unsure; {_label(self._second)} judged."
        )

    async def aclose(self) -> None:
        """Close both judges' connections."""
        await self._first.aclose()
        await self._second.aclose()


def _label(judge: Judge) -> str:
    return f"{judge.kind}:{judge.model}" if judge.model else judge.kind


def _told(judgement: Judgement, *notes: str) -> Judgement:
    return judgement.model_copy(update={"warnings": (*judgement.warnings, *notes)})


def _left_open(what: str, error: CoachError) -> LeftOpen:
    return LeftOpen(what=what, reason=error.message, hint=error.hint)


def _of_all(
    judgement: Judgement, found: Sequence[Judgement | CoachError], missing: Iterable[LeftOpen], *notes: str
) -> Judgement:
    """What those that succeeded say together, with what all cost, and what is missing for which reason."""
    lost = shortfall([judgement.lost, *(f.status for f in found if isinstance(f, CoachError))])
    left_open = (*judgement.left_open, *missing)
    return _told(judgement, *notes).model_copy(update={"usage": _usage(found), "lost": lost, "left_open": left_open})


async def _all(work: Iterable[Awaitable[Judgement]]) -> list[Judgement | CoachError]:
    """All results at once; errors of ours come back as values unless nothing else does. Anything else is raised.

    So is an answer that is still to come, for nobody is left out because the others were faster, and a hopeless error: a
    judge that every answer would have to do without is no exception.
    """
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and (
            not isinstance(result, CoachError) or isinstance(result, AnswerPending)
        ):
            raise result
    found = [r for r in results if isinstance(r, Judgement | CoachError)]
    errors = [r for r in found if isinstance(r, CoachError)]
    hopeless = next((e for e in errors if e.hopeless), None)
    if hopeless or len(errors) == len(found):
        error = hopeless or errors[0]
        error.usage = _usage(found)
        raise error
    return found


def _usage(found: Iterable[Judgement | CoachError]) -> Usage:
    """What all cost together, also those that failed after something was paid for."""
    return sum_usage(f.usage or Usage() for f in found)


def _agreement(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """How far the judges agree, over the criteria that more than one of them has a level for."""
    spreads = []
    for verdict in verdicts:
        levels = [o.level for o in verdict.opinions if o.level is not None] if isinstance(verdict, Judged) else []
        if len(levels) > 1:
            spreads.append(max(levels) - min(levels))
    if not spreads:
        return ()
    alike, near = sum(s == 0 for s in spreads), sum(s <= 1 for s in spreads)
    return (f"The judges agree on {alike} of {len(spreads)} criteria, and to one level on {near}.",)
