"""How an error is told on standard error."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def say(message: str, hint: str = "", *, problems: Sequence[str] = ()) -> None:
    """What happened, every problem found, and what to do."""
    from coach.render.plain import inert

    typer.echo(f"Error: {inert(message)}", err=True)
    for problem in problems:
        typer.echo(f"  {inert(problem)}", err=True)
    if hint:
        typer.echo(f"  -> {inert(hint)}", err=True)
