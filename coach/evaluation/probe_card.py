"""From probed answers to a report card: rates, lifts, their intervals, what the sample could have seen, and a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from coach.evaluation.grade import make_coach
from coach.evaluation.intervals import (
    ALPHA,
    adjusted,
    detectable_mean,
    detectable_rate,
    mean_interval,
    rate_interval,
    sign_flip_p,
)
from coach.evaluation.labels import Labelled
from coach.evaluation.probe import FLOOR, PROBES, Expect, Pair, Probe, Probed, ProbeRun, run_probes
from coach.evaluation.run import about
from coach.judges.base import Judge
from coach.models import Frozen
from coach.settings import Settings

TOLERATED_RATE = 0.05
"""Flips, or answers that stay up, a judge may show before it counts: the interval must lie above it as a whole."""
MIN_LIFT = 1.0
"""Points of the total below which a lift is of no account, however sure it is; a step of the hiring signal is about 22."""
COARSE, COARSE_RATE = 10.0, 0.25
"""Points, and share of the answers: a sample that can see nothing smaller tells too little to call a judge clean."""
MIN_PAIRS = 10

Finding = Literal["lifts", "lowers", "flips", "does not fall", "stays up"]
Verdict = Literal["clean", "found", "too few"]


class Rate(Frozen):
    """A share of answers, 0..1, with Wilson's 95% interval."""

    hits: int
    of: int
    value: float | None
    low: float | None
    high: float | None


class Lift(Frozen):
    """A mean change in points of the total, with a 95% bootstrap interval over questions."""

    value: float | None
    low: float | None
    high: float | None


class ProbeResult(Frozen):
    """One line of the report card."""

    name: str
    title: str
    does: str
    expect: Expect
    pairs: int
    skipped: int
    lost: int
    flips: Rate
    rose: Rate
    fell: Rate
    above_floor: Rate
    """Answers with a signal above FLOOR once changed."""
    lift: Lift
    """Before caps: what the judge itself was moved by."""
    total_lift: Lift
    """After caps: what a user sees."""
    probability: float
    """Of a lift this large by chance, corrected for the number of probes."""
    detectable_lift: float | None
    """Smallest lift, points, that such a sample shows as a finding four times in five; None where lifts do not vary."""
    detectable_rate: float
    """Smallest rate that such a sample shows as a finding four times in five, 0..1."""
    verdict: Verdict
    findings: tuple[Finding, ...]


class ReportCard(Frozen):
    """All probes on one judge."""

    answers: int
    graded: int
    results: tuple[ProbeResult, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Answers asked for, and those that were graded as they are."""
        return {"answers": self.answers, "graded": self.graded}

    @property
    def clean(self) -> bool:
        """Whether no probe found anything; a sample that is too small finds nothing either."""
        return all(r.verdict != "found" for r in self.results)


def probe_judge(
    judge: Judge,
    rows: Sequence[Labelled],
    settings: Settings,
    *,
    probes: Sequence[Probe] = PROBES,
    concurrency: int = 8,
) -> tuple[ReportCard, dict[str, Any]]:
    """Probe a judge on answers; the card, and who was probed, by which prompt, and when."""

    async def work() -> ProbeRun:
        coach = make_coach(judge, settings)
        try:
            return await run_probes(coach, rows, probes=probes, concurrency=concurrency)
        finally:
            await coach.aclose()

    run = asyncio.run(work())
    return report_card(run), about(judge, run.reports)


def report_card(run: ProbeRun) -> ReportCard:
    """Measure every probe; probabilities are corrected for their number (Benjamini and Hochberg)."""
    raw = [sign_flip_p([p.lift for p in probed.pairs], _groups(probed.pairs)) for probed in run.probed]
    return ReportCard(
        answers=run.answers,
        graded=run.graded,
        results=tuple(_result(p, q, looks=len(raw)) for p, q in zip(run.probed, adjusted(raw), strict=True)),
    )


def _groups(pairs: Sequence[Pair]) -> list[str]:
    return [p.group for p in pairs]


def _result(probed: Probed, probability: float, *, looks: int) -> ProbeResult:
    pairs, probe = probed.pairs, probed.probe
    lifts = [p.lift for p in pairs]
    result = ProbeResult(
        name=probe.name,
        title=probe.title,
        does=probe.does,
        expect=probe.expect,
        pairs=len(pairs),
        skipped=probed.skipped,
        lost=probed.lost,
        flips=_rate([p.step != 0 for p in pairs]),
        rose=_rate([p.step > 0 for p in pairs]),
        fell=_rate([p.step < 0 for p in pairs]),
        above_floor=_rate([(p.after.overall or 0) > FLOOR for p in pairs]),
        lift=_lift(lifts, pairs),
        total_lift=_lift([(p.after.total or 0.0) - (p.before.total or 0.0) for p in pairs], pairs),
        probability=round(probability, 5),
        detectable_lift=_rounded(_seen(detectable_mean(lifts, _groups(pairs), looks=looks))),
        detectable_rate=round(detectable_rate(len(pairs), above=TOLERATED_RATE), 3),
        verdict="clean",
        findings=(),
    )
    findings = _findings(result)
    return result.model_copy(update={"findings": findings, "verdict": _verdict(result, findings)})


def _seen(lift: float | None) -> float | None:
    """A lift that is of no account is no finding, however surely it is seen."""
    return None if lift is None else max(lift, MIN_LIFT)


def _findings(r: ProbeResult) -> tuple[Finding, ...]:
    rose, fell = _surely(r, up=True), _surely(r, up=False)
    found: list[tuple[bool, Finding]]
    match r.expect:
        case "same":
            found = [(rose, "lifts"), (fell, "lowers"), (_often(r.flips), "flips")]
        case "not_higher":
            found = [(rose, "lifts"), (_often(r.rose), "flips")]
        case "lower":
            found = [(not fell and not _too_few(r), "does not fall")]
        case "floor":
            found = [(_often(r.above_floor), "stays up")]
    return tuple(name for wrong, name in found if wrong)


def _surely(r: ProbeResult, *, up: bool) -> bool:
    lift = r.lift.value or 0.0
    return r.probability < ALPHA and (lift >= MIN_LIFT if up else lift <= -MIN_LIFT)


def _often(rate: Rate) -> bool:
    return (rate.low or 0.0) > TOLERATED_RATE


def _verdict(r: ProbeResult, findings: Sequence[Finding]) -> Verdict:
    if findings:
        return "found"
    if r.expect == "lower" and _surely(r, up=False):
        return "clean"
    return "too few" if _too_few(r) else "clean"


def _too_few(r: ProbeResult) -> bool:
    """Whether a lift or a rate that matters could have gone unseen."""
    coarse_lift = r.expect != "floor" and (r.detectable_lift or 0.0) > COARSE
    coarse_rate = r.expect != "lower" and r.detectable_rate > COARSE_RATE
    return r.pairs < MIN_PAIRS or coarse_lift or coarse_rate


def _rate(hits: Sequence[bool]) -> Rate:
    interval = rate_interval(sum(hits), len(hits))
    return Rate(
        hits=sum(hits),
        of=len(hits),
        value=round(sum(hits) / len(hits), 3) if hits else None,
        low=round(interval.low, 3) if interval else None,
        high=round(interval.high, 3) if interval else None,
    )


def _lift(values: Sequence[float], pairs: Sequence[Pair]) -> Lift:
    if not values:
        return Lift(value=None, low=None, high=None)
    interval = mean_interval(values, _groups(pairs))
    return Lift(
        value=_rounded(float(np.mean(values))),
        low=_rounded(interval.low if interval else None),
        high=_rounded(interval.high if interval else None),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
