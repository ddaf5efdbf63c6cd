"""What every report keeps to, whoever judged: the contract a pin checks whatever a model says."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from coach.report import FeedbackReport
from coach.scoring import COVERAGE_FLOOR, overall_signal


def broken_rules(report: FeedbackReport, answer: str) -> tuple[str, ...]:
    """The rules a report breaks, in words; none for an honest one.

    Args:
        report: as `Coach` gave it.
        answer: the text as graded: offsets of evidence count in it.
    """
    return tuple(_broken(report, answer))


def _broken(report: FeedbackReport, answer: str) -> Iterator[str]:
    try:
        FeedbackReport.model_validate_json(report.model_dump_json())
    except ValidationError as error:
        yield f"the report does not keep to its schema: {error.error_count()} problems"
    if report.status == "failed":
        if report.total is not None or report.overall is not None or report.error is None:
            yield "a failed report carries a grade, or no error"
        if not report.criteria:
            return
    yield from _broken_criteria(report)
    yield from _broken_quotes(report, answer)
    yield from _broken_total(report)


def _broken_criteria(report: FeedbackReport) -> Iterator[str]:
    ids = [c.id for c in report.criteria]
    if len(set(ids)) != len(ids):
        yield f"a criterion stands twice: {ids}"
    for c in report.criteria:
        if (c.level is not None) != (c.status == "ok"):
            yield f"{c.id} has level {c.level} and status {c.status}"
        if c.level and not any(e.verified for e in c.evidence):
            yield f"{c.id} has level {c.level} without a quote that stands in the answer"


def _broken_quotes(report: FeedbackReport, answer: str) -> Iterator[str]:
    evidence = [(c.id, e) for c in report.criteria for e in c.evidence]
    evidence += [(f.id, e) for f in report.red_flags for e in f.evidence]
    for id, e in evidence:
        if e.verified and answer[e.start : e.end] != e.quote:
            yield f"{id} quotes “{e.quote[:60]}” at {e.start}, where the answer says something else"


def _broken_total(report: FeedbackReport) -> Iterator[str]:
    total = report.total
    weight = sum(c.weight for c in report.criteria)
    judged = sum(c.weight for c in report.criteria if c.points is not None)
    if (total is None) != (judged / weight < COVERAGE_FLOOR):
        yield f"total {total}, though {judged:g} of {weight:g} points of weight were judged"
    if total is None:
        if report.overall is not None:
            yield f"overall {report.overall} without a total"
        return
    if report.overall != overall_signal(total):
        yield f"overall {report.overall} with a total of {total:g}"
    cap = min((f.cap for f in report.red_flags), default=100.0)
    if total > cap:
        yield f"total {total:g} above the cap of a red flag, {cap:g}"
