"""What became of a row."""

from __future__ import annotations

from typing import NamedTuple

from coach.batch.records import Grade, body_of, line_of, report_of
from coach.batch.rows import Row
from coach.errors import CoachError, CostCapReached, InputError, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable
from coach.judgement import LeftOpen, Usage
from coach.pipeline import Pipeline
from coach.report import ErrorReport, FeedbackReport

_KINDS: dict[str, type[CoachError]] = {
    k.__name__: k for k in (CostCapReached, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable)
}


class Failure(NamedTuple):
    """Why a row has no grade."""

    error: CoachError
    """Names the place where the row itself is at fault."""
    cause: str
    """The same without the place, so that like failures count together."""
    usage: Usage = Usage()
    """What was paid for all the same."""


class Result(NamedTuple):
    """A grade, or a failure; the same for all rows that ask for the same."""

    body: bytes
    facts_json: str = ""
    """Empty for a failure."""
    failure: Failure | None = None
    left_open: tuple[LeftOpen, ...] = ()
    """What the endpoint or the cost cap left open of a grade, which is therefore not kept."""


class Outcome(NamedTuple):
    """A row and what became of it."""

    row: Row
    result: Result
    again: bool = False
    """It cost nothing now: found in the journal, or the same as another row."""

    @property
    def line(self) -> bytes:
        """The row's line of JSONL output."""
        return line_of(self.row, self.result.body)

    @property
    def report(self) -> FeedbackReport:
        """The report, parsed."""
        return report_of(self.row.id, self.result.body)


def graded(grade: Grade, *, left_open: tuple[LeftOpen, ...] = ()) -> Result:
    """A grade as a result."""
    return Result(grade.body, grade.facts_json, left_open=left_open)


def unjudged(report: FeedbackReport) -> Result:
    """A report with an error as a result."""
    told = report.error or ErrorReport(kind="", message="", hint="")
    error = _KINDS.get(told.kind, JudgeReplyInvalid)(told.message, hint=told.hint)
    return Result(body_of(report), "", Failure(error, told.message, report.usage))


def failed(pipeline: Pipeline, row: Row, error: CoachError) -> Result:
    """A failure as a result; one of the row's own making names its place."""
    placed = error
    if isinstance(error, InputError) and not error.message.startswith(row.place):
        placed = InputError(f"{row.place}: {error.message}", hint=error.hint)
    report = pipeline.failed(row.id, row.question_id, placed)
    return Result(body_of(report), "", Failure(placed, error.message.removeprefix(f"{row.place}: "), report.usage))


def shared(pipeline: Pipeline, row: Row, result: Result) -> Result:
    """The result of another row that asks for the same, as this row's own; a failure names this row's place."""
    if result.failure is None or not isinstance(result.failure.error, InputError):
        return result
    return failed(pipeline, row, InputError(result.failure.cause, hint=result.failure.error.hint))
