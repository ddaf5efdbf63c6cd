from __future__ import annotations

from typing import Any

import pytest
from builders import report

from coach.batch.outcome import Failure, Outcome, Result, graded
from coach.batch.records import grade_of
from coach.batch.rows import Row
from coach.batch.summary import MAX_CAUSES, OTHER_CAUSES, Cause, Done, Summary, Tally
from coach.batch.wording import duration, sparkline, summary_lines
from coach.errors import InputError
from coach.judgement import LeftOpen, Usage

GONE = LeftOpen(what="the judge llm:b", reason="cannot be reached", hint="Is it running?")
PAID = Usage(calls=1, prompt_tokens=100, cached_tokens=40, completion_tokens=10, cost_usd=0.5)


def ok(*, again: bool = False, **changes: Any) -> Outcome:
    return Outcome(Row(1, {}), graded(grade_of(report(usage=PAID, **changes))), again)


def bad(cause: str, line: int = 1) -> Outcome:
    return Outcome(Row(line, {}), Result(b"", "", Failure(InputError(cause), cause)))


def summed(*outcomes: Outcome, before: Done | None = None, stopped: bool = False) -> Summary:
    tally = Tally(before)
    for outcome in outcomes:
        tally.add(outcome)
    return tally.summary(stopped=stopped)


def failed_at_a_price() -> Outcome:
    return Outcome(Row(1, {}), Result(b"", "", Failure(InputError("x"), "x", PAID)))


def test_judged_abstained_and_failed_stay_apart() -> None:
    found = summed(ok(), ok(total=None, overall=None), bad("x"), bad("x"))
    assert (found.rows, found.judged, found.abstained, found.failed) == (4, 1, 1, 2)


def test_only_what_this_run_asked_for_is_its_money() -> None:
    found = summed(ok(), ok(again=True), ok(again=True))
    assert (found.usage.cost_usd, found.saved.cost_usd, found.again) == (0.5, 1.0, 2)


def test_totals_spread_over_ten_bars_and_a_hundred_counts_with_the_last() -> None:
    found = summed(ok(total=0.0), ok(total=9.9), ok(total=10.0), ok(total=100.0))
    assert found.totals == (2, 1, 0, 0, 0, 0, 0, 0, 0, 1)
    assert found.mean == pytest.approx(119.9 / 4)


def test_levels_are_counted_by_criterion_and_open_ones_apart() -> None:
    framing, tradeoffs = summed(ok(), ok()).criteria
    assert (framing.levels, framing.open, framing.mean) == ((0, 0, 0, 2, 0), 0, 3.0)
    assert (tradeoffs.levels, tradeoffs.open, tradeoffs.mean) == ((0, 0, 0, 0, 0), 2, None)


def test_flags_and_gaps_come_most_common_first() -> None:
    found = summed(ok(), ok(red_flags=()))
    assert (found.flags, found.gaps) == ((("model_first", 1),), (("q01.2", 2),))


def test_like_causes_count_together_with_the_first_place() -> None:
    (cause,) = summed(bad("gone", 3), bad("gone", 9)).causes
    assert cause == (2, "gone", "line 3", "")


def test_causes_without_end_take_no_memory_without_end() -> None:
    found = summed(*(bad(f"cause {n}") for n in range(MAX_CAUSES + 50)))
    assert (found.causes[0].rows, found.causes[0].cause) == (50, OTHER_CAUSES)


def test_the_share_of_cached_tokens_is_told() -> None:
    assert summed(ok()).cached_share == 0.4
    assert any("100 prompt (40% from the provider's cache)" in line for line in summary_lines(summed(ok()), "Wrote x"))


def test_words_from_rows_cannot_colour_the_terminal() -> None:
    assert "\x1b" not in "\n".join(summary_lines(summed(bad("\x1b[31mred")), "Wrote x"))


def test_a_bar_above_nothing_always_shows() -> None:
    assert sparkline((0, 1, 1000)) == " ▁█"


@pytest.mark.parametrize(("seconds", "told"), [(12.4, "12 s"), (600.0, "10 min"), (9000.0, "2.5 h")])
def test_durations_are_told_in_their_unit(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_tallies_of_parts_together_are_the_tally_of_all() -> None:
    outcomes = [ok(), ok(again=True), ok(total=None, overall=None, red_flags=()), bad("x", 3), bad("y", 4), bad("x", 5)]
    whole = Tally()
    parts = [Tally(), Tally(), Tally()]
    for number, outcome in enumerate(outcomes):
        whole.add(outcome)
        parts[number // 2].add(outcome)
    first, *rest = parts
    for part in rest:
        first.merge(part)
    assert first.summary() == whole.summary()


def test_causes_beyond_the_most_count_together_when_merged_too() -> None:
    whole = Tally()
    for number in range(MAX_CAUSES + 2):
        part = Tally()
        part.add(bad(f"cause {number}"))
        whole.merge(part)
    assert {c.cause: c.rows for c in whole.summary().causes}[OTHER_CAUSES] == 2


def test_what_failed_rows_cost_is_money_of_the_run() -> None:
    failed = failed_at_a_price()
    assert summed(failed, failed._replace(again=True)).usage == PAID


def test_estimated_figures_are_marked() -> None:
    guess = Outcome(Row(1, {}), graded(grade_of(report(usage=PAID.model_copy(update={"estimated_calls": 1})))))
    lines = "\n".join(summary_lines(summed(guess), "x"))
    assert "$0.5000; estimated for all calls, whose tokens the endpoint did not count" in lines
    assert "estimated for 1 of the calls" in "\n".join(summary_lines(summed(guess, ok()), "x"))


def test_grades_kept_before_estimates_were_marked_are_counted() -> None:
    old = graded(grade_of(report(usage=PAID)))
    old = old._replace(facts_json=old.facts_json.replace(",0.5,0]", ",0.5]"))
    assert old.facts_json.endswith(",0.5]]")
    assert summed(Outcome(Row(1, {}), old)).usage == PAID


def test_a_second_pass_counts_what_the_first_one_spent() -> None:
    first = summed(ok(), failed_at_a_price())
    second = summed(ok(again=True), ok(), before=first.done)
    assert (second.usage.calls, second.usage.cost_usd) == (3, 1.5)


def test_what_the_first_pass_graded_is_not_found_again_by_the_second() -> None:
    first = summed(ok(), ok(again=True), bad("x"))
    second = summed(ok(again=True), ok(again=True), ok(), before=first.done)
    assert (second.again, second.saved) == (1, PAID)
    third = summed(*[ok(again=True)] * 3, before=second.done)
    assert (third.again, third.saved) == (1, PAID)


def test_where_nothing_is_found_again_no_money_is_told_as_saved() -> None:
    first = summed(ok(), bad("x"))
    assert summed(ok(again=True), ok(), before=first.done).saved == Usage()


def test_a_grade_left_open_is_not_expected_to_be_found_again() -> None:
    open_ = ok()._replace(result=ok().result._replace(left_open=(GONE,)))
    first = summed(open_, ok())
    second = summed(ok(), ok(again=True), before=first.done)
    assert (second.again, second.usage.calls) == (0, 3)


def test_a_second_pass_that_was_stopped_does_not_guess_whose_grades_it_found() -> None:
    first = summed(ok(), ok(), bad("x"))
    second = summed(ok(again=True), before=first.done, stopped=True)
    assert (second.again, second.saved, second.usage.calls) == (0, Usage(), 2)


def incomplete(line: int = 1) -> Outcome:
    return Outcome(Row(line, {}), graded(grade_of(report()), left_open=(GONE,)))


def test_incomplete_grades_are_counted_beside_those_that_are_judged() -> None:
    found = summed(ok(), incomplete(), incomplete(), bad("x"))
    assert (found.judged, found.failed, found.incomplete) == (3, 1, 2)


def test_the_summary_tells_which_judge_is_missing_in_how_many_rows_why_and_what_to_do() -> None:
    told = "\n".join(summary_lines(summed(ok(), incomplete(4), incomplete(7)), "Wrote x"))
    assert "2 grades are incomplete." in told
    assert "2 x the judge llm:b: cannot be reached (first at line 4)\n      -> Is it running?" in told


def test_incomplete_grades_of_parts_are_those_of_all() -> None:
    first, second = Tally(), Tally()
    first.add(incomplete(4))
    second.add(incomplete(9))
    first.merge(second)
    assert (first.summary().incomplete, first.summary().left_open) == (
        2, (Cause(2, "the judge llm:b: cannot be reached", "line 4", "Is it running?"),),
    )  # fmt: skip


def test_a_failure_is_told_with_what_to_do_about_it() -> None:
    error = InputError("no question", hint="See `coach questions`.")
    failed = Outcome(Row(1, {}), Result(b"", "", Failure(error, "no question")))
    assert "      -> See `coach questions`." in summary_lines(summed(failed), "Wrote x")


def test_causes_that_are_not_shown_are_counted() -> None:
    told = "\n".join(summary_lines(summed(*(bad(f"cause {n}") for n in range(12))), "x"))
    assert "2 x 2 other causes" in told


def test_passes_over_parts_together_are_the_passes_over_all() -> None:
    parts = [([ok(), bad("no")], [ok(again=True), ok()]), ([ok()], [ok(again=True)])]
    merged = Tally()
    for first, second in parts:
        part = Tally(summed(*first).done)
        for outcome in second:
            part.add(outcome)
        merged.merge(part)
    before = summed(ok(), bad("no"), ok()).done
    assert merged.summary() == summed(ok(again=True), ok(), ok(again=True), before=before)
