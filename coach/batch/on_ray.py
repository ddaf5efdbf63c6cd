"""More than one machine: pieces of the input shared out by Ray Data to actors that embed, judge and write them.

    files -> pieces -> actors, one engine each -> OUT/part-00012.jsonl      one part a piece, in the order of the input
                             |        `---------> OUT/_grades/*.log         every grade as it is made, by content
                             `-- warden: one rate and one purse for the whole cluster

Ray does a piece again when its machine dies. What was judged before is found in the logs, and a part is written beside its
name and renamed, so that nothing is lost and nothing there twice. The only importer of `ray`.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from coach import errors
from coach.batch.engine import Engine, Flow
from coach.batch.folder import FOLDER, Entries, FolderBook, Index, logs_of, scan
from coach.batch.pieces import PIECE_BYTES, PIECE_ROWS, Piece, count_lines, cut, numbered, read_piece
from coach.batch.reading import Source
from coach.batch.run import texts_of
from coach.batch.summary import Summary, Tally
from coach.batch.writing import Shape, open_writer, shape_for
from coach.errors import CoachError, InputError
from coach.files import Replacing
from coach.judges.budget import required_price
from coach.judges.endpoint import Endpoint
from coach.judges.paced import PacedEndpoint, Purse, Warden
from coach.pipeline import Pipeline
from coach.precision import settled
from coach.settings import Settings, ray_address, without_ray_reports

MAX_DEATHS_AT_START = 10
"""Actors in a row that may die before they are ready; Ray's own limit is none, and ends a run when a machine dies just then."""
CONNECT_SECONDS = 10.0
SUCCESS = "_SUCCESS"
"""A file that says the folder is complete, as Hadoop and Spark have it."""
_PART = re.compile(r"part-\d{5,}\.(jsonl|parquet)")
_UNFINISHED = re.compile(rf"\.{_PART.pattern}\.[0-9a-f]{{12}}(\.part)?")
"""A part that a machine was writing when it died."""


class ClusterJob(NamedTuple):
    """What to grade on a cluster, and how."""

    sources: tuple[Source, ...]
    out: Path
    """A folder that every machine sees."""
    judges: tuple[str, ...]
    settings: Settings
    out_format: Literal["jsonl", "parquet"] = "jsonl"
    flow: Flow = Flow()
    """Of each actor."""
    actors: int | None = None
    """As many as the cluster has processors, where not given."""
    per_minute: float | None = None
    """Calls to the judge that the whole cluster may start in a minute."""
    piece_bytes: int = PIECE_BYTES
    piece_rows: int = PIECE_ROWS
    shape: Shape = Shape(())
    """Of every part; `run_on_ray` finds it."""


def run_on_ray(job: ClusterJob, *, counted: Callable[[Tally], None] = lambda tally: None) -> Summary:
    """Grade every row of the job's inputs on the Ray cluster at hand, or on one started here.

    Args:
        job: see `ClusterJob`.
        counted: told the tally after every piece.

    Raises:
        InputError: as `check`; ray is missing, an input cannot be read or the folder not be written.
        JudgeError: the judge fails row after row.
    """
    check(job)
    # What is wrong with bank or judge is found here, not by every actor.
    pipeline = Pipeline(bank=job.settings.bank, judge=job.judges, settings=job.settings)
    # One precision for the whole cluster: a grade must be found again whichever machine made it.
    precision = settled(job.settings.precision, job.settings.cache_dir)
    job = job._replace(settings=job.settings.with_options(precision=precision))
    pieces = cut(job.sources, piece_bytes=job.piece_bytes, piece_rows=job.piece_rows)
    # All parts of a table have the same columns, whichever rows they hold.
    job = job._replace(shape=shape_for(job.out_format, pipeline.bank.criteria, job.sources))
    _make_folder(job.out)
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        _join(ray)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_consecutive_actor_init_deaths = MAX_DEATHS_AT_START
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        done = _grade(ray, job, _with_numbers(ray, pieces), counted)
    finally:
        if ours:
            ray.shutdown()
    tidy(job, len(pieces))
    return done.tally.summary(capped=done.capped, text_of=texts_of(pipeline))


def check(job: ClusterJob) -> None:
    """Whether parts may be written and taken away in the job's folder.

    Raises:
        InputError: an input lies there, or a part that no run like this one can have written.
    """
    out = job.out.resolve()
    for source in job.sources:
        # A link in the folder would be replaced, a file there also where a link elsewhere names it.
        if source.path is not None and out in {source.path.parent.resolve(), source.path.resolve().parent}:
            raise InputError(
                f"{source.path} lies in {job.out}, where the parts go", hint="Write the parts to a folder of their own."
            )
    strange = [path for path in out.glob("part-*") if _PART.fullmatch(path.name)]
    if strange and not (out / FOLDER).is_dir():
        raise InputError(
            f"{min(strange)} could be lost: without {FOLDER} beside it no run of coach can have written it",
            hint="Write the parts to a folder of their own.",
        )


def _join(ray: Any) -> None:
    """Connect to the cluster that RAY_ADDRESS names, to one on this machine, or start one."""
    host, _, port = (ray_address() or "").rpartition(":")
    try:
        if port.isdecimal() and "://" not in host:
            # Ray itself would try for many minutes.
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
        ray.init(logging_level="error", log_to_driver=False, include_dashboard=False)
    except (OSError, ValueError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"the Ray cluster cannot be reached: {told}",
            hint="Is it running, and RAY_ADDRESS right? `ray status` tells.",
        ) from None


def _ray() -> Any:
    without_ray_reports()
    try:
        import ray
        import ray.data  # noqa: F401 - an attribute of `ray` from here on
    except ImportError:
        raise InputError("--engine ray needs ray", hint="pip install 'coach[ray]', or leave --engine out.") from None
    return ray


def _make_folder(out: Path) -> None:
    try:
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
        (out / SUCCESS).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror or error}", hint="Name a folder that every machine sees."
        ) from None


def _with_numbers(ray: Any, pieces: list[Piece]) -> list[Piece]:
    """Pieces with the numbers of their first lines, counted side by side where a file has more than one piece."""
    if all(p.first is not None for p in pieces):
        return pieces
    rows = _dataset(ray, pieces).map(_counted_lines).take_all()
    counts = {int(r["number"]): int(r["lines"]) for r in rows}
    return numbered(pieces, [counts[p.number] for p in pieces])


def _dataset(ray: Any, pieces: Iterable[Piece]) -> Any:
    items = [{"piece": pickle.dumps(tuple(p))} for p in pieces]
    return ray.data.from_items(items, override_num_blocks=max(1, len(items)))


def _piece_of(row: dict[str, Any]) -> Piece:
    return Piece(*pickle.loads(row["piece"]))  # noqa: S301 - made by this very run


def _counted_lines(row: dict[str, Any]) -> dict[str, Any]:
    piece = _piece_of(row)
    return {"number": piece.number, "lines": count_lines(piece) if piece.format == "jsonl" else 0}


def _grade(ray: Any, job: ClusterJob, pieces: list[Piece], counted: Callable[[Tally], None]) -> _Done:
    index = ray.put(_index(ray, job.out))
    warden = _start_warden(ray, job)
    actors = min(len(pieces), job.actors or int(ray.cluster_resources().get("CPU", 1)))
    # One piece in flight at a time: what waits for an actor on a machine that dies would wait for its return.
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors, max_tasks_in_flight_per_actor=1)
    graded = _dataset(ray, pieces).map(Grader, fn_constructor_args=(job, index, warden), compute=pool, num_cpus=1)
    tally, capped = Tally(), False
    for row in graded.iter_rows():
        found = pickle.loads(row["result"])  # noqa: S301 - made by this very run
        if isinstance(found, _Failed):
            raise getattr(errors, found.kind)(found.message, hint=found.hint)
        tally.merge(found.tally)
        capped = capped or found.capped
        counted(tally)
    return _Done(tally, capped)


def _index(ray: Any, out: Path) -> Index:
    """All grades that the folder holds, found by as many processes as there are."""
    scanning = ray.remote(scan)
    found: list[Entries] = ray.get([scanning.remote(path) for path in logs_of(out)])
    return Index(found)


def _start_warden(ray: Any, job: ClusterJob) -> Any:
    """The one actor that all others ask for leave. It lives where this process does, and ends with it."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        node_id=ray.get_runtime_context().get_node_id(), soft=False
    )
    made = ray.remote(WardenActor).options(
        name=f"coach-warden-{uuid.uuid4().hex[:8]}", num_cpus=0, scheduling_strategy=here
    )
    return made.remote(job.per_minute, job.settings.max_cost)


def tidy(job: ClusterJob, pieces: int) -> None:
    """Take away parts of earlier runs and what dead machines were writing, then say that the output is complete.

    Raises:
        InputError: the folder cannot be written.
    """
    wanted = {_part(job, n).name for n in range(pieces)}
    try:
        for path in job.out.glob("*part-*"):
            ours = _PART.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name)
            if ours and path.name not in wanted:
                path.unlink(missing_ok=True)
        (job.out / SUCCESS).touch()
    except OSError as error:
        raise InputError(f"{job.out} cannot be written: {error.strerror or error}") from None


def _part(job: ClusterJob, number: int) -> Path:
    return job.out / f"part-{number:05d}.{job.out_format}"


# --- what runs on the machines --------------------------------------------------------------------------------------


class _Done(NamedTuple):
    """What came of a piece, or of all."""

    tally: Tally
    capped: bool
    """The cost cap ended judging."""


class _Failed(NamedTuple):
    """An error of ours on its way to the process that asked."""

    kind: str
    message: str
    hint: str


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


class _RemoteWarden:
    """The actor as a `Warden`."""

    def __init__(self, actor: Any, *, money: bool) -> None:
        self._actor = actor
        self._money = money

    async def reserve(self, worst: float) -> float | None:
        found: float | None = await self._actor.reserve.remote(worst)
        return found

    async def settle(self, worst: float, cost: float) -> None:
        if self._money:
            await self._actor.settle.remote(worst, cost)


def pipeline_of(job: ClusterJob, warden: Warden) -> Pipeline:
    """Bank, encoder and judge of one actor."""
    money = job.settings.max_cost is not None

    def paced(endpoint: Endpoint) -> PacedEndpoint:
        if money:
            required_price(endpoint.model, endpoint.price)
        return PacedEndpoint(endpoint, warden)

    # Asking the warden takes a moment for every call; where there is nothing to share out, nobody asks.
    wrap = paced if money or job.per_minute else None
    return Pipeline(bank=job.settings.bank, judge=job.judges, settings=job.settings, wrap=wrap)


class Grader:
    """One actor: a bank, an encoder and a judge, and an engine for each piece that it is given."""

    def __init__(self, job: ClusterJob, index: Any, warden: Any) -> None:
        import ray

        self._job = job
        self._index: Index = ray.get(index)
        self._pipeline = pipeline_of(job, _RemoteWarden(warden, money=job.settings.max_cost is not None))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Grade a piece and write its part."""
        found: _Done | _Failed
        try:
            found = asyncio.run(self._grade(_piece_of(row)))
        except CoachError as error:
            found = _Failed(type(error).__name__, error.message, error.hint)
        return {"result": pickle.dumps(found)}

    async def _grade(self, piece: Piece) -> _Done:
        job, tally = self._job, Tally()
        path = _part(job, piece.number)
        # A name of its own: a machine that was given up for dead may still be writing the same part.
        own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
        try:
            with closing(FolderBook(job.out, piece.number, self._index)) as book, Replacing(own) as file:
                writer = open_writer(job.out_format, file.buffer, job.shape)
                engine = Engine(self._pipeline, read_piece(piece), flow=job.flow, journal=book)
                async with aclosing(engine.outcomes()) as outcomes:
                    async for outcome in outcomes:
                        writer.write(outcome)
                        tally.add(outcome)
                writer.close()
        finally:
            await self._pipeline.aclose()
        own.replace(path)
        return _Done(tally, engine.capped)
