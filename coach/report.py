"""The feedback report: the one thing renderers, batch, web and evals share. `schema_version` 1 is a contract."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from coach.judgement import CriterionStatus, Evidence, LeftOpen, Opinion, PointStatus, Shortfall, Usage
from coach.models import Frozen, LevelValue

SCHEMA_VERSION: Literal[1] = 1
JudgeKind = Literal["offline", "llm", "replay", "screen", "panel"]


class JudgeInfo(Frozen):
    """Who judged. Kind `screen`: a check in code decided and no judge was asked."""

    kind: JudgeKind
    name: str
    model: str | None = None


class CriterionReport(Frozen):
    """One criterion: its level, the points it won of its weight, and the words it rests on."""

    id: str
    title: str = ""
    level: LevelValue | None = Field(description="0..4, null where it was not judged")
    status: CriterionStatus
    weight: float = Field(description="share of the total, all weights of a question sum to 100")
    points: float | None = Field(description="level / 4 * weight, null where not judged")
    rationale: str
    evidence: tuple[Evidence, ...] = ()
    band: tuple[float, float] | None = Field(default=None, description="levels the judge cannot tell apart")
    opinions: tuple[Opinion, ...] = Field(default=(), description="each judge's level, where several were asked")


class FlagReport(Frozen):
    """A red flag, the words that raised it, and the highest total it leaves."""

    id: str
    title: str = ""
    evidence: tuple[Evidence, ...] = ()
    cap: float


class PassageReport(Frozen):
    """A place in the answer close to an expert point."""

    start: int
    end: int
    cosine: float


class PointReport(Frozen):
    """An expert point and whether the answer makes it."""

    id: str
    text: str
    status: PointStatus
    passages: tuple[PassageReport, ...] = ()


class NextStep(Frozen):
    """What to work on, and the points of the total it would win."""

    criterion: str
    advice: str
    gain: float = Field(ge=0, description="points of the total, 0..100")


class Fingerprint(Frozen):
    """SHA-256 digests of all that a grade depends on: same digests, same grade."""

    answer: str
    rubric: str
    prompt: str
    judge: str
    encoder: str = Field(
        default="", description="name of the sentence encoder, its weights and precision; empty: none read this"
    )


class ErrorReport(Frozen):
    """Why a row failed. A failed report carries no grade."""

    kind: str
    message: str
    hint: str = ""


class FeedbackReport(Frozen):
    """The critique of one answer."""

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    status: Literal["ok", "failed"]
    question_id: str
    question: str = ""
    total: float | None = Field(description="0..100, null where too little could be judged")
    overall: int | None = Field(ge=1, le=5, description="hiring signal: 1 strong no .. 5 strong yes")
    band: tuple[float, float] | None = Field(default=None, description="totals the judge cannot tell apart, low..high")
    second_look: bool = Field(default=False, description="the band straddles the step from borderline to yes")
    judge: JudgeInfo
    criteria: tuple[CriterionReport, ...] = ()
    red_flags: tuple[FlagReport, ...] = ()
    points: tuple[PointReport, ...] = ()
    strengths: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    follow_up: str = ""
    warnings: tuple[str, ...] = ()
    incomplete: Shortfall | None = Field(
        default=None, description="why a judge, a sample or a criterion is missing that another run may bring"
    )
    left_open: tuple[LeftOpen, ...] = Field(default=(), description="what is missing of an incomplete grade, and why")
    fingerprint: Fingerprint
    usage: Usage = Usage()
    error: ErrorReport | None = None

    @property
    def points_judged(self) -> bool:
        """Whether a judge looked at the expert points: one that leaves all criteria open and names no point made did not."""
        return any(c.level is not None for c in self.criteria) or any(p.status != "missing" for p in self.points)
