"""`coach cache`: verdicts kept so that the same request is not paid for twice."""

from __future__ import annotations

import typer

from coach.cli import options

app = typer.Typer(no_args_is_help=True, help="Look at the cache of verdicts, or clear it.", rich_markup_mode=None)


@app.command("info")
def info() -> None:
    """Print where verdicts are kept and how many there are."""
    from coach.judges.cache import cache_info

    found = cache_info(options.settings_from().cache_dir)
    typer.echo(f"{found.folder}: {found.verdicts} verdicts, {found.size / 1024:.0f} KB")


@app.command("clear")
def clear() -> None:
    """Delete every verdict; the exported encoder and vectors stay."""
    from coach.judges.cache import clear_cache

    typer.echo(f"Deleted {clear_cache(options.settings_from().cache_dir)} verdicts.")
