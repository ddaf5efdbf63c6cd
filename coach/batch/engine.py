"""The engine: rows in, outcomes out in the same order, any number of them in constant memory.

    rows -> window -> journal? -> sorted by question -> encoded in large batches -> judge -> report -> journal -> outcomes
    `--- a thread of its own ---'                       `----- another -----'       `- as many at once as go well -'

A window of rows is read, looked up and prepared while the one before it is judged. Windows that nobody takes hold up
reading, so a slow reader holds up everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from coach.batch.intake import Intake, Slot, Window
from coach.batch.outcome import Outcome, Result, shared
from coach.batch.owners import PATIENCE
from coach.batch.records import GradeBook
from coach.batch.results import Results
from coach.batch.rows import Row
from coach.errors import CoachError, CostCapReached, JudgeError, JudgeUnavailable
from coach.flow import Lane, time_limit
from coach.judgement import Judgement
from coach.pipeline import Pipeline
from coach.prepare import Prepared

FIRST_BATCH, LARGEST_BATCH = 8, 128
"""Answers encoded at once: few as long as the judge waits for them, more once it has some in hand."""
BACKLOG = 2 * LARGEST_BATCH
"""Answers prepared ahead of the judge."""
POLL = 0.5
"""Seconds between looks at rows that another process has claimed."""
GRACE = 5.0
"""Seconds that calls under way get to finish after `stop`."""
TURNS = 4
"""Turns of the event loop that a reply waits before it is worked up: meanwhile the next call goes out, and its wait is used."""
GIVE_UP_AFTER = 20
"""Rows in a row that the judge fails before the run ends: the rest would fail too, and slowly."""


class Flow(NamedTuple):
    """How rows flow."""

    concurrency: int = 16
    """Answers at the judge at once, at most."""
    window: int = 512
    """Rows read ahead and sorted by question."""
    deadline: float = 900.0
    """Seconds one row may take at the judge, all its calls and waits together but those for leave to call."""
    since: float = 0.0
    """Grades in the journal from before do not count; seconds of the Unix epoch."""
    gives_up: bool = True
    """End the run when the judge fails row after row."""
    ends_at_cap: bool = True
    """Ask nothing more once there is no money for a call: the rest would fare no better."""


class _Job(NamedTuple):
    slot: Slot
    prepared: Prepared


def batch_size(before: int) -> int:
    """Answers to encode at once after so many of a window."""
    return max(FIRST_BATCH, min(before // 2, LARGEST_BATCH))


class Engine:
    """One run over rows.

    Args:
        pipeline: bank, embedder and judge.
        rows: taken as there is room, in a thread of the engine's.
        flow: how.
        journal: where grades are kept and found again.
        tell: told in words what holds the run up.

    Attributes:
        capped: the cost cap was reached; rows after that fail, where the flow ends there.
        stopped: `stop` was called.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        rows: Iterator[Row],
        *,
        flow: Flow | None = None,
        journal: GradeBook | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.capped = False
        self.stopped = False
        self._pipeline, self._tell = pipeline, tell
        self._flow = flow or Flow()
        self._intake = Intake(pipeline, rows, size=self._flow.window, journal=journal, since=self._flow.since)
        self._results = Results(pipeline, journal, broken=self._fail)
        self._backlog: deque[_Job] = deque()
        self._all_fed = False
        self._active: set[asyncio.Task[None]] = set()
        self._at_judge = 0
        self._failed_in_a_row = 0
        self._judged_any = False
        self._said_that_it_waits = False

    async def outcomes(self) -> AsyncGenerator[Outcome, None]:
        """One outcome a row, in the order of the rows. When the reader stops, what is under way is cancelled.

        Raises:
            InputError: the rows cannot be read any further, or the journal not be used.
            JudgeError: the judge failed so many rows in a row that going on makes no sense, or the first one hopelessly.
        """
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._change, self._taken = asyncio.Event(), asyncio.Event()
        self._windows: asyncio.Queue[Window] = asyncio.Queue(1)
        reading, encoding = Lane("coach rows"), Lane("coach encoder")
        work = [self._watched(self._feed(reading, encoding)), self._watched(self._dispatch())]
        try:
            while window := await self._unless_ended(self._windows.get()):
                if not window.slots:
                    return
                for slot in window.slots:
                    result = slot.result or await self._result_of(slot)
                    if result is None:
                        return
                    own = shared(self._pipeline, slot.row, result) if slot.again else result
                    yield Outcome(slot.row, own, slot.again)
        finally:
            under_way = [*work, *self._active]
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            self._intake.end()
            reading.end()
            encoding.end()
            if self._end.done():
                self._end.exception()

    def stop(self) -> None:
        """Start nothing more and let what is under way finish, for GRACE seconds at most; then `outcomes` ends."""
        if not self.stopped:
            self.stopped = True
            self._winding_up = self._watched(self._wind_up())

    @property
    def under_way(self) -> int:
        """Answers at the judge now."""
        return self._at_judge

    # --- ends -------------------------------------------------------------------------------------------------------

    def _watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task whose failure ends the run."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not self._end.done():
            self._end.set_exception(error)

    async def _wind_up(self) -> None:
        self._change.set()
        if self._active:
            await asyncio.wait(self._active, timeout=GRACE)
        if not self._end.done():
            self._end.set_result(None)

    async def _unless_ended(self, getting: Coroutine[Any, Any, Window]) -> Window | None:
        getter = asyncio.create_task(getting)
        await asyncio.wait((getter, self._end), return_when=asyncio.FIRST_COMPLETED)
        if getter.done():
            return getter.result()
        getter.cancel()
        self._end.result()
        return None

    async def _result_of(self, slot: Slot) -> Result | None:
        """The slot's result; None where the run was stopped before it had one."""
        if slot.future is None:
            raise AssertionError("a row was handed out before it was taken in")
        if not slot.future.done():
            await asyncio.wait((slot.future, self._end), return_when=asyncio.FIRST_COMPLETED)
        if slot.future.done():
            return slot.future.result()
        self._end.result()
        return None

    # --- reading and preparing --------------------------------------------------------------------------------------

    async def _feed(self, reading: Lane, encoding: Lane) -> None:
        polls: set[asyncio.Task[None]] = set()
        try:
            while not self.stopped and (window := await reading.do(self._intake.read)).slots:
                ours, elsewhere = self._results.take_in(window)
                await self._windows.put(window)
                if elsewhere:
                    polls.add(self._watched(self._wait_for_others(elsewhere, encoding)))
                await self._prepare(ours, encoding)
            if polls:
                await asyncio.wait(polls)
        finally:
            for poll in polls:
                poll.cancel()
        self._all_fed = True
        self._change.set()
        await self._windows.put(Window([], [], []))

    async def _prepare(self, slots: Sequence[Slot], encoding: Lane) -> None:
        """Encode in batches, rows of one question together, and hand on to the judge."""
        order = sorted(slots, key=self._intake.question)
        start = 0
        while start < len(order) and not self.stopped:
            batch = order[start : start + batch_size(start)]
            start += len(batch)
            if self._broke:
                self._results.capped(batch)
                continue
            entries = [s.entry for s in batch if s.entry is not None]
            prepared = await encoding.do(partial(self._pipeline.prepare_many, entries))
            for slot, found in zip(batch, prepared, strict=True):
                if isinstance(found, CoachError):
                    self._settle_failed(slot, found)
                else:
                    await self._line_up(_Job(slot, found))

    async def _line_up(self, job: _Job) -> None:
        while len(self._backlog) >= BACKLOG:
            self._taken.clear()
            await self._taken.wait()
        self._backlog.append(job)
        self._change.set()

    async def _wait_for_others(self, slots: list[Slot], encoding: Lane) -> None:
        """Look again and again for grades of rows that another process has claimed; take over what it leaves."""
        while slots and not self.stopped:
            await asyncio.sleep(POLL)
            # Not in the lane that reads: it may be waiting for a stream's next row.
            mine = await asyncio.to_thread(self._intake.look_up, slots)
            for slot in slots:
                if slot.result is not None:
                    self._results.settle(slot, slot.result)
            open_ = [s for s in slots if s.result is None]
            await self._prepare([s for s in open_ if s.key in mine], encoding)
            slots = [s for s in open_ if s.key not in mine]
            if slots and not self._said_that_it_waits:
                self._said_that_it_waits = True
                told = f"{len(slots)} of the rows are being graded by another process; waiting for it."
                self._tell(f"{told} Should it have died, they are taken over within {PATIENCE:g} s.")

    # --- judging ----------------------------------------------------------------------------------------------------

    async def _dispatch(self) -> None:
        """Start jobs as there is room."""
        pace = self._pipeline.pace
        while not (self.stopped or self._end.done() or (self._all_fed and not self._backlog and not self._active)):
            self._change.clear()
            if self._backlog and self._broke:
                self._results.capped([job.slot for job in self._backlog])
                self._backlog.clear()
                self._taken.set()
            elif self._backlog and self._at_judge < min(self._flow.concurrency, pace.limit):
                if pace.pause > 0:
                    await self._changed(pace.pause)
                    continue
                self._start(self._backlog.popleft())
            else:
                await self._changed(None)

    async def _changed(self, seconds: float | None) -> None:
        """Wait for a change, for so long at most."""
        if seconds is None:
            await self._change.wait()
            return
        waiting = asyncio.create_task(self._change.wait())
        await asyncio.wait((waiting,), timeout=seconds)
        waiting.cancel()

    def _start(self, job: _Job) -> None:
        self._taken.set()
        self._at_judge += 1
        task = self._watched(self._judge(job))
        self._active.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._active.discard(task)
        self._change.set()

    async def _judge(self, job: _Job) -> None:
        try:
            judgement = await self._judgement(job)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            report = self._pipeline.report(job.slot.row.id, job.prepared, judgement)
        except TimeoutError:
            told = f"the judge took longer than {self._flow.deadline:g} s over this row"
            self._settle_failed(job.slot, JudgeUnavailable(told))
        except CoachError as error:
            self._settle_failed(job.slot, error)
        except Exception as error:  # one row's misfortune, even of our making, must not cost the others
            self._settle_failed(job.slot, CoachError(f"a bug of ours: {type(error).__name__}: {error}"))
        else:
            if report.error is None:
                self._results.graded(job.slot, report)
            else:
                self._results.unjudged(job.slot, report)

    async def _judgement(self, job: _Job) -> Judgement:
        """What the judge says; what that means for the next call is noted before one goes out."""
        try:
            async with time_limit(self._flow.deadline):
                judgement = await self._pipeline.judge_prepared(job.prepared)
            if not job.prepared.decided:
                self._pipeline.pace.went_well(self._at_judge)
                self._failed_in_a_row = 0
                self._judged_any = True
            self.capped = self.capped or judgement.incomplete == "over_budget"
            return judgement
        finally:
            self._at_judge -= 1
            self._change.set()

    def _settle_failed(self, slot: Slot, error: CoachError) -> None:
        self.capped = self.capped or isinstance(error, CostCapReached)
        self._results.failed(slot, error)
        if error.hopeless and not self._judged_any:
            self._fail(error)
        if isinstance(error, JudgeError):
            self._failed_in_a_row += 1
            if self._flow.gives_up and self._failed_in_a_row >= max(GIVE_UP_AFTER, 2 * self._flow.concurrency):
                told = f"{self._failed_in_a_row} rows in a row failed: {error.message}"
                self._fail(type(error)(told, hint=error.hint))

    @property
    def _broke(self) -> bool:
        return self.capped and self._flow.ends_at_cap
