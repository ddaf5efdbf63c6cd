from __future__ import annotations

from itertools import pairwise

import pytest
from fakes import Clock

from coach.judges.pace import START
from coach.judges.permits import LEASE, Claim, Heard, Permits, fair_share


def busy(calls: int, **more: int) -> Heard:
    return Heard(held=calls, most=calls, wanted=calls, **more)


def test_one_process_alone_gets_what_it_wants(clock: Clock) -> None:
    assert Permits(clock=clock).exchange("a", Heard(wanted=5)).permits == 5


def test_the_limit_is_the_limit_of_all_together(clock: Clock) -> None:
    permits = Permits(clock=clock)
    assert permits.exchange("a", Heard(wanted=10)).permits == 10
    assert permits.exchange("b", Heard(wanted=10)).permits == START - 10


def test_what_one_has_too_much_goes_to_the_other_as_it_becomes_free(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", Heard(wanted=16))
    assert permits.exchange("b", Heard(wanted=16)).permits == 0
    assert permits.exchange("a", Heard(held=12, wanted=16)).permits == 8
    assert permits.exchange("b", Heard(wanted=16)).permits == 4
    permits.exchange("a", Heard(held=8, wanted=16))
    assert permits.exchange("b", Heard(wanted=16)).permits == 8


def test_the_number_asked_for_is_never_passed(clock: Clock) -> None:
    permits = Permits(3, clock=clock)
    permits.exchange("a", busy(3, went_well=50))
    given = [permits.exchange(name, Heard(wanted=9)).permits for name in "abab"]
    assert all(a + b <= 3 for a, b in pairwise(given))


def test_successes_of_all_make_the_limit_grow_where_it_is_reached(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", busy(8))
    permits.exchange("b", busy(8, went_well=4))
    assert permits.limit == START + 4


def test_a_limit_that_all_together_do_not_reach_does_not_grow(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", busy(7))
    permits.exchange("b", busy(8, went_well=4))
    assert permits.limit == START


def test_a_refusal_that_one_heard_halves_what_all_may_have(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", busy(8, refusals=3))
    assert permits.exchange("b", Heard(wanted=16)).permits == 0
    assert (
        permits.exchange("a", Heard(wanted=16)).permits + permits.exchange("b", Heard(wanted=16)).permits <= START / 2
    )


def test_a_wait_that_one_was_asked_for_is_told_to_the_other(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", Heard(wanted=1, refusals=1, wait=7.0))
    clock.now += 2.0
    assert permits.exchange("b", Heard(wanted=1)).pause == 5.0


def test_permits_of_a_process_that_is_gone_end_with_its_lease(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", Heard(wanted=16))
    clock.now += LEASE - 1.0
    assert permits.exchange("b", Heard(wanted=16)).permits == 0
    clock.now += 1.0
    assert permits.exchange("b", Heard(wanted=16)).permits == START


def test_permits_that_are_given_back_are_free_at_once(clock: Clock) -> None:
    permits = Permits(clock=clock)
    permits.exchange("a", Heard(wanted=16))
    permits.exchange("a", Heard())
    assert permits.exchange("b", Heard(wanted=16)).permits == START


def test_one_that_was_begun_anew_reckons_with_calls_under_way(clock: Clock) -> None:
    permits = Permits(4, clock=clock)
    permits.exchange("a", busy(3))
    assert permits.exchange("b", Heard(wanted=4)).permits == 1


def test_of_fewer_permits_than_processes_none_is_lost(clock: Clock) -> None:
    permits = Permits(1, clock=clock)
    names = ("a", "b", "c")
    for _ in range(2):
        given = {name: permits.exchange(name, Heard(wanted=2)).permits for name in names}
    assert sorted(given.values()) == [0, 0, 1]


@pytest.mark.parametrize(
    ("limit", "wanted", "shares"),
    [
        (10, [2, 3], [2, 3]),
        (10, [2, 20], [2, 8]),
        (10, [20, 20], [5, 5]),
        (10, [1, 20, 20], [1, 4, 5]),
        (11, [20, 20, 20], [3, 4, 4]),
        (1, [5, 5], [0, 1]),
        (10, [0, 4], [0, 4]),
    ],
)
def test_nobody_gets_more_than_another_who_wants_as_much(limit: int, wanted: list[int], shares: list[int]) -> None:
    claims = [Claim(0, f"n{n}", w) for n, w in enumerate(wanted)]
    assert [fair_share(limit, c, [o for o in claims if o is not c]) for c in claims] == shares


def test_whoever_has_a_permit_keeps_what_does_not_divide() -> None:
    mine, other = Claim(1, "a", 5), Claim(0, "b", 5)
    assert [fair_share(1, mine, [other]), fair_share(1, other, [mine])] == [1, 0]
