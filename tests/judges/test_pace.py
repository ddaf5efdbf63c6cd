from __future__ import annotations

import pytest
from fakes import Clock

from coach.judges.pace import LONGEST_WAIT, SETTLE, START, Pace
from coach.judges.retry import rate_limit_wait


def test_the_limit_grows_where_it_is_reached(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(int(START)):
        pace.went_well(pace.limit)
    assert pace.limit == 2 * START


def test_a_limit_nobody_reaches_does_not_grow(clock: Clock) -> None:
    pace = Pace(clock)
    pace.went_well(3)
    assert pace.limit == START


def test_a_refusal_halves_it(clock: Clock) -> None:
    pace = Pace(clock)
    pace.held_up()
    assert pace.limit == START / 2


def test_refusals_that_come_together_count_once(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(10):
        pace.held_up()
    assert pace.limit == START / 2
    clock.now += SETTLE
    pace.held_up()
    assert pace.limit == START / 4


def test_it_never_falls_below_one(clock: Clock) -> None:
    pace = Pace(clock)
    for _ in range(10):
        clock.now += SETTLE
        pace.held_up()
    assert pace.limit == 1


def test_after_a_refusal_it_grows_by_one_a_round(clock: Clock) -> None:
    pace = Pace(clock)
    pace.held_up()
    for _ in range(9):
        pace.went_well(8)
    assert pace.limit == START / 2 + 1


def test_nothing_starts_before_the_time_the_endpoint_asked_for(clock: Clock) -> None:
    pace = Pace(clock)
    pace.held_up(7.0)
    assert pace.pause == 7.0
    clock.now += 8
    assert pace.pause == 0.0


def test_a_wait_of_hours_is_cut(clock: Clock) -> None:
    pace = Pace(clock)
    pace.held_up(43200.0)
    assert pace.pause == LONGEST_WAIT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "20s"}, 0.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}, 2.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms"}, 0.12),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 60.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"}, 0.0),
    ],
)
def test_a_window_that_is_used_up_is_waited_for(headers: dict[str, str], seconds: float) -> None:
    assert rate_limit_wait(headers) == pytest.approx(seconds)
