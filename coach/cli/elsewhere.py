"""Batches whose work is done elsewhere: judged in a provider's batches, or shared out over a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from coach.cli.watching import watching
from coach.errors import InputError

if TYPE_CHECKING:
    from coach.batch.by_provider import Post
    from coach.batch.engine import Flow
    from coach.batch.reading import Source
    from coach.batch.run import Job
    from coach.batch.summary import Summary
    from coach.settings import Settings


class Cluster(NamedTuple):
    """How a cluster is used."""

    actors: int | None
    per_minute: float | None
    format: str
    concurrency: int | None = None
    report: Path | None = None
    strict: bool = False
    retry_failed: bool = False
    refused: tuple[str, ...] = ()
    """Options that were given and mean nothing there, of those in `_REFUSED`."""


_REFUSED = {
    "--journal": (
        "the machines keep every grade in OUT/_grades, and the same command finds it there again",
        "Leave it out; to judge anew, add --no-cache.",
    ),
    "--via batch-api": (
        "a provider's batch is judged by the provider, and one process is enough to send it",
        "Leave --engine ray out, or --via.",
    ),
}


def post_for(job: Job, settings: Settings) -> Post:
    """The way to the provider's batches.

    Raises:
        InputError: there is no journal in which to write down what was sent.
    """
    from coach.batch.by_provider import PROBE_FROM, Post
    from coach.batch.outbox import Limits
    from coach.batch.reading import count_rows
    from coach.render.plain import inert

    if job.journal is None:
        raise InputError("--via batch-api needs a journal", hint="Name one: --journal FILE.")
    return Post(
        job.journal,
        limits=Limits(tries=settings.tries, max_cost=settings.max_cost),
        probe=(count_rows(job.sources) or 0) >= PROBE_FROM,
        tell=lambda line: typer.echo(inert(line), err=True),
    )


def grade_on_cluster(
    sources: tuple[Source, ...], out: str, settings: Settings, judges: list[str], flow: Flow, cluster: Cluster
) -> Summary:
    """Grade on the Ray cluster at hand.

    Raises:
        InputError: an option means nothing there, the output is no folder, or as `run_on_ray`.
        JudgeError: as `run_on_ray`.
    """
    from coach.batch.cluster import ClusterJob
    from coach.batch.on_ray import run_on_ray
    from coach.batch.reading import count_rows

    if cluster.refused:
        why, hint = _REFUSED[cluster.refused[0]]
        raise InputError(f"{cluster.refused[0]} cannot be used with --engine ray: {why}", hint=hint)
    path = Path(out)
    if out == "-" or path.is_file() or path.suffix.lower() in {".jsonl", ".csv", ".parquet"}:
        raise InputError(f"{out}: with --engine ray the output is a folder", hint="As in: -o graded")
    match cluster.format:
        case "jsonl" | "parquet" as format:
            pass
        case _:
            raise InputError("parts are written as jsonl or parquet", hint="Use --format jsonl or --format parquet.")
    job = ClusterJob(
        sources,
        path.resolve(),
        tuple(judges),
        settings,
        format,
        flow,
        actors=cluster.actors,
        concurrency=cluster.concurrency,
        per_minute=cluster.per_minute,
        report=cluster.report,
        strict=cluster.strict,
        retry_failed=cluster.retry_failed,
    )
    with watching(count_rows(sources)) as counted:
        return run_on_ray(job, counted=counted, tell=lambda line: typer.echo(line, err=True))
