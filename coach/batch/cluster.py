"""What a cluster is to grade, and the folder of parts that it writes. Knows nothing of Ray."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from coach.batch.engine import Flow
from coach.batch.folder import FOLDER
from coach.batch.pieces import PIECE_BYTES, PIECE_ROWS
from coach.batch.reading import Source
from coach.batch.writing import Shape
from coach.errors import InputError
from coach.settings import Settings

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
    concurrency: int | None = None
    """Calls to the judge under way at once in the whole cluster, at most; where not given, as many as go well."""
    per_minute: float | None = None
    """Calls to the judge that the whole cluster may start in a minute."""
    report: Path | None = None
    """The HTML page of the run, written by the process that asked."""
    strict: bool = False
    """Stop at the first row found that fails."""
    retry_failed: bool = False
    """At the end, go over the rows that failed once more."""
    piece_bytes: int = PIECE_BYTES
    piece_rows: int = PIECE_ROWS
    shape: Shape = Shape(())
    """Of every part; `run_on_ray` finds it."""


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


def make_folder(out: Path) -> None:
    """The folder of parts, not complete from now on.

    Raises:
        InputError: it cannot be written.
    """
    try:
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
        (out / SUCCESS).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror or error}", hint="Name a folder that every machine sees."
        ) from None


def tidy(job: ClusterJob, pieces: int) -> None:
    """Take away parts of earlier runs and what dead machines were writing, then say that the output is complete.

    Raises:
        InputError: the folder cannot be written.
    """
    wanted = {part_of(job, n).name for n in range(pieces)}
    try:
        for path in job.out.glob("*part-*"):
            ours = _PART.fullmatch(path.name) or _UNFINISHED.fullmatch(path.name)
            if ours and path.name not in wanted:
                path.unlink(missing_ok=True)
        (job.out / SUCCESS).touch()
    except OSError as error:
        raise InputError(f"{job.out} cannot be written: {error.strerror or error}") from None


def part_of(job: ClusterJob, number: int) -> Path:
    """Where the part of a piece lies."""
    return job.out / f"part-{number:05d}.{job.out_format}"
