"""`coach batch`: its options, and the job they make; `running` sees it through."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coach.cli import options
from coach.cli.elsewhere import Cluster, grade_on_cluster, post_for
from coach.cli.running import end, grade
from coach.errors import InputError

if TYPE_CHECKING:
    from coach.batch.engine import Flow
    from coach.batch.reading import Source
    from coach.batch.run import Job
    from coach.grading import Coach
    from coach.settings import Settings

CONCURRENCY, MAX_CONCURRENCY = 16, 256
"""Answers that a process has at the judge at once: if nothing is said, and at most."""
StreamFormat = Literal["jsonl", "csv", "parquet"]
Via = Literal["calls", "batch-api"]
Where = Literal["local", "ray"]


def batch(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="IN...", help="JSONL, CSV or Parquet by suffix, a pattern, or - for standard input."),
    ],
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="OUT", help="JSONL, CSV or Parquet by suffix, or - for standard output."),
    ] = None,
    bank: options.BankOption = None,
    judge: options.JudgeOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
    replay_file: options.ReplayOption = None,
    samples: options.SamplesOption = None,
    criteria_per_call: options.PerCallOption = None,
    repair_calls: options.RepairOption = None,
    max_cost: options.MaxCostOption = None,
    few_shot: options.FewShotOption = None,
    few_shot_file: options.FewShotFileOption = None,
    no_cache: options.NoCacheOption = False,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            min=1,
            help=f"Answers judged at once, up to {MAX_CONCURRENCY}; with --engine ray, calls at once in the whole "
            f"cluster. Fewer while the endpoint says it is busy; {CONCURRENCY} a process if not given.",
            show_default=False,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal", metavar="FILE", help="Where grades are kept and found again; OUT.journal.sqlite if not given."
        ),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="At the end, go over rows that failed or are incomplete once more.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that fails.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print rows, calls, tokens, price and time; call nothing, write nothing.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE.html", help="Also write a page with plots and a page for every row."),
    ] = None,
    row_timeout: Annotated[
        float,
        typer.Option("--row-timeout", min=1.0, metavar="SECONDS", help="Longest that one row may take at the judge."),
    ] = 900.0,
    format: Annotated[
        StreamFormat, typer.Option("--format", "-f", help="Form of - on either side, and of parts with --engine ray.")
    ] = "jsonl",
    via: Annotated[
        Via,
        typer.Option(
            "--via", help="How an LLM is asked: calls, or the provider's batch-api, cheaper and within a day."
        ),
    ] = "calls",
    engine: Annotated[
        Where,
        typer.Option(
            "--engine", help="local, or ray: OUT is a folder, and the machines of a Ray cluster share the work."
        ),
    ] = "local",
    actors: Annotated[
        int | None,
        typer.Option("--actors", min=1, help="With --engine ray: processes, one processor each; all if not given."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", min=0.01, metavar="PER_MINUTE", help="With --engine ray: calls that all start in a minute."
        ),
    ] = None,
) -> None:
    """Grade every row of a file. A row has `question_id` and `answer`, or `question`, `reference` and `answer`.

    Every finished grade is kept in the journal at once: the same command again costs nothing for rows it holds, grades
    what is new or changed, and tries failed rows again. A row that cannot be graded becomes a report with status
    "failed", never a grade, and the exit code is 4; so it is where a grade lacks a judge, a sample or a criterion.
    """
    from coach.batch.by_provider import run_by_provider
    from coach.batch.engine import Flow
    from coach.batch.reading import find_sources
    from coach.batch.run import Job, check, run

    settings = options.settings_from(
        bank=bank,
        model=model,
        base_url=base_url,
        replay_file=replay_file,
        samples=samples,
        per_call=criteria_per_call,
        repair_calls=repair_calls,
        max_cost=max_cost,
        few_shot=few_shot,
        few_shot_file=few_shot_file,
        # The journal keeps grades; a file for each verdict beside it would be a million files for a million rows.
        use_cache=False,
    )
    judges = options.chosen(judge)
    found = find_sources(sources, stream_format=format)
    at_once = min(concurrency or CONCURRENCY, MAX_CONCURRENCY)
    flow = Flow(concurrency=at_once, deadline=row_timeout, since=time.time() if no_cache else 0.0)
    if engine == "ray" and out is not None and not dry_run:
        refused = tuple(name for name, given in {"--journal": journal, f"--via {via}": via != "calls"}.items() if given)
        options.say_if_offline(settings, judges)
        cluster = Cluster(actors, rate, format, concurrency, report, strict, retry_failed, refused)
        end(grade_on_cluster(found, out, settings, judges, flow, cluster), Job(found, Path(out), report=report))
        return
    if engine == "local" and (actors or rate):
        raise typer.BadParameter("--actors and --rate go with --engine ray.")
    if engine == "local" and concurrency and concurrency > MAX_CONCURRENCY:
        raise typer.BadParameter(f"one process judges at most {MAX_CONCURRENCY} at once.", param_hint="--concurrency")
    job = _job(found, None if engine == "ray" else out, format, journal)._replace(report=report, strict=strict)
    check(job)
    if dry_run:
        _estimate(options.make_coach(settings, judges), job, flow, settings, judges, via)
        return
    if out is None:
        raise typer.BadParameter("where to? Give -o OUT, or --dry-run.", param_hint="--out")
    if retry_failed:
        _check_files(job)
    options.say_if_offline(settings, judges)
    post = post_for(job, settings) if via == "batch-api" else None
    coach = options.make_coach(settings, judges, wrap=post.wrap if post else None)
    runner = partial(run_by_provider, post=post) if post else run
    options.say_precision(coach)
    end(grade(coach, job, flow, runner, again=retry_failed), job)


def _job(sources: tuple[Source, ...], out: str | None, format: StreamFormat, journal: Path | None) -> Job:
    from coach.batch.journal import default_journal
    from coach.batch.reading import format_of
    from coach.batch.run import Job

    if out is None or out == "-":
        job = Job(sources, None, format, journal)
    else:
        path = Path(out)
        device = _is_device(path)
        job = Job(sources, path, format if device else format_of(path, "output"), journal)
        if journal is None and not device:
            job = job._replace(journal=default_journal(path))
    return job


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _check_files(job: Job) -> None:
    """Whether a second pass can be made.

    Raises:
        InputError: the input or output is a stream, which passes once.
    """
    if any(path is None or _is_device(path) for path in (job.out, *(s.path for s in job.sources))):
        raise InputError("--retry-failed needs files: a stream passes only once", hint="Name files, or leave it out.")


def _estimate(coach: Coach, job: Job, flow: Flow, settings: Settings, judges: list[str], via: Via) -> None:
    from coach.batch.estimate import estimate
    from coach.batch.journal import Journal
    from coach.batch.reading import read_rows
    from coach.batch.wording import estimate_lines
    from coach.pricing import at_batch_rates, load_prices

    prices = load_prices(settings.price_file)
    journal = Journal(job.journal) if job.journal and job.journal.exists() else None
    try:
        found = estimate(
            coach,
            read_rows(job.sources, sys.stdin.buffer),
            models=options.models_asked(settings, judges),
            prices=at_batch_rates(prices) if via == "batch-api" else prices,
            concurrency=flow.concurrency,
            journal=journal,
            since=flow.since,
        )
    finally:
        if journal is not None:
            journal.close()
    typer.echo("\n".join(estimate_lines(found)))
