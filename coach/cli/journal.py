"""`coach journal`: look into the journal of a batch."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look into the journal of a batch, export its grades, shrink it.")

FileArgument = Annotated[Path, typer.Argument(metavar="JOURNAL", help="As OUT.journal.sqlite beside a batch's output.")]
_CAUSES = 10


@app.command()
def info(file: FileArgument) -> None:
    """Count grades, failures not yet made good, rows being graded now, and what it all cost."""
    from coach.batch.journal import Journal
    from coach.render.plain import inert

    journal = Journal(file, must_exist=True)
    try:
        found = journal.info()
    finally:
        journal.close()
    failures = sum(count for _, count in found.causes)
    typer.echo(f"{found.path}: {found.size / 1_000_000:.1f} MB")
    typer.echo(
        f"{found.grades} grades, {found.abstained} of them without a total; ${found.cost_usd:.4f} where prices are known"
    )
    typer.echo(f"{failures} rows failed and were not graded since; {found.claimed} are being graded now")
    for cause, count in found.causes[:_CAUSES]:
        typer.echo(f"  {count} x {inert(cause)}")


@app.command()
def export(
    file: FileArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="JSONL; standard output if not given.")
    ] = None,
) -> None:
    """Write every grade as a line of JSON, with its key and when it was made."""
    from coach.batch.journal import Journal
    from coach.errors import InputError
    from coach.files import Replacing

    if out is not None and out.resolve() == file.resolve():
        raise InputError(f"{out} is the journal itself", hint="Write its grades to another file.")
    journal = Journal(file, must_exist=True)
    try:
        lines = (_line(kept.key, kept.at, kept.grade.body) for kept in journal.all())
        if out is None:
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
            return
        with Replacing(out) as target:
            target.buffer.writelines(lines)
    finally:
        journal.close()


@app.command()
def vacuum(file: FileArgument) -> None:
    """Give the space of replaced grades back."""
    from coach.batch.journal import Journal

    journal = Journal(file, must_exist=True)
    try:
        before = journal.info().size
        journal.vacuum()
        after = journal.info().size
    finally:
        journal.close()
    typer.echo(f"{file}: {before / 1_000_000:.1f} MB before, {after / 1_000_000:.1f} MB now")


def _line(key: bytes, at: float, body: bytes) -> bytes:
    head = json.dumps({"key": key.hex(), "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")})
    return head[:-1].encode() + b", " + body + b"\n"
