"""A whole run over files: rows in, engine, journal, rows out, summary."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing, closing, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from coach.batch.engine import Engine, Flow
from coach.batch.journal import Journal
from coach.batch.page import Pages
from coach.batch.reading import Format, Source, carried_columns, read_rows
from coach.batch.summary import Done, Summary, Tally
from coach.batch.writing import Shape, Writer, open_writer, shape_for
from coach.errors import InputError
from coach.files import Replacing
from coach.pipeline import Pipeline


class Job(NamedTuple):
    """What to grade and where to put it."""

    sources: tuple[Source, ...]
    out: Path | None
    """None for standard output."""
    out_format: Format = "jsonl"
    journal: Path | None = None
    """None keeps grades for the length of the run only."""
    report: Path | None = None
    """The HTML page of the run; each row gets a page in a folder beside it."""
    strict: bool = False
    """Stop at the first row that fails."""


class Streams(NamedTuple):
    """Standard input and output, for jobs that use them."""

    stdin: IO[bytes] | None = None
    stdout: IO[bytes] | None = None


class Watch(NamedTuple):
    """Who is told what."""

    started: Callable[[Engine], None] = lambda engine: None
    counted: Callable[[Tally], None] = lambda tally: None
    told: Callable[[str], None] = lambda line: None
    """What holds the run up, in words."""


async def run(
    pipeline: Pipeline,
    job: Job,
    *,
    flow: Flow | None = None,
    streams: Streams | None = None,
    watch: Watch | None = None,
    before: Done | None = None,
) -> Summary:
    """Grade every row of the job's inputs.

    The output is written beside its name and renamed at the end; what a run that was stopped has written stays there as
    `NAME.part`, and all its grades stay in the journal. What passes `before` this one have done counts in the summary as
    this run's.

    Raises:
        InputError: an input cannot be read, the output or the journal not be written; or a bad row, where `strict`.
        JudgeError: the judge fails row after row; or one row, where `strict`.
    """
    check(job)
    watch, streams = watch or Watch(), streams or Streams()
    tally = Tally(before)
    shape = shape_for(job.out_format, pipeline.bank.criteria, job.sources)
    with ExitStack() as stack:
        book = stack.enter_context(closing(Journal(stack.enter_context(_journal_path(job.journal)))))
        pages = stack.enter_context(Pages(job.report)) if job.report else None
        writer = stack.enter_context(_output(job, shape, streams))
        engine = Engine(pipeline, read_rows(job.sources, streams.stdin), flow=flow, journal=book, tell=watch.told)
        watch.started(engine)
        async with aclosing(engine.outcomes()) as outcomes:
            async for outcome in outcomes:
                if job.strict and outcome.result.failure:
                    raise outcome.result.failure.error
                writer.write(outcome)
                tally.add(outcome)
                if pages:
                    pages.add(outcome)
                watch.counted(tally)
        summary = tally.summary(capped=engine.capped, stopped=engine.stopped, text_of=texts_of(pipeline))
        if pages:
            pages.finish(summary, pipeline)
        if engine.stopped:
            raise Stopped(summary)
    return summary


class Stopped(Exception):
    """The run was asked to stop before its end; carries what it came to."""

    def __init__(self, summary: Summary) -> None:
        super().__init__("stopped")
        self.summary = summary


def check(job: Job) -> None:
    """Whether the job's files go together.

    Raises:
        InputError: two of them are the same file, an input is not there, or is a table that lacks a column every row needs.
    """
    _check_apart(job)
    for source in job.sources:
        if source.path is None:
            continue
        if not source.path.exists():
            raise InputError(f"{source.path} cannot be read: there is no such file", hint="Check the path.")
        if source.format != "jsonl":
            # Before anything is written: a header that will not do leaves no file behind.
            carried_columns([source])


def _check_apart(job: Job) -> None:
    """Each file that is written is a file of its own: one that was given twice would be lost, and with it what was paid for."""
    taken = {s.path.resolve(): "an input" for s in job.sources if s.path is not None}
    for path, role in ((job.out, "the output"), (job.journal, "the journal"), (job.report, "the report")):
        if path is None or (path.exists() and not path.is_file()):
            continue
        other = taken.setdefault(path.resolve(), role)
        if other != role:
            raise InputError(f"{path} is {other} and {role} at once", hint="Give each a file of its own.")


@contextmanager
def _journal_path(path: Path | None) -> Iterator[Path]:
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="coach-") as folder:
        yield Path(folder) / "journal.sqlite"


@contextmanager
def _output(job: Job, shape: Shape, streams: Streams) -> Iterator[Writer]:
    with ExitStack() as stack:
        if job.out is None:
            if streams.stdout is None:
                raise InputError("there is no standard output to write to")
            file = stack.enter_context(_standard_output(streams.stdout))
        else:
            file = stack.enter_context(Replacing(job.out)).buffer
        writer = open_writer(job.out_format, file, shape, live=job.out is None)
        yield writer
        writer.close()


@contextmanager
def _standard_output(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Standard output, whose faults are told as those of a file are; a reader that went away is the command line's to judge."""
    try:
        yield file
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            f"standard output cannot be written: {error.strerror or error}", hint="Is there room where it goes?"
        ) from None


def texts_of(pipeline: Pipeline) -> Callable[[str], str | None]:
    """What an expert point of the bank says; None for points of questions that rows brought along."""

    def text_of(id: str) -> str | None:
        question = id.rpartition(".")[0]
        if question not in pipeline.bank.ids:
            return None
        return next((f"{p.text} ({id})" for p in pipeline.bank.question(question).points if p.id == id), None)

    return text_of
