"""What a run came to: counts of judged, abstained and failed rows, kept apart; how totals and levels spread; what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from coach.batch.outcome import Outcome
from coach.batch.records import numbers_of, parse_facts, usage_of
from coach.judgement import Usage
from coach.models import MAX_LEVEL
from coach.pricing import add_usage

BINS = 10
"""Bars of the distribution of totals, ten points each; 100 counts with the last."""
MAX_CAUSES = 500
"""Different causes counted one by one; further ones count together."""
OTHER_CAUSES = "other causes"
SHOWN = 5


class Cause(NamedTuple):
    """A reason for failures, or for what is missing: how many rows, the first place it struck, and what to do."""

    rows: int
    cause: str
    first: str
    hint: str = ""


class _Causes:
    """Counts rows by cause; takes the same memory however many different causes there are."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._first: dict[str, tuple[str, str]] = {}

    def add(self, cause: str, place: str, hint: str) -> None:
        """Count a row."""
        self._count(cause, 1, (place, hint))

    def merge(self, other: _Causes) -> None:
        """Add what another counted."""
        for cause, count in other._rows.items():
            self._count(cause, count, other._first[cause])

    def listed(self) -> tuple[Cause, ...]:
        """Most rows first."""
        return tuple(Cause(rows, cause, *self._first[cause]) for cause, rows in self._rows.most_common())

    def _count(self, cause: str, count: int, first: tuple[str, str]) -> None:
        kept = cause if cause in self._rows or len(self._rows) < MAX_CAUSES else OTHER_CAUSES
        self._rows[kept] += count
        self._first.setdefault(kept, first if kept == cause else (first[0], ""))


class Spread(NamedTuple):
    """One criterion over all rows."""

    criterion: str
    levels: tuple[int, ...]
    """Rows at level 0, 1, ... 4."""
    open: int
    """Rows in which it was not judged."""

    @property
    def mean(self) -> float | None:
        """Mean level, 0..4; None where none was judged."""
        count = sum(self.levels)
        return sum(v * n for v, n in enumerate(self.levels)) / count if count else None


class Done(NamedTuple):
    """What passes over the same rows have done, for one that comes after them."""

    kept: int = 0
    """Rows they graded, whose grades are found again."""
    kept_usage: Usage = Usage()
    """What those grades cost."""
    usage: Usage = Usage()
    """All that was spent."""

    def and_then(self, more: Done) -> Done:
        """Both together."""
        return Done(
            self.kept + more.kept,
            add_usage(self.kept_usage, more.kept_usage),
            add_usage(self.usage, more.usage),
        )


class Summary(NamedTuple):
    """A finished run. rows = judged + abstained + failed."""

    rows: int
    judged: int
    abstained: int
    """Rows without a total, because too little could be judged."""
    failed: int
    again: int
    """Rows that cost nothing now: found in the journal, or the same as another."""
    totals: tuple[int, ...]
    """Rows by total, 0 up to 10, 10 up to 20 and so on."""
    mean: float | None
    criteria: tuple[Spread, ...]
    flags: tuple[tuple[str, int], ...]
    """Red flags by rows, most first."""
    gaps: tuple[tuple[str, int], ...]
    """Expert points that answers lack most often."""
    causes: tuple[Cause, ...]
    usage: Usage
    """Of this run; what was found again is not in it."""
    saved: Usage
    """What the grades found again cost when they were made."""
    incomplete: int = 0
    """Of the rows that did not fail, those of whose grade a judge, a sample or a criterion is missing."""
    left_open: tuple[Cause, ...] = ()
    """What is missing of them and why."""
    capped: bool = False
    """The cost cap ended judging."""
    stopped: bool = False
    """The run was interrupted."""
    done: Done = Done()
    """For another pass over the same rows."""

    @property
    def cached_share(self) -> float | None:
        """Share of prompt tokens that the provider read from its cache, 0..1."""
        return self.usage.cached_tokens / self.usage.prompt_tokens if self.usage.prompt_tokens else None


class _Used:
    """A sum of usage, kept as plain numbers: a model made for every row would take longer than all the rest of counting."""

    def __init__(self) -> None:
        self._counts = [0, 0, 0, 0, 0]
        self._cost: float | None = 0.0
        self._estimated = 0

    def add(self, used: Sequence[Any]) -> None:
        """Add one grade's. Money is unknown from the first grade on whose price is unknown."""
        counts, cost, *rest = used[:5], *used[5:]
        if not counts[0]:
            return
        self._estimated += sum(rest)
        self._counts = [mine + more for mine, more in zip(self._counts, counts, strict=True)]
        self._cost = None if self._cost is None or cost is None else self._cost + cost

    def merge(self, other: _Used) -> None:
        """Add another sum."""
        self.add([*other._counts, other._cost, other._estimated])

    @property
    def usage(self) -> Usage:
        """The sum; no money where there was no call."""
        return usage_of([*self._counts, self._cost if self._counts[0] else None, self._estimated])


class Tally:
    """Counts outcomes as they come; takes the same memory for any number.

    Args:
        before: what passes over the same rows have done in this run.
    """

    def __init__(self, before: Done | None = None) -> None:
        self.rows = self.failed = self.abstained = self.again = self.incomplete = 0
        self._before = before or Done()
        self._spent, self._saved = _Used(), _Used()
        self._spent.add(numbers_of(self._before.usage))
        self._kept_rows, self._kept = 0, _Used()
        self._sum = 0.0
        self._totals = [0] * BINS
        self._levels: dict[str, list[int]] = {}
        self._flags: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._causes, self._left_open = _Causes(), _Causes()

    @property
    def usage(self) -> Usage:
        """What this run has used so far."""
        return self._spent.usage

    def add(self, outcome: Outcome) -> None:
        """Count one."""
        self.rows += 1
        self.again += outcome.again
        failure = outcome.result.failure
        if failure is not None:
            self.failed += 1
            self._causes.add(failure.cause, outcome.row.place, failure.error.hint)
            if not outcome.again:
                self._spent.add(numbers_of(failure.usage))
            return
        self.incomplete += bool(outcome.result.left_open)
        for part in outcome.result.left_open:
            self._left_open.add(f"{part.what}: {part.reason}", outcome.row.place, part.hint)
        facts = parse_facts(outcome.result.facts_json)
        (self._saved if outcome.again else self._spent).add(facts.used)
        if not (outcome.again or outcome.result.left_open):
            self._kept_rows += 1
            self._kept.add(facts.used)
        if facts.total is None:
            self.abstained += 1
        else:
            self._sum += facts.total
            self._totals[min(int(facts.total * BINS / 100), BINS - 1)] += 1
        for criterion, level in facts.levels.items():
            counts = self._levels.get(criterion)
            if counts is None:
                counts = self._levels[criterion] = [0] * (MAX_LEVEL + 2)
            counts[MAX_LEVEL + 1 if level is None else level] += 1
        for counter, ids in ((self._flags, facts.flags), (self._missing, facts.missing)):
            for id in ids:
                counter[id] += 1

    def merge(self, other: Tally) -> None:
        """Add what another tally counted."""
        for name in ("rows", "failed", "abstained", "again", "incomplete", "_sum", "_kept_rows"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self._before = self._before.and_then(other._before)
        self._spent.merge(other._spent)
        self._saved.merge(other._saved)
        self._kept.merge(other._kept)
        self._totals = [mine + theirs for mine, theirs in zip(self._totals, other._totals, strict=True)]
        for criterion, counts in other._levels.items():
            mine = self._levels.setdefault(criterion, [0] * len(counts))
            self._levels[criterion] = [a + b for a, b in zip(mine, counts, strict=True)]
        self._flags.update(other._flags)
        self._missing.update(other._missing)
        self._causes.merge(other._causes)
        self._left_open.merge(other._left_open)

    def summary(
        self, *, capped: bool = False, stopped: bool = False, text_of: Callable[[str], str | None] = lambda id: id
    ) -> Summary:
        """All that was counted.

        Args:
            capped: see `Summary`.
            stopped: see `Summary`.
            text_of: what an expert point says; None leaves it out.
        """
        judged = self.rows - self.failed - self.abstained
        gaps = ((text_of(id), count) for id, count in self._missing.most_common())
        again, saved = self._found_again(whole=not stopped)
        return Summary(
            rows=self.rows,
            judged=judged,
            abstained=self.abstained,
            failed=self.failed,
            again=again,
            totals=tuple(self._totals),
            mean=self._sum / judged if judged else None,
            criteria=tuple(Spread(c, tuple(n[:-1]), n[-1]) for c, n in self._levels.items()),
            flags=tuple(self._flags.most_common()),
            gaps=tuple((text, count) for text, count in gaps if text is not None)[: 2 * SHOWN],
            causes=self._causes.listed(),
            usage=self.usage,
            saved=saved,
            incomplete=self.incomplete,
            left_open=self._left_open.listed(),
            capped=capped,
            stopped=stopped,
            done=self.done,
        )

    @property
    def done(self) -> Done:
        """What this pass and those before it have done."""
        kept = self._before.and_then(Done(self._kept_rows, self._kept.usage))
        return kept._replace(usage=self.usage)

    def _found_again(self, *, whole: bool) -> tuple[int, Usage]:
        """Rows that cost nothing in this run, and what they had cost before; without what earlier passes graded."""
        before = self._before
        if before.kept and not whole:
            # Which of the rows that this pass came to are theirs is not known.
            return 0, Usage()
        return self.again - before.kept, _less(self._saved.usage, before.kept_usage)


def _less(usage: Usage, part: Usage) -> Usage:
    """Usage without a part of it; no money where no call is left."""
    pairs = zip(numbers_of(usage), numbers_of(part), strict=True)
    rest = usage_of([None if mine is None else mine - (theirs or 0) for mine, theirs in pairs])
    return rest if rest.calls else rest.model_copy(update={"cost_usd": None})
