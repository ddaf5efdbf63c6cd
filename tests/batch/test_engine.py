"""The engine with fakes at its edges."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach.batch import engine as engine_module
from coach.batch.engine import GIVE_UP_AFTER, Engine, Flow
from coach.batch.journal import Journal
from coach.batch.outcome import Outcome
from coach.batch.rows import Row, rows_of
from coach.errors import CoachError, CostCapReached, InputError, JudgeRefused, JudgeUnavailable
from coach.flow import standing_still
from coach.judgement import Abstained, Evidence, Judged, Judgement, Usage
from coach.judges.panel import PanelJudge
from coach.models import JudgeTask
from coach.pipeline import Pipeline
from coach.prepare import Prepared
from coach.report import FeedbackReport

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes. Number"
QUOTE = Evidence(quote="the same reads repeat")


class Judge(ScriptedJudge):
    """Level 2 throughout, unless a function for the answer's number says otherwise; knows how many it judged at once."""

    def __init__(self, act: Callable[[int], Any] | None = None) -> None:
        super().__init__(lambda id: Judged(criterion_id=id, level=2, evidence=(QUOTE,)))
        self._act = act
        self.now = self.peak = 0
        self.asked: list[int] = []
        self._called = asyncio.Event()

    async def has_been_asked(self, times: int) -> None:
        while len(self.asked) < times:
            self._called.clear()
            await self._called.wait()

    async def judge(self, task: JudgeTask) -> Judgement:
        number = int(task.answer.rsplit(maxsplit=1)[1])
        self.asked.append(number)
        self._called.set()
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            wait = self._act(number) if self._act else None
            if wait is not None:
                await wait
            return await super().judge(task)
        finally:
            self.now -= 1


def rows(*numbers: int, question: str = "q01") -> Iterator[Row]:
    return rows_of({"question_id": question, "answer": f"{ANSWER} {n}"} for n in numbers)


def fail(error: CoachError) -> None:
    raise error


def make(
    judge: Judge,
    given: Iterator[Row],
    *,
    journal: Journal | None = None,
    tell: Callable[[str], None] = lambda line: None,
    **flow: Any,
) -> Engine:
    pipeline = Pipeline(judge=judge, embedder=HashEmbedder())
    return Engine(pipeline, given, flow=Flow(**flow), journal=journal, tell=tell)


async def collect(engine: Engine) -> list[Outcome]:
    async with aclosing(engine.outcomes()) as outcomes:
        return [o async for o in outcomes]


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [o.report.status for o in outcomes]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    book = Journal(tmp_path / "j.sqlite")
    yield book
    book.close()


def test_outcomes_keep_the_order_of_the_rows() -> None:
    judge = Judge(lambda n: asyncio.sleep(0.02 if n == 0 else 0))
    found = asyncio.run(collect(make(judge, rows(*range(20)), concurrency=4, window=6)))
    assert [o.row.line for o in found] == list(range(1, 21))
    assert statuses(found) == ["ok"] * 20


def test_no_rows_give_no_outcomes() -> None:
    assert asyncio.run(collect(make(Judge(), rows()))) == []


def test_no_more_than_the_limit_are_judged_at_once() -> None:
    judge = Judge(lambda n: asyncio.sleep(0.001))
    asyncio.run(collect(make(judge, rows(*range(30)), concurrency=3)))
    assert judge.peak == 3


def test_the_next_call_goes_out_before_a_reply_is_worked_up() -> None:
    judge = Judge(lambda n: asyncio.sleep(0))
    seen: list[int] = []

    class Watched(Pipeline):
        def report(self, id: str, prepared: Prepared, judgement: Judgement) -> FeedbackReport:
            seen.append(len(judge.asked))
            return super().report(id, prepared, judgement)

    engine = Engine(Watched(judge=judge, embedder=HashEmbedder()), rows(*range(4)), flow=Flow(concurrency=1))
    asyncio.run(collect(engine))
    assert seen == [2, 3, 4, 4]


def test_rows_of_one_question_are_judged_together() -> None:
    mixed = [{"question_id": f"q0{1 + n % 2}", "answer": f"{ANSWER} {n}"} for n in range(8)]
    judge = Judge()
    asyncio.run(collect(make(judge, rows_of(mixed), concurrency=1)))
    assert {tuple(sorted(judge.asked[:4])), tuple(sorted(judge.asked[4:]))} == {(0, 2, 4, 6), (1, 3, 5, 7)}


def test_rows_are_taken_only_as_there_is_room() -> None:
    taken = 0

    def endless() -> Iterator[Row]:
        nonlocal taken
        for row in rows(*range(10_000)):
            taken += 1
            yield row

    async def first() -> Outcome:
        async with aclosing(make(Judge(), endless(), window=10).outcomes()) as outcomes:
            found = await anext(outcomes)
            await asyncio.sleep(0.2)
            return found

    assert asyncio.run(first()).row.line == 1
    assert taken <= 40


def test_identical_rows_under_way_are_judged_once() -> None:
    judge = Judge(lambda n: asyncio.sleep(0.01))
    found = asyncio.run(collect(make(judge, rows(1, 1, 2, 1))))
    assert sorted(judge.asked) == [1, 2]
    assert [o.again for o in found] == [False, True, False, True]


def test_a_row_at_fault_fails_alone_and_names_its_place() -> None:
    given = [{"question_id": "q01", "answer": f"{ANSWER} 1"}, {"question_id": "q01", "answer": " "}, {"answer": "x"}]
    found = asyncio.run(collect(make(Judge(), rows_of(given))))
    assert statuses(found) == ["ok", "failed", "failed"]
    failures = [o.result.failure for o in found[1:] if o.result.failure]
    assert [f.error.message.split(":")[0] for f in failures] == ["row 2", "row 3"]
    assert failures[0].cause == "the answer is empty"


def test_rows_that_fail_alike_each_name_their_own_place() -> None:
    empty = {"question_id": "q01", "answer": " "}
    found = asyncio.run(collect(make(Judge(), rows_of([empty, empty]))))
    told = [o.report.error.message for o in found if o.report.error]
    assert told == ["row 1: the answer is empty", "row 2: the answer is empty"]


def test_a_bug_in_one_row_costs_no_other() -> None:
    judge = Judge(lambda n: 1 / 0 if n == 1 else None)
    found = asyncio.run(collect(make(judge, rows(0, 1, 2))))
    assert statuses(found) == ["ok", "failed", "ok"]
    assert found[1].result.failure
    assert "ZeroDivisionError" in found[1].result.failure.cause


def test_waiting_for_leave_to_call_does_not_count_towards_the_deadline() -> None:
    async def in_line() -> None:
        with standing_still():
            await asyncio.sleep(0.7)

    found = asyncio.run(collect(make(Judge(lambda n: in_line()), rows(0), deadline=0.5)))
    assert statuses(found) == ["ok"]


def test_a_row_over_its_deadline_fails_alone() -> None:
    judge = Judge(lambda n: asyncio.Event().wait() if n == 1 else None)
    found = asyncio.run(collect(make(judge, rows(0, 1, 2), deadline=0.05)))
    assert statuses(found) == ["ok", "failed", "ok"]


def test_a_judge_that_fails_every_row_ends_the_run() -> None:
    judge = Judge(lambda n: fail(JudgeRefused("bad key")))
    with pytest.raises(JudgeRefused, match=f"{GIVE_UP_AFTER} rows in a row failed: bad key"):
        asyncio.run(collect(make(judge, rows(*range(200)), concurrency=2)))
    assert len(judge.asked) < 2 * GIVE_UP_AFTER


def hopeless(message: str) -> CoachError:
    error = JudgeRefused(message)
    error.hopeless = True
    return error


def test_a_fault_that_every_row_would_meet_ends_the_run_at_the_first() -> None:
    judge = Judge(lambda n: fail(hopeless("bad key")))
    with pytest.raises(JudgeRefused, match=r"^bad key$"):
        asyncio.run(collect(make(judge, rows(*range(200)), concurrency=1, gives_up=False)))
    assert len(judge.asked) == 1


def test_after_a_row_that_went_well_such_a_fault_is_one_rows_own() -> None:
    judge = Judge(lambda n: fail(hopeless("flagged")) if n == 1 else None)
    assert statuses(asyncio.run(collect(make(judge, rows(0, 1, 2), concurrency=1)))) == ["ok", "failed", "ok"]


def test_rows_that_cannot_be_read_any_further_end_the_run() -> None:
    def broken() -> Iterator[Row]:
        yield from rows(0)
        raise InputError("the disk is gone")

    with pytest.raises(InputError, match="the disk is gone"):
        asyncio.run(collect(make(Judge(), broken(), window=1)))


def test_a_busy_endpoint_is_asked_less_at_once() -> None:
    async def go() -> int:
        judge = Judge(lambda n: asyncio.sleep(0.001))
        engine = make(judge, rows(*range(40)), concurrency=16)
        engine._pipeline.pace.held_up()
        await collect(engine)
        return judge.peak

    assert asyncio.run(go()) < 16


# --- journal


def test_what_the_journal_holds_is_not_judged(journal: Journal) -> None:
    asyncio.run(collect(make(Judge(), rows(1, 2), journal=journal)))
    judge = Judge()
    found = asyncio.run(collect(make(judge, rows(1, 3, 2), journal=journal)))
    assert judge.asked == [3]
    assert [o.again for o in found] == [True, False, True]


def test_failed_rows_are_judged_again(journal: Journal) -> None:
    broken = Judge(lambda n: fail(JudgeUnavailable("gone")) if n == 1 else None)
    asyncio.run(collect(make(broken, rows(1, 2), journal=journal)))
    assert journal.info().causes == (("gone", 1),)
    judge = Judge()
    assert statuses(asyncio.run(collect(make(judge, rows(1, 2), journal=journal)))) == ["ok", "ok"]
    assert judge.asked == [1]


def test_a_grade_that_the_endpoint_left_open_is_written_but_not_kept(journal: Journal) -> None:
    judge = Judge()
    judge._verdict = lambda id: (
        Judged(criterion_id=id, level=2, evidence=(QUOTE,))
        if id != "tradeoffs"
        else Abstained(criterion_id=id, reason="gone", status="unreachable")
    )
    assert statuses(asyncio.run(collect(make(judge, rows(1), journal=journal)))) == ["ok"]
    assert (journal.info().grades, journal.info().claimed) == (0, 0)


def test_rows_another_journal_has_claimed_are_waited_for(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "POLL", 0.01)
    other = Journal(tmp_path / "j.sqlite")
    slow, quick = Judge(lambda n: asyncio.sleep(0.05)), Judge()

    async def both() -> list[list[Outcome]]:
        first = asyncio.create_task(collect(make(slow, rows(1, 2), journal=other)))
        await slow.has_been_asked(1)
        return [await collect(make(quick, rows(1, 2, 3), journal=journal)), await first]

    second, first = asyncio.run(both())
    other.close()
    assert (slow.asked, quick.asked) == ([1, 2], [3])
    assert [o.result.body for o in first] == [o.result.body for o in second[:2]]


def test_rows_another_journal_gives_up_are_taken_over(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "POLL", 0.01)
    other = Journal(tmp_path / "j.sqlite")
    broken, judge = Judge(lambda n: asyncio.sleep(0.05)), Judge()
    broken._error = JudgeUnavailable("gone")

    async def both() -> list[Outcome]:
        first = asyncio.create_task(collect(make(broken, rows(1), journal=other)))
        await broken.has_been_asked(1)
        found = await collect(make(judge, rows(1), journal=journal))
        await first
        return found

    assert statuses(asyncio.run(both())) == ["ok"]
    other.close()
    assert judge.asked == [1]


def test_that_it_waits_for_another_process_is_told_once(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "POLL", 0.01)
    other = Journal(tmp_path / "j.sqlite")
    held, told = asyncio.Event(), []

    def tell(line: str) -> None:
        told.append(line)
        held.set()

    async def both() -> None:
        slow = Judge(lambda n: held.wait())
        first = asyncio.create_task(collect(make(slow, rows(1, 2), journal=other)))
        await slow.has_been_asked(1)
        await collect(make(Judge(), rows(1, 2, 3), journal=journal, tell=tell))
        await first

    asyncio.run(both())
    other.close()
    assert [line.split(";")[0] for line in told] == ["2 of the rows are being graded by another process"]


def test_a_stream_that_is_silent_holds_up_no_row_that_another_process_grades(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "POLL", 0.01)
    other, held, sent = Journal(tmp_path / "j.sqlite"), asyncio.Event(), threading.Event()

    def stream() -> Iterator[Row]:
        yield from rows(1)
        sent.wait()

    async def both() -> Outcome:
        slow = Judge(lambda n: held.wait())
        first = asyncio.create_task(collect(make(slow, rows(1), journal=other)))
        await slow.has_been_asked(1)
        engine = make(Judge(), stream(), journal=journal, tell=lambda line: held.set())
        async with aclosing(engine.outcomes()) as outcomes:
            try:
                found = await asyncio.wait_for(anext(outcomes), 10)
            finally:
                sent.set()
        await first
        return found

    assert asyncio.run(both()).report.status == "ok"
    other.close()


# --- money, stopping


def test_after_the_cap_rows_fail_without_being_asked() -> None:
    judge = Judge(lambda n: fail(CostCapReached("too dear")) if n == 2 else None)
    engine = make(judge, rows(*range(40)), concurrency=1, window=40)
    found = asyncio.run(collect(engine))
    assert engine.capped
    assert statuses(found) == ["ok", "ok"] + ["failed"] * 38
    assert judge.asked == [0, 1, 2]


def open_for_want_of_money(*criteria: str) -> Judge:
    judge = Judge()
    judge._verdict = lambda id: (
        Abstained(criterion_id=id, reason="cap", status="over_budget")
        if id in criteria
        else Judged(criterion_id=id, level=2, evidence=(QUOTE,))
    )
    return judge


@pytest.mark.parametrize("criteria", [("tradeoffs",), ("product_framing", "tradeoffs", "expert_coverage")])
def test_after_a_report_left_open_for_want_of_money_rows_fail_without_being_asked(criteria: tuple[str, ...]) -> None:
    judge = open_for_want_of_money(*criteria)
    engine = make(judge, rows(*range(4)), concurrency=1)
    assert statuses(asyncio.run(collect(engine)))[1:] == ["failed"] * 3
    assert (engine.capped, judge.asked) == (True, [0])


def test_a_run_that_does_not_end_at_the_cap_tells_of_it_and_goes_on() -> None:
    engine = make(open_for_want_of_money("tradeoffs"), rows(*range(4)), concurrency=1, ends_at_cap=False)
    assert statuses(asyncio.run(collect(engine))) == ["ok"] * 4
    assert engine.capped


def test_rows_that_meet_the_cap_side_by_side_are_asked_once_and_tell_what_they_paid() -> None:
    error = CostCapReached("too dear")
    error.usage = Usage(calls=2, cost_usd=0.5)

    async def paid_in_vain() -> None:
        await asyncio.sleep(0.01)
        raise error

    judge = Judge(lambda n: paid_in_vain())
    found = asyncio.run(collect(make(judge, rows(0, 1), concurrency=2)))
    assert sorted(judge.asked) == [0, 1]
    assert [o.result.failure.usage for o in found if o.result.failure] == [error.usage] * 2


def test_a_panel_short_of_a_judge_is_written_but_not_kept(journal: Journal) -> None:
    panel = PanelJudge([Judge(), Judge(lambda n: fail(CostCapReached("cap")))])
    engine = Engine(Pipeline(judge=panel, embedder=HashEmbedder()), rows(0), journal=journal)
    assert statuses(asyncio.run(collect(engine))) == ["ok"]
    assert (engine.capped, journal.info().grades) == (True, 0)


def test_a_key_that_one_judge_of_a_panel_is_rejected_with_ends_the_run() -> None:
    panel = PanelJudge([Judge(), Judge(lambda n: fail(hopeless("bad key")))])
    engine = Engine(Pipeline(judge=panel, embedder=HashEmbedder()), rows(*range(5)))
    with pytest.raises(JudgeRefused, match=r"^bad key$"):
        asyncio.run(collect(engine))


def test_stopping_finishes_what_is_under_way_and_starts_nothing(journal: Journal) -> None:
    async def go() -> tuple[list[Outcome], Judge]:
        held = asyncio.Event()
        judge = Judge(lambda n: held.wait())
        engine = make(judge, rows(*range(50)), concurrency=3, journal=journal)
        running = asyncio.create_task(collect(engine))
        await judge.has_been_asked(3)
        engine.stop()
        held.set()
        return await running, judge

    found, judge = asyncio.run(go())
    assert statuses(found) == ["ok"] * 3
    assert (len(judge.asked), journal.info().grades) == (3, 3)


def test_stopping_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "GRACE", 0.05)

    async def go() -> list[Outcome]:
        judge = Judge(lambda n: asyncio.Event().wait())
        engine = make(judge, rows(1))
        running = asyncio.create_task(collect(engine))
        await judge.has_been_asked(1)
        engine.stop()
        return await running

    assert asyncio.run(go()) == []


def test_a_reader_that_stops_cancels_what_is_under_way() -> None:
    cancelled = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def go() -> None:
        judge = Judge(lambda n: waits() if n else None)
        async with aclosing(make(judge, rows(0, 1), concurrency=2).outcomes()) as outcomes:
            await anext(outcomes)
            await judge.has_been_asked(2)

    asyncio.run(go())
    assert cancelled == [True]
