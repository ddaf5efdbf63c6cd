"""`coach doctor`: is everything there that grading needs?"""

from __future__ import annotations

import asyncio

import typer

from coach.cli import options

_MARKS = {"ok": "ok  ", "problem": "FAIL", "note": "note"}


def doctor(
    bank: options.BankOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
) -> None:
    """Check model, cache, bank, key and endpoint: a line each, and how to fix it. Exit code 3 for the endpoint, else 2."""
    from coach.doctor import examine, exit_code
    from coach.render.plain import inert

    checks = asyncio.run(examine(options.settings_from(bank=bank, model=model, base_url=base_url)))
    for check in checks:
        typer.echo(f"{_MARKS[check.state]}  {check.name:<18} {inert(check.found)}")
        if check.mend:
            typer.echo(f"      {'':<18} -> {inert(check.mend)}")
    code = exit_code(checks)
    if code:
        raise typer.Exit(code)
