"""One pace for the calls of many processes: permits to have calls under way, in leases that end by themselves. No I/O here.

A process tells now and then what it has under way, what it wants and what it heard from the endpoint, and is told how many
calls it may have under way until it tells again. Whoever hands out permits can forget everything: it learns it anew from
what the processes tell next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from coach.judges.pace import Pace

LEASE = 30.0
"""Seconds after which the permits of a process that no longer tells anything are handed to others."""


class Heard(NamedTuple):
    """What a process tells; counts are since it last did."""

    held: int = 0
    """Calls under way now."""
    most: int = 0
    """Calls that were under way at once."""
    wanted: int = 0
    """Calls under way and waiting for a permit, at most at once."""
    went_well: int = 0
    """Calls that succeeded."""
    refusals: int = 0
    """Tries that the endpoint turned down for being busy, or did not answer."""
    wait: float = 0.0
    """Seconds for which it asked to start nothing."""


class Lease(NamedTuple):
    """What a process may do until it tells again."""

    permits: int
    """Calls it may have under way."""
    pause: float
    """Seconds until the next call may start."""
    seconds: float = LEASE
    """After which the permits are void."""


class _Holder(NamedTuple):
    permits: int
    heard: Heard
    until: float

    @property
    def taken(self) -> int:
        """Calls to reckon with: also those that were under way when permits were taken back."""
        return max(self.permits, self.heard.held)


class Permits:
    """Hands out permits, by what the processes tell of the endpoint.

    Args:
        most: calls under way at once that are never passed; None leaves it to the endpoint.
        clock: seconds, monotonic.
    """

    def __init__(self, most: int | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._pace = Pace(clock)
        self._holders: dict[str, _Holder] = {}

    @property
    def limit(self) -> int:
        """Calls of all processes that may be under way at once, at least 1."""
        return self._pace.limit if self._most is None else min(self._pace.limit, self._most)

    def exchange(self, name: str, heard: Heard) -> Lease:
        """Take in what a process tells, and say what it may do.

        Args:
            name: of the process.
            heard: what it tells.
        """
        now = self._clock()
        before = self._holders.pop(name, None)
        self._holders = {n: h for n, h in self._holders.items() if h.until > now}
        self._learn(heard)
        if not (heard.held or heard.wanted):
            return Lease(0, self._pace.pause)
        mine = Claim(before.permits if before else 0, name, heard.wanted)
        others = [Claim(h.permits, n, h.heard.wanted) for n, h in self._holders.items()]
        share = fair_share(self.limit, mine, others)
        permits = max(0, min(share, self.limit - sum(h.taken for h in self._holders.values())))
        self._holders[name] = _Holder(permits, heard, now + LEASE)
        return Lease(permits, self._pace.pause)

    def _learn(self, heard: Heard) -> None:
        under_way = heard.most + sum(h.heard.most for h in self._holders.values())
        if under_way >= self._pace.limit:
            for _ in range(heard.went_well):
                # Successes come in bundles: with a call told one by one the limit would have been reached each time.
                self._pace.went_well(self._pace.limit)
        if heard.refusals:
            self._pace.held_up()
        if heard.wait > 0:
            self._pace.wait(heard.wait)


class Claim(NamedTuple):
    """Who wants how much of a limit. The greater claim gets what does not divide evenly: whoever has more keeps it."""

    permits: int
    """It has."""
    name: str
    wanted: int


def fair_share(limit: int, mine: Claim, others: Sequence[Claim]) -> int:
    """What one of several may have of a limit: nobody gets more than it wants, nor more than another who wants as much."""
    claims = sorted((mine, *others), key=lambda c: c.wanted)
    level, left = claims[-1].wanted, limit
    for served, claim in enumerate(claims):
        share = left // (len(claims) - served)
        if claim.wanted > share:
            level = share
            break
        left -= claim.wanted
    if mine.wanted <= level:
        return mine.wanted
    over = limit - sum(min(c.wanted, level) for c in claims)
    ahead = sum(c > mine for c in others if c.wanted > level)
    return level + (ahead < over)
