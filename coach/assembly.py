"""From a judgement to the parts of a report: pure functions, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import TypeAdapter

from coach.errors import CoachError, error_for
from coach.evidence import verify
from coach.judgement import Abstained, Evidence, Judged, Judgement, PointVerdict, RaisedFlag, Verdict
from coach.models import JudgeTask, Rubric, WeightedCriterion
from coach.report import CriterionReport, FlagReport, JudgeInfo, PointReport
from coach.scoring import ScoreCard

_POINT_REPORTS = TypeAdapter(tuple[PointReport, ...])
"""Makes all points and passages of a report at once, in a third of the time that one after the other takes."""


def screen_info() -> JudgeInfo:
    """Who judged where a check in code did."""
    return JudgeInfo(kind="screen", name="screen")


def decided_by_screen(task: JudgeTask) -> Judgement:
    """The judgement that a deciding check stands for: level 0 throughout, no point made."""
    reason = " ".join(f.message for f in task.findings if f.decides)
    return Judgement(
        verdicts=tuple(Judged(criterion_id=c.id, level=0, rationale=reason) for c in task.rubric.criteria),
        points=tuple(PointVerdict(id=p.id, status="missing") for p in task.question.points),
    )


def verify_verdict(verdict: Verdict, answer: str) -> Verdict:
    """A verdict with each of its quotes looked for in the answer."""
    if not isinstance(verdict, Judged):
        return verdict
    return verdict.model_copy(update={"evidence": tuple(verify(e, answer) for e in verdict.evidence)})


def standing_flags(claimed: Sequence[RaisedFlag], task: JudgeTask) -> tuple[tuple[RaisedFlag, ...], tuple[str, ...]]:
    """Flags that count: those of the screen, and a judge's claims with at least one quote found in the answer."""
    standing = {flag.id: flag for flag in _screen_flags(task)}
    dropped = []
    for claim in claimed:
        evidence = tuple(e for e in (verify(e, task.answer) for e in claim.evidence) if e.verified)
        if evidence:
            standing.setdefault(claim.id, RaisedFlag(id=claim.id, evidence=evidence))
        elif claim.id not in standing:
            dropped.append(
                f"The judge raised {claim.id} without words of the answer to show for it; it does not count."
            )
    order = [f.id for f in task.rubric.red_flags]
    return tuple(standing[i] for i in order if i in standing), tuple(dropped)


def _screen_flags(task: JudgeTask) -> Iterable[RaisedFlag]:
    for finding in task.findings:
        if finding.flag_id:
            quotes = tuple(Evidence(quote=task.answer[s:e], start=s, end=e) for s, e in finding.spans)
            yield RaisedFlag(id=finding.flag_id, evidence=quotes)


def caps_of(task: JudgeTask, flags: Sequence[RaisedFlag]) -> dict[str, float]:
    """Red flag or check id to the highest total it leaves."""
    known = {f.id: f.flag.cap for f in task.rubric.red_flags}
    caps = {f.id: known[f.id] for f in flags}
    for finding in task.findings:
        key = finding.flag_id or finding.check
        caps[key] = min(finding.cap, caps.get(key, 100.0))
    return caps


def criterion_reports(rubric: Rubric, verdicts: Sequence[Verdict], card: ScoreCard) -> tuple[CriterionReport, ...]:
    """Every criterion in the rubric's order."""
    by_id = {v.criterion_id: v for v in verdicts}
    return tuple(
        _criterion_report(criterion, by_id[criterion.id], scored.points)
        for criterion, scored in zip(rubric.criteria, card.criteria, strict=True)
    )


def _criterion_report(criterion: WeightedCriterion, verdict: Verdict, points: float | None) -> CriterionReport:
    common = {"id": criterion.id, "title": criterion.criterion.title, "weight": criterion.weight, "points": points}
    if isinstance(verdict, Judged):
        return CriterionReport(
            **common,
            level=verdict.level,
            status="ok",
            rationale=verdict.rationale,
            evidence=verdict.evidence,
            band=verdict.band,
            opinions=verdict.opinions,
        )
    return CriterionReport(
        **common, level=None, status=verdict.status, rationale=verdict.reason, opinions=verdict.opinions
    )


def flag_reports(rubric: Rubric, flags: Sequence[RaisedFlag], caps: Mapping[str, float]) -> tuple[FlagReport, ...]:
    """The flags that stand, with their caps."""
    titles = {f.id: f.flag.title for f in rubric.red_flags}
    return tuple(FlagReport(id=f.id, title=titles[f.id], evidence=f.evidence, cap=caps[f.id]) for f in flags)


def point_reports(
    task: JudgeTask, said: Sequence[PointVerdict], *, decided: bool
) -> tuple[tuple[PointReport, ...], tuple[str, ...]]:
    """Every expert point with the judge's word on it, and a warning where the judge gave none."""
    status = {p.id: p.status for p in said}
    passages = {m.point.id: m.passages for m in task.matches.points}
    reports = _POINT_REPORTS.validate_python(
        [
            {
                "id": p.id,
                "text": p.text,
                "status": status.get(p.id, "missing"),
                "passages": [{"start": x.start, "end": x.end, "cosine": x.cosine} for x in passages.get(p.id, ())],
            }
            for p in task.question.points
        ]
    )
    unsaid = sum(p.id not in status for p in task.question.points)
    if unsaid and not decided:
        return reports, (
            f"The judge did not say of {unsaid} expert points whether they are made; they count as missing.",
        )
    return reports, ()


def withheld(card: ScoreCard) -> tuple[str, ...]:
    """Why there is no total, if there is none."""
    if card.total is not None:
        return ()
    return (f"No total: only {card.coverage:.0%} of the weight could be judged.",)


def judge_failure(verdicts: Sequence[Verdict], card: ScoreCard) -> CoachError | None:
    """The error a report without a total stands for, or None where there is a total, or the judge itself abstained.

    Of several failures the one that left most of the criteria open speaks.
    """
    gaps = [v for v in verdicts if isinstance(v, Abstained) and v.status != "abstained"]
    if card.total is not None or not gaps:
        return None
    status, count = Counter(v.status for v in gaps).most_common(1)[0]
    why = next(v.reason for v in gaps if v.status == status)
    return error_for(status, f"no total: {count} of {len(verdicts)} criteria are {status.replace('_', ' ')}. {why}")
