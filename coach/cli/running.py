"""A batch at work in a terminal: signals that stop it, what is said of it, and the exit codes it ends with."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import typer

from coach.cli.watching import watching
from coach.errors import CoachError

if TYPE_CHECKING:
    from coach.batch.engine import Engine, Flow
    from coach.batch.run import Job
    from coach.batch.summary import Summary, Tally
    from coach.grading import Coach

EXIT_FAILED_ROWS = 4
EXIT_COST_CAP = 5
EXIT_INTERRUPTED = 130


def grade(
    coach: Coach, job: Job, flow: Flow, runner: Callable[..., Awaitable[Summary]], *, again: bool = False
) -> Summary:
    """Grade the job's rows and say how far it has come.

    Args:
        coach: its connections are closed in the end.
        job: what to grade and where to put it.
        flow: how many at once, and for how long.
        runner: `coach.batch.run.run`, or what takes the same.
        again: once through, go over rows that failed or are incomplete a second time.

    Raises:
        typer.Exit: it was interrupted; what to do about that is said.
        CoachError: as the runner; what there is to go on from is said.
    """
    summary = _grade(coach, job, flow, runner)
    open_ = summary.failed + summary.incomplete
    if not again or not open_ or summary.capped:
        return summary
    typer.echo(f"{open_} rows failed or are incomplete; going over them once more.", err=True)
    try:
        return _grade(coach, job, flow, partial(runner, before=summary.done))
    except CoachError:
        _say(summary, job, "Wrote")
        raise


def end(summary: Summary, job: Job) -> None:
    """Say what a run came to.

    Raises:
        typer.Exit: the cost cap was reached, or rows failed or are incomplete.
    """
    _say(summary, job, "Wrote")
    if job.report:
        typer.echo(f"Wrote {job.report}", err=True)
    if summary.capped:
        _say_how_to_go_on(job)
        raise typer.Exit(EXIT_COST_CAP)
    if summary.failed or summary.incomplete:
        if job.journal:
            rows = " and ".join(["failed"] * bool(summary.failed) + ["incomplete"] * bool(summary.incomplete))
            typer.echo(f"The same command again tries the {rows} rows anew; what is done costs nothing.", err=True)
        if summary.incomplete:
            typer.echo("Where a judge of a panel is gone for good, leave its --judge out.", err=True)
        raise typer.Exit(EXIT_FAILED_ROWS)


def _grade(coach: Coach, job: Job, flow: Flow, runner: Callable[..., Awaitable[Summary]]) -> Summary:
    from coach.batch.reading import count_rows
    from coach.batch.run import Stopped, Streams, Watch

    begun = _Begun()

    async def work() -> Summary:
        _cancel_on_request()
        with watching(count_rows(job.sources)) as show:
            watch = Watch(
                _stop_on_signals, lambda tally: begun.tell(tally, show), lambda line: typer.echo(line, err=True)
            )
            streams = Streams(sys.stdin.buffer, sys.stdout.buffer)
            try:
                return await runner(coach, job, flow=flow, streams=streams, watch=watch)
            finally:
                await coach.aclose()

    try:
        return asyncio.run(work())
    except Stopped as stopped:
        _say(stopped.summary, job, "Stopped")
        _say_how_to_go_on(job)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say_how_to_go_on(job)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except CoachError:
        if begun.rows:
            _say_how_to_go_on(job)
        raise


class _Begun:
    """Whether anything was graded that one can go on from."""

    rows = 0

    def tell(self, tally: Tally, show: Callable[[Tally], None]) -> None:
        self.rows = tally.rows
        show(tally)


def _cancel_on_request() -> None:
    """A polite request to end, while no engine runs that could stop: as Ctrl-C does."""
    main = asyncio.current_task()
    if sys.platform != "win32" and main is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)


def _stop_on_signals(engine: Engine) -> None:
    """Ctrl-C, or a polite request to end, stops the engine; a second one ends at once."""
    if sys.platform == "win32":
        return
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def interrupted() -> None:
        if engine.stopped and main is not None:
            main.cancel()
            return
        told = f"Stopping: {engine.under_way} answers under way may finish. Ctrl-C again ends at once."
        typer.echo(told, err=True)
        engine.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)


def _say_how_to_go_on(job: Job) -> None:
    if job.journal is not None and job.journal.exists():
        typer.echo(
            f"Every finished grade is kept in {job.journal}: the same command again goes on from there.", err=True
        )
    if job.out is not None and job.out.with_name(f"{job.out.name}.part").exists():
        typer.echo(f"What was written so far stands in {job.out}.part.", err=True)


def _say(summary: Summary, job: Job, verb: str) -> None:
    from coach.batch.wording import summary_lines

    where = str(job.out) if job.out else "standard output"
    typer.echo("\n".join(summary_lines(summary, f"{verb} {where}")), err=True)
