"""Where results go: into the journal first, then to all rows that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from coach.batch.intake import Slot, Window
from coach.batch.outcome import Result, failed, graded, unjudged
from coach.batch.records import Grade, GradeBook, finished, grade_of
from coach.errors import CoachError, CostCapReached
from coach.pipeline import Pipeline
from coach.report import FeedbackReport

LEFT_OPEN = "left incomplete by the endpoint or the cost cap"


class Results:
    """Results of one run. Nobody is told of a grade before it stands in the journal.

    Args:
        pipeline: for the reports of failures.
        journal: where grades are kept and failures noted.
        broken: told why the journal cannot be written.
    """

    def __init__(
        self, pipeline: Pipeline, journal: GradeBook | None, *, broken: Callable[[BaseException], None]
    ) -> None:
        self._pipeline, self._journal, self._broken = pipeline, journal, broken
        self._leaders: dict[bytes, Slot] = {}
        self._to_keep: list[tuple[Slot, Grade]] = []

    def take_in(self, window: Window) -> tuple[list[Slot], list[Slot]]:
        """Give open slots their futures, one for all that ask for the same; those that ask first, ours and elsewhere."""
        loop = asyncio.get_running_loop()
        for slot in (*window.ours, *window.elsewhere):
            leader = self._leaders.setdefault(slot.key, slot)
            if leader is slot:
                slot.future = loop.create_future()
            else:
                slot.future, slot.again = leader.future, True
        ours, elsewhere = ([s for s in some if self._leaders[s.key] is s] for some in (window.ours, window.elsewhere))
        return ours, elsewhere

    def settle(self, slot: Slot, result: Result) -> None:
        """Hand out a result that the journal has, or need not have."""
        self._leaders.pop(slot.key, None)
        if slot.future is not None and not slot.future.done():
            slot.future.set_result(result)

    def graded(self, slot: Slot, report: FeedbackReport) -> None:
        """A judge gave a total, or abstained."""
        grade = grade_of(report)
        if not finished(report):
            self._note(slot, LEFT_OPEN)
            self.settle(slot, graded(grade, left_open=report.left_open))
        elif self._journal is None:
            self.settle(slot, graded(grade))
        else:
            if not self._to_keep:
                # Replies that came in together are kept together: one write for all of them, at the loop's next turn.
                asyncio.get_running_loop().call_soon(self._keep, self._journal)
            self._to_keep.append((slot, grade))

    def _keep(self, journal: GradeBook) -> None:
        kept, self._to_keep = self._to_keep, []
        try:
            journal.keep([(slot.key, grade) for slot, grade in kept])
        except Exception as error:  # whatever it is: rows would wait for ever
            self._broken(error)
            return
        for slot, grade in kept:
            self.settle(slot, graded(grade))

    def unjudged(self, slot: Slot, report: FeedbackReport) -> None:
        """Too little came for a total: a failure, whose report still says what became of each criterion."""
        self._settle_noted(slot, unjudged(report))

    def failed(self, slot: Slot, error: CoachError) -> None:
        """Nothing came."""
        self._settle_noted(slot, failed(self._pipeline, slot.row, error))

    def capped(self, slots: Sequence[Slot]) -> None:
        """There is no money left to ask for these."""
        for slot in slots:
            self.settle(slot, failed(self._pipeline, slot.row, CostCapReached("not judged: the cost cap was reached")))

    def _settle_noted(self, slot: Slot, result: Result) -> None:
        if result.failure is not None:
            self._note(slot, result.failure.cause)
        self.settle(slot, result)

    def _note(self, slot: Slot, cause: str) -> None:
        if self._journal is not None:
            self._journal.fail(slot.key, cause)
