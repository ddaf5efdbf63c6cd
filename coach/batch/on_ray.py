"""More than one machine: pieces of the input shared out by Ray Data to actors that embed, judge and write them.

    files -> pieces -> actors, one engine each -> OUT/part-00012.jsonl      one part a piece, in the order of the input
                             |        `---------> OUT/_grades/*.log         every grade as it is made, by content
                             |-- pace: one for the whole cluster, in leases of a few permits
                             `-- warden: one rate and one purse for the whole cluster

Ray does a piece again when its machine dies. What was judged before is found in the logs, and a part is written beside its
name and renamed, so that nothing is lost and nothing there twice. Only this module and `on_machine` import `ray`.
"""

from __future__ import annotations

import logging
import pickle
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from coach import errors
from coach.batch.cluster import ClusterJob, check, make_folder, tidy
from coach.batch.folder import Entries, Index, logs_of, scan
from coach.batch.on_machine import Grader, PaceActor, PieceDone, PieceFailed, WardenActor, Work
from coach.batch.page import Pages
from coach.batch.parts_page import write_page
from coach.batch.pieces import Piece, count_lines, cut, numbered
from coach.batch.run import texts_of
from coach.batch.summary import Summary, Tally
from coach.batch.writing import shape_for
from coach.errors import InputError
from coach.pipeline import Pipeline
from coach.precision import settled
from coach.settings import ray_address, without_ray_reports

MAX_DEATHS_AT_START = 10
"""Actors in a row that may die before they are ready; Ray's own limit is none, and ends a run when a machine dies just then."""
CONNECT_SECONDS = 10.0
PACE_NAME = "coach-pace-"
"""First part of the name of the actor that keeps the pace."""


def run_on_ray(
    job: ClusterJob,
    *,
    counted: Callable[[Tally], None] = lambda tally: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Summary:
    """Grade every row of the job's inputs on the Ray cluster at hand, or on one started here.

    Args:
        job: see `ClusterJob`.
        counted: told the tally after every piece.
        tell: told in words when failed rows are gone over once more.

    Raises:
        InputError: as `check`; ray is missing, an input cannot be read or the folder not be written; a bad row, where
            `strict`.
        JudgeError: the judge fails row after row; or one row, where `strict`.
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
    make_folder(job.out)
    if job.report:
        with Pages(job.report):
            pass  # a folder that cannot be made is told now, not when all is graded
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        _join(ray)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_consecutive_actor_init_deaths = MAX_DEATHS_AT_START
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        pieces = _with_numbers(ray, pieces)
        done = _grade(ray, job, pieces, Watch(counted, tell))
    finally:
        if ours:
            ray.shutdown()
    tidy(job, len(pieces))
    summary = done.tally.summary(capped=done.capped, text_of=texts_of(pipeline))
    if job.report:
        write_page(job, job.report, pieces, summary, pipeline)
    return summary


class Watch(NamedTuple):
    """Who is told what."""

    counted: Callable[[Tally], None]
    tell: Callable[[str], None]


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


def _with_numbers(ray: Any, pieces: list[Piece]) -> list[Piece]:
    """Pieces with the numbers of their first lines, counted side by side where a file has more than one piece."""
    if all(p.first is not None for p in pieces):
        return pieces
    rows = _dataset(ray, map(Work, pieces)).map(_counted_lines).take_all()
    counts = {int(r["number"]): int(r["lines"]) for r in rows}
    return numbered(pieces, [counts[p.number] for p in pieces])


def _dataset(ray: Any, works: Iterable[Work]) -> Any:
    items = [{"work": pickle.dumps(work)} for work in works]
    return ray.data.from_items(items, override_num_blocks=max(1, len(items)))


def _counted_lines(row: dict[str, Any]) -> dict[str, Any]:
    piece = pickle.loads(row["work"]).piece  # noqa: S301 - made by this very run
    return {"number": piece.number, "lines": count_lines(piece) if piece.format == "jsonl" else 0}


class _Graded(NamedTuple):
    """What came of all pieces."""

    tally: Tally
    capped: bool


class _Shared(NamedTuple):
    """What all graders use."""

    index: Any
    pace: Any
    warden: Any
    """None where there is nothing to share out."""


def _grade(ray: Any, job: ClusterJob, pieces: list[Piece], watch: Watch) -> _Graded:
    """One pass over all pieces, and one over those with failed rows where the job asks for it."""
    shared = _Shared(ray.put(_index(ray, job.out)), _start_pace(ray, job), _start_warden(ray, job))
    seen, kept, capped = Tally(), Tally(), False
    failed: dict[int, Tally] = {}
    for done in _one_pass(ray, job, shared, [Work(p) for p in pieces]):
        capped = capped or done.capped
        seen.merge(done.tally)
        watch.counted(seen)
        if job.retry_failed and done.tally.failed:
            failed[done.number] = done.tally
        else:
            kept.merge(done.tally)
    if capped or not failed:
        return _Graded(seen, capped)
    watch.tell(f"{seen.failed} rows failed; going over them once more.")
    for done in _one_pass(ray, job, shared, [Work(pieces[n], before.done) for n, before in failed.items()]):
        capped = capped or done.capped
        kept.merge(done.tally)
        watch.counted(kept)
    return _Graded(kept, capped)


def _one_pass(ray: Any, job: ClusterJob, shared: _Shared, works: list[Work]) -> Iterator[PieceDone]:
    """What came of pieces, as they are done.

    Raises:
        CoachError: what ended a grader's work.
    """
    actors = min(len(works), job.actors or int(ray.cluster_resources().get("CPU", 1)))
    # One piece in flight at a time: what waits for an actor on a machine that dies would wait for its return.
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors, max_tasks_in_flight_per_actor=1)
    graded = _dataset(ray, works).map(Grader, fn_constructor_args=(job, *shared), compute=pool, num_cpus=1)
    for row in graded.iter_rows():
        found = pickle.loads(row["result"])  # noqa: S301 - made by this very run
        if isinstance(found, PieceFailed):
            raise getattr(errors, found.kind)(found.message, hint=found.hint)
        yield found


def _index(ray: Any, out: Path) -> Index:
    """All grades that the folder holds, found by as many processes as there are."""
    scanning = ray.remote(scan)
    found: list[Entries] = ray.get([scanning.remote(path) for path in logs_of(out)])
    return Index(found)


def _start_pace(ray: Any, job: ClusterJob) -> Any:
    """Begun anew whenever it dies, and asked again: it knows nothing that the graders do not tell it anew."""
    return _here(ray, PaceActor, PACE_NAME, max_restarts=-1, max_task_retries=-1).remote(job.concurrency)


def _start_warden(ray: Any, job: ClusterJob) -> Any:
    # Asking takes a moment for every call; where there is nothing to share out, nobody asks.
    if not job.per_minute and job.settings.max_cost is None:
        return None
    return _here(ray, WardenActor, "coach-warden-").remote(job.per_minute, job.settings.max_cost)


def _here(ray: Any, kind: type, name: str, **options: Any) -> Any:
    """The one actor of its kind that all others ask. It lives where this process does, and ends with it."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        node_id=ray.get_runtime_context().get_node_id(), soft=False
    )
    return ray.remote(kind).options(
        name=f"{name}{uuid.uuid4().hex[:8]}", num_cpus=0, scheduling_strategy=here, **options
    )
