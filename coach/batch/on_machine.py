"""What runs on the machines of a Ray cluster: graders, and the two actors that all of them ask.

Grader, one a processor    a bank, an encoder and a judge, and an engine for each piece that it is given
PaceActor                  permits to have calls under way; may die and be forgotten
WardenActor                leave to call, with --rate or --max-cost only; what was spent is nowhere else
"""

from __future__ import annotations

import asyncio
import pickle
import time
import uuid
from contextlib import aclosing, closing
from typing import Any, NamedTuple

from coach.batch.cluster import ClusterJob, part_of
from coach.batch.engine import Engine
from coach.batch.folder import FolderBook, Index
from coach.batch.outcome import Outcome
from coach.batch.pieces import Piece, read_piece
from coach.batch.summary import Done, Tally
from coach.batch.writing import open_writer
from coach.errors import CoachError
from coach.files import Replacing
from coach.judges.budget import required_price
from coach.judges.chat import ChatEndpoint
from coach.judges.endpoint import Endpoint
from coach.judges.governed import GovernedEndpoint, SharedPace
from coach.judges.paced import PacedEndpoint, Purse, Warden
from coach.judges.permits import Heard, Lease, Permits
from coach.pipeline import Pipeline


class Work(NamedTuple):
    """A piece to be graded."""

    piece: Piece
    before: Done | None = None
    """What an earlier pass of this run over the piece has done."""


class PieceDone(NamedTuple):
    """What came of a piece."""

    number: int
    tally: Tally
    capped: bool
    """The cost cap ended judging."""


class PieceFailed(NamedTuple):
    """An error of ours on its way to the process that asked."""

    kind: str
    message: str
    hint: str


class PaceActor:
    """Hands out permits; see `coach.judges.permits`."""

    def __init__(self, most: int | None) -> None:
        self._permits = Permits(most)

    def exchange(self, name: str, heard: Heard) -> Lease:
        """See `Permits.exchange`."""
        return self._permits.exchange(name, heard)


class RemoteGovernor:
    """The actor as a `Governor`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    async def exchange(self, name: str, heard: Heard) -> Lease:
        """See `Governor.exchange`."""
        lease: Lease = await self._actor.exchange.remote(name, heard)
        return lease


class WardenActor:
    """Hands out leave to call; see `coach.judges.paced`."""

    def __init__(self, per_minute: float | None, max_cost: float | None) -> None:
        self._purse = Purse(per_minute=per_minute, max_cost=max_cost)

    def reserve(self, worst: float) -> float | None:
        """See `Warden.reserve`."""
        return self._purse.reserve(worst, time.monotonic())

    def settle(self, worst: float, cost: float) -> None:
        """See `Warden.settle`."""
        self._purse.settle(worst, cost)


class RemoteWarden:
    """The actor as a `Warden`."""

    def __init__(self, actor: Any, *, money: bool) -> None:
        self._actor = actor
        self._money = money

    async def reserve(self, worst: float) -> float | None:
        """See `Warden.reserve`."""
        found: float | None = await self._actor.reserve.remote(worst)
        return found

    async def settle(self, worst: float, cost: float) -> None:
        """See `Warden.settle`."""
        if self._money:
            await self._actor.settle.remote(worst, cost)


def pipeline_of(job: ClusterJob, pace: SharedPace, warden: Warden | None) -> Pipeline:
    """Bank, encoder and judge of one actor.

    Args:
        job: what it works on.
        pace: its part of the cluster's.
        warden: where there is a rate or money to share out.
    """
    money = job.settings.max_cost is not None

    def governed(endpoint: Endpoint) -> GovernedEndpoint:
        if money:
            required_price(endpoint.model, endpoint.price)
        # The permit first: money set aside while waiting for one would be kept from others.
        within: ChatEndpoint = PacedEndpoint(endpoint, warden) if warden else endpoint
        return GovernedEndpoint(within, pace)

    return Pipeline(bank=job.settings.bank, judge=job.judges, settings=job.settings, wrap=governed, pace=pace)


class Grader:
    """One actor: a bank, an encoder and a judge, and an engine for each piece that it is given."""

    def __init__(self, job: ClusterJob, index: Any, pace: Any, warden: Any) -> None:
        import ray

        self._job = job
        self._index: Index = ray.get(index)
        self._pace = SharedPace(RemoteGovernor(pace))
        asked = RemoteWarden(warden, money=job.settings.max_cost is not None) if warden is not None else None
        self._pipeline = pipeline_of(job, self._pace, asked)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Grade a piece and write its part."""
        found: PieceDone | PieceFailed
        try:
            found = asyncio.run(self._grade(pickle.loads(row["work"])))  # noqa: S301 - made by this very run
        except CoachError as error:
            found = PieceFailed(type(error).__name__, error.message, error.hint)
        return {"result": pickle.dumps(found)}

    async def _grade(self, work: Work) -> PieceDone:
        job, piece, tally = self._job, work.piece, Tally(work.before)
        path = part_of(job, piece.number)
        # A name of its own: a machine that was given up for dead may still be writing the same part.
        own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
        try:
            with closing(FolderBook(job.out, piece.number, self._index)) as book, Replacing(own, keeps=False) as file:
                writer = open_writer(job.out_format, file.buffer, job.shape)
                engine = Engine(self._pipeline, read_piece(piece), flow=job.flow, journal=book)
                async with self._pace.exchanging(), aclosing(engine.outcomes()) as outcomes:
                    async for outcome in outcomes:
                        if job.strict:
                            stop_at_failure(outcome)
                        writer.write(outcome)
                        tally.add(outcome)
                writer.close()
        finally:
            await self._pipeline.aclose()
        own.replace(path)
        return PieceDone(piece.number, tally, engine.capped)


def stop_at_failure(outcome: Outcome) -> None:
    """Raise why a row failed, with its place.

    Raises:
        CoachError: it has failed.
    """
    failure, place = outcome.result.failure, outcome.row.place
    if failure is None:
        return
    error = failure.error
    told = error.message if error.message.startswith(place) else f"{place}: {error.message}"
    raise type(error)(told, hint=error.hint)
