"""What a judge gives back: a level or why there is none, quotes, flags, points; what that took, and what is still missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from coach.models import Frozen, LevelValue


class Evidence(Frozen):
    """Words of the answer that carry a verdict; offsets are None when the words are not in the answer."""

    quote: str
    start: int | None = None
    end: int | None = None

    @property
    def verified(self) -> bool:
        """Whether the words were found in the answer."""
        return self.start is not None

    @model_validator(mode="after")
    def _both_offsets_or_none(self) -> Self:
        if (self.start is None) != (self.end is None):
            raise ValueError("evidence has both offsets or none")
        return self


CriterionStatus = Literal["ok", "abstained", "refused", "truncated", "invalid", "unreachable", "over_budget"]
GapStatus = Literal["abstained", "refused", "truncated", "invalid", "unreachable", "over_budget"]
Shortfall = Literal["unreachable", "over_budget"]
"""Why something is missing that another try may well bring: the endpoint or the money gave out."""
PointStatus = Literal["covered", "partial", "missing", "contradicted"]


class Opinion(Frozen):
    """What one judge of several said of a criterion; no level where it gave none."""

    judge: str
    level: LevelValue | None


class Judged(Frozen):
    """A judge's level for one criterion, with the quotes it rests on."""

    kind: Literal["judged"] = "judged"
    criterion_id: str
    level: LevelValue
    evidence: tuple[Evidence, ...] = ()
    rationale: str = ""
    band: tuple[float, float] | None = Field(default=None, description="levels the judge cannot tell apart, low..high")
    opinions: tuple[Opinion, ...] = ()


class Abstained(Frozen):
    """No level for one criterion, and why not. `status` tells an unsure judge from a failed one."""

    kind: Literal["abstained"] = "abstained"
    criterion_id: str
    reason: str
    status: GapStatus = "abstained"
    opinions: tuple[Opinion, ...] = ()


Verdict = Annotated[Judged | Abstained, Field(discriminator="kind")]


class RaisedFlag(Frozen):
    """A red flag a judge claims to see."""

    id: str
    evidence: tuple[Evidence, ...] = ()


class PointVerdict(Frozen):
    """Whether the answer makes an expert point, in any words."""

    id: str
    status: PointStatus
    evidence: tuple[Evidence, ...] = ()


class Usage(Frozen):
    """What the judge's calls used, all attempts added up. `cost_usd` is None where no price is known.

    `estimated_calls` are those whose tokens the endpoint did not count: theirs are estimated.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    estimated_calls: int = 0


class LeftOpen(Frozen):
    """A part of a grade that is missing, and that another try may well bring."""

    what: str = Field(description="the judge, samples or criteria that are missing")
    reason: str
    hint: str = ""


class Judgement(Frozen):
    """All a judge says of one answer: one verdict for every criterion of the rubric, in the rubric's order."""

    verdicts: tuple[Verdict, ...]
    red_flags: tuple[RaisedFlag, ...] = ()
    points: tuple[PointVerdict, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()
    lost: Shortfall | None = None
    """Why something is missing that shows in no verdict: one of several judges, a list of flags."""
    left_open: tuple[LeftOpen, ...] = ()
    """What is missing, part by part, where more than the verdicts tell it."""

    @property
    def incomplete(self) -> Shortfall | None:
        """Why any part is missing that another try may well bring; None where none is."""
        return shortfall([self.lost, *(v.status for v in self.verdicts if isinstance(v, Abstained))])

    @property
    def open_parts(self) -> tuple[LeftOpen, ...]:
        """All that is missing and that another try may well bring; none where the judgement is whole."""
        why = self.incomplete
        if why is None or self.left_open:
            return self.left_open
        gaps: dict[str, list[str]] = {}
        for verdict in self.verdicts:
            if isinstance(verdict, Abstained) and shortfall([verdict.status]):
                gaps.setdefault(verdict.reason, []).append(verdict.criterion_id)
        found = tuple(LeftOpen(what=f"levels of {', '.join(ids)}", reason=reason) for reason, ids in gaps.items())
        return found or (LeftOpen(what="a part of the judgement", reason=_GAVE_OUT[why]),)


_GAVE_OUT: dict[Shortfall, str] = {
    "over_budget": "the cost cap was reached",
    "unreachable": "the endpoint could not be reached",
}


def shortfall(statuses: Iterable[str | None]) -> Shortfall | None:
    """The one of these for which something is missing that another try may well bring; want of money goes first."""
    found = set(statuses)
    kinds: tuple[Shortfall, ...] = ("over_budget", "unreachable")
    return next((k for k in kinds if k in found), None)
