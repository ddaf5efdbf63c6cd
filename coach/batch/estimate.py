"""What a run would take, told before anything is called: rows, calls, tokens, money, time.

Prompts of a sample are rendered as they would be sent; replies and their time are assumed, and the assumptions are named.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from coach.batch.journal import Journal
from coach.batch.keys import Keys
from coach.batch.rows import Entry, Row, read_entry
from coach.errors import CoachError
from coach.judgement import Usage
from coach.judges import first_requests
from coach.pipeline import Pipeline
from coach.prepare import Prepared
from coach.pricing import CHARS_PER_TOKEN, REPLY_TOKENS, Price, cost_of, price_of

SAMPLE = 48
"""Answers whose prompts are rendered."""
CALL_SECONDS = 6.0
"""Seconds of one call to a hosted model, most of it spent writing the reply."""
_CHUNK = 500


class Model(NamedTuple):
    """A model that judges, and the calls it gets for one answer."""

    name: str
    calls: int


class Estimate(NamedTuple):
    """About what a run takes."""

    rows: int
    bad: int
    """Rows that cannot be graded, whatever the judge."""
    found: int
    """Rows whose grade the journal holds."""
    same: int
    """Rows that are the same as another."""
    to_judge: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    """None where a price is unknown; 0 where nothing is called."""
    seconds: float


class Counts(NamedTuple):
    """What reading all rows shows."""

    rows: int
    bad: int
    found: int
    same: int
    sample: tuple[Entry, ...]


def estimate(
    pipeline: Pipeline,
    rows: Iterator[Row],
    *,
    models: Sequence[Model],
    prices: dict[str, Price],
    concurrency: int,
    journal: Journal | None = None,
    since: float = 0.0,
) -> Estimate:
    """Read all rows and work out what is left to do.

    Raises:
        InputError: the rows cannot be read, or the journal not be used.
    """
    counts = count(pipeline, rows, journal, since)
    to_judge = counts.rows - counts.bad - counts.found - counts.same
    start = time.perf_counter()
    prepared = [p for p in pipeline.prepare_many(counts.sample) if isinstance(p, Prepared)]
    here = (time.perf_counter() - start) / max(1, len(counts.sample))
    asked = [p for p in prepared if not p.decided]
    share = len(asked) / len(counts.sample) if counts.sample else 0.0
    # Draws of one answer differ in the order of the criteria alone.
    settings = pipeline.settings.with_options(samples=1)
    requests = first_requests(settings, *(p.task for p in asked)) if models else ()
    chars = sum(len(m.content) for r in requests for m in r.messages) / len(requests) if requests else 0.0
    answers = to_judge * share
    calls = round(answers * sum(m.calls for m in models))
    costs = [_cost(answers * m.calls, chars, price_of(m.name, prices)) for m in models]
    known = [c for c in costs if c is not None]
    return Estimate(
        rows=counts.rows,
        bad=counts.bad,
        found=counts.found,
        same=counts.same,
        to_judge=to_judge,
        calls=calls,
        prompt_tokens=round(calls * chars / CHARS_PER_TOKEN),
        completion_tokens=calls * REPLY_TOKENS,
        cost_usd=sum(known) if len(known) == len(costs) else None,
        seconds=to_judge * here + calls * CALL_SECONDS / concurrency,
    )


def count(pipeline: Pipeline, rows: Iterator[Row], journal: Journal | None, since: float) -> Counts:
    """Rows by what has to be done for them, and a sample of those to be judged, spread over all.

    Takes eight bytes and some overhead for every different row: digests cut to that length tell a billion rows apart.
    """
    keys = Keys(pipeline)
    seen: set[int] = set()
    sample = _Sample()
    total = bad = found = same = 0
    while chunk := list(islice(rows, _CHUNK)):
        total += len(chunk)
        keyed = [k for k in (_keyed(keys, row) for row in chunk) if k is not None]
        bad += len(chunk) - len(keyed)
        fresh: dict[bytes, Entry] = {}
        for key, entry in keyed:
            short = int.from_bytes(key[:8], "big")
            if short in seen:
                same += 1
            else:
                seen.add(short)
                fresh[key] = entry
        known = journal.found(list(fresh), since=since) if journal else {}
        found += len(known)
        for key, entry in fresh.items():
            if key not in known:
                sample.add(entry)
    return Counts(total, bad, found, same, tuple(sample.entries))


def _keyed(keys: Keys, row: Row) -> tuple[bytes, Entry] | None:
    try:
        entry = read_entry(row)
        return keys.key(entry), entry
    except CoachError:
        return None


class _Sample:
    """Every nth entry, n doubled whenever that makes too many."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._stride, self._offered = 1, 0

    def add(self, entry: Entry) -> None:
        if self._offered % self._stride == 0:
            self.entries.append(entry)
        self._offered += 1
        if len(self.entries) > SAMPLE:
            self.entries = self.entries[::2]
            self._stride *= 2


def _cost(calls: float, chars: float, price: Price | None) -> float | None:
    prompt = round(calls * chars / CHARS_PER_TOKEN)
    return cost_of(Usage(prompt_tokens=prompt, completion_tokens=round(calls * REPLY_TOKENS)), price)
