"""`coach bank`: check a bank, or start one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coach.errors import BankError

app = typer.Typer(no_args_is_help=True, help="Check a question bank, or start one.", rich_markup_mode=None)


@app.command("check")
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The bank; the shipped one if left out.")
    ] = None,
) -> None:
    """Show every problem of a bank at once: file, key and fix."""
    from coach.bank_check import check_bank
    from coach.resources import data_dir

    path = folder or data_dir("rubrics")
    problems = check_bank(path)
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise BankError(f"{path}: {count}", problems=problems, hint="Correct them and run `coach bank check` again.")
    typer.echo(f"{path}: no problems found")


@app.command("init")
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")]) -> None:
    """Write a small bank to start from."""
    from coach.bank_check import init_bank

    init_bank(folder)
    typer.echo(f"Wrote a starter bank to {folder}. Next: edit it, then `coach bank check {folder}`.")
