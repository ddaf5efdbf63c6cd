"""Options that several commands share, and how they become settings and a `Coach`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from coach.grading import Coach
    from coach.settings import Settings

JudgeName = Literal["auto", "offline", "llm", "replay"]

BankOption = Annotated[
    Path | None, typer.Option("--bank", metavar="DIR", help="Folder of a question bank; the shipped one if not given.")
]
JudgeOption = Annotated[
    JudgeName, typer.Option("--judge", help="Who judges. auto: an LLM where a key or base URL is set, else offline.")
]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="M", help="Model of the LLM judge.")]
BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="OpenAI-compatible endpoint, ends in /v1.")
]
ReplayOption = Annotated[
    Path | None, typer.Option("--replay-file", metavar="FILE", help="Recorded replies for --judge replay.")
]


def settings_from(**options: object) -> Settings:
    """Environment first, then the options that were given."""
    from coach.settings import Settings

    return Settings.from_environment().with_options(**options)


def make_coach(settings: Settings, judge: JudgeName) -> Coach:
    """A coach for this run."""
    from coach.grading import Coach

    return Coach(bank=settings.bank, judge=settings.judge_kind(judge), settings=settings)


def say_if_offline(settings: Settings, judge: JudgeName) -> None:
    """Tell on standard error when `auto` means offline, and what that means."""
    if judge == "auto" and settings.judge_kind(judge) == "offline":
        typer.echo(
            "Judging offline: no key or base URL is set, so a small trained model grades this and no LLM. Its levels are "
            "estimates. To use an LLM set OPENAI_API_KEY, or --base-url and --model.",
            err=True,
        )
