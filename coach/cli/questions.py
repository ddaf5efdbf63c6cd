"""`coach questions`: what can be asked."""

from __future__ import annotations

from typing import Annotated

import typer

from coach.cli import options

app = typer.Typer(invoke_without_command=True, help="List the bank's questions, or show one.", rich_markup_mode=None)


@app.callback()
def _default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_questions()


@app.command("list")
def list_questions(bank: options.BankOption = None) -> None:
    """Print every question's id and text."""
    from coach.bank import load_bank
    from coach.render.plain import inert

    for summary in load_bank(options.settings_from(bank=bank).bank).summaries():
        typer.echo(f"{inert(summary.id)}  {inert(summary.question)}")


@app.command("show")
def show_question(
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of the question, e.g. q01.")],
    bank: options.BankOption = None,
    answer: Annotated[bool, typer.Option("--answer", help="Show the expert answer too.")] = False,
) -> None:
    """Print one question: why it is asked, what it is graded on, its red flags."""
    from coach.bank import load_bank
    from coach.render.question import render_question

    loaded = load_bank(options.settings_from(bank=bank).bank)
    question = loaded.question(id)
    typer.echo(render_question(question, loaded.rubric(question), with_answer=answer))
