"""Small values for tests, built by hand."""

from __future__ import annotations

from coach.judgement import Abstained, Evidence, Judged
from coach.models import ApplicableFlag, Criterion, Level, RedFlag, Rubric, WeightedCriterion
from coach.report import (
    CriterionReport,
    FeedbackReport,
    Fingerprint,
    FlagReport,
    JudgeInfo,
    NextStep,
    PassageReport,
    PointReport,
)


def criterion(id: str) -> Criterion:
    levels = tuple(Level(value=v, descriptor=f"{id} descriptor {v}", anchor=f"{id} anchor {v}") for v in range(5))
    return Criterion(id=id, title=id.replace("_", " ").title(), description=f"about {id}", levels=levels)


def flag(id: str, cap: float = 40.0) -> ApplicableFlag:
    red = RedFlag(id=id, title=id, description=f"about {id}", cap=cap, shows="a", only_warns="b")
    return ApplicableFlag(flag=red, looks_like=f"{id} here")


def rubric(flags: tuple[ApplicableFlag, ...] = (), **weights: float) -> Rubric:
    criteria = tuple(WeightedCriterion(criterion=criterion(id), weight=w) for id, w in weights.items())
    return Rubric(criteria=criteria, red_flags=flags)


def judged(id: str, level: int, quote: str = "", *, band: tuple[float, float] | None = None) -> Judged:
    """A verdict whose quote, if any, counts as found at the start of the answer."""
    evidence = (Evidence(quote=quote, start=0, end=len(quote)),) if quote else ()
    return Judged(criterion_id=id, level=level, evidence=evidence, rationale=f"because of {id}", band=band)


def abstained(id: str) -> Abstained:
    return Abstained(criterion_id=id, reason="cannot tell")


ANSWER = "I ask what the feed is for.\nThen a small model, since clicks mislead."


def report(answer: str = ANSWER, **changes: object) -> FeedbackReport:
    """A report with everything in it; offsets fit ANSWER."""
    first, second = answer[:27], answer[34:46]
    values: dict[str, object] = {
        "id": "a1",
        "status": "ok",
        "question_id": "q01",
        "question": "Which model?",
        "total": 62.5,
        "overall": 4,
        "judge": JudgeInfo(kind="offline", name="offline"),
        "criteria": (
            CriterionReport(
                id="product_framing",
                title="Product framing",
                level=3,
                status="ok",
                weight=60,
                points=45,
                rationale="Starts from the purpose.",
                evidence=(Evidence(quote=first, start=0, end=27),),
            ),
            CriterionReport(
                id="tradeoffs",
                title="Tradeoffs",
                level=None,
                status="abstained",
                weight=40,
                points=None,
                rationale="Too little to go by.",
            ),
        ),
        "red_flags": (
            FlagReport(
                id="model_first", title="Model first", cap=55, evidence=(Evidence(quote=second, start=34, end=46),)
            ),
        ),
        "points": (
            PointReport(
                id="q01.1",
                text="starts from the goal",
                status="covered",
                passages=(PassageReport(start=0, end=27, cosine=0.5),),
            ),
            PointReport(id="q01.2", text="names constraints", status="missing"),
        ),
        "strengths": ("Product framing: “I ask what the feed is for.”",),
        "next_steps": (NextStep(criterion="tradeoffs", advice="Name an alternative.", gain=9),),
        "follow_up": "What would you give up?",
        "warnings": ("Two control characters were removed.",),
        "fingerprint": Fingerprint(answer="a", rubric="b", prompt="c", judge="d"),
    }
    return FeedbackReport.model_validate(values | changes)
