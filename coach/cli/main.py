"""The app, and the one place that turns errors into messages and exit codes.

Heavy packages are imported inside the commands: `coach --help` needs typer and nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

import typer

from coach import __version__
from coach.cli import bank, batch, cache, critique, doctor, evaluate, journal, questions
from coach.cli.errors import say
from coach.errors import BankError, CoachError

EXIT_BUG = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="coach",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: rendering it through rich would double the time `coach --help` takes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Grade written answers to ML interview questions against a rubric, and coach the writer to a better one.",
    epilog=(
        "An LLM judges when OPENAI_API_KEY (or COACH_API_KEY) or a base URL is set, e.g. "
        "--base-url http://localhost:11434/v1 --model NAME; without, the offline judge does."
    ),
)
app.command("critique")(critique.critique)
app.command("batch")(batch.batch)
app.command("doctor")(doctor.doctor)
app.add_typer(questions.app, name="questions")
app.add_typer(bank.app, name="bank")
app.add_typer(cache.app, name="cache")
app.add_typer(journal.app, name="journal")
app.add_typer(evaluate.app, name="eval")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coach {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="coach")
    except CoachError as error:
        say(error.message, error.hint, problems=error.problems if isinstance(error, BankError) else ())
        _give_up_unwritable_output()
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`coach questions | head`): not our fault, and nothing is left to say.
        _give_up_unwritable_output()
        return 0
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:
            # typer turns Ctrl-C into this exit code and says nothing.
            typer.echo("Interrupted.", err=True)
        return stop.code if isinstance(stop.code, int) else EXIT_BUG
    return 0


def _give_up_unwritable_output() -> None:
    """Drop what standard output does not take: Python would try it once more at the end, and end with a code of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the process ends


def entry_point() -> None:
    """What the installed `coach` script runs."""
    code = main()
    if code == EXIT_INTERRUPTED:
        # All is closed by now; taking torch apart, where it was loaded, would keep the user waiting for seconds.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
