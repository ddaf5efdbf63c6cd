"""Options that several commands share, and how they become settings and a `Coach`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from coach.batch.estimate import Model
    from coach.grading import Coach
    from coach.judgement import Judged
    from coach.judges.chat import ChatEndpoint
    from coach.judges.endpoint import Endpoint
    from coach.settings import Settings

BankOption = Annotated[
    Path | None, typer.Option("--bank", metavar="DIR", help="Folder of a question bank; the shipped one if not given.")
]
JudgeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--judge",
        metavar="JUDGE",
        help="auto (an LLM where a key or base URL is set, else offline), offline, llm, llm:MODEL, replay, or escalate "
        "(offline first, an LLM where that is unsure). Several make a panel.",
    ),
]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="M", help="Model of the LLM judge.")]
BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="OpenAI-compatible endpoint, ends in /v1.")
]
ReplayOption = Annotated[
    Path | None, typer.Option("--replay-file", metavar="FILE", help="Recorded replies for --judge replay.")
]


SamplesOption = Annotated[
    int | None,
    typer.Option(
        "--samples",
        min=1,
        help="Judgements an LLM draws per answer; the median counts, and levels are told once all have come.",
    ),
]
PerCallOption = Annotated[
    int | None, typer.Option("--criteria-per-call", min=0, help="Criteria judged in one call; 0, the default, for all.")
]
RepairOption = Annotated[
    int | None,
    typer.Option("--repair-calls", min=0, help="Calls that ask again for what is missing or does not hold (2)."),
]
MaxCostOption = Annotated[
    float | None, typer.Option("--max-cost", metavar="USD", help="No call starts that could pass this sum.")
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Judge anew, also what was judged before.")]
FewShotOption = Annotated[
    int | None, typer.Option("--few-shot", min=0, help="Labelled answers shown to the LLM for calibration.")
]
FewShotFileOption = Annotated[
    Path | None, typer.Option("--few-shot-file", metavar="FILE", help="Labelled answers to choose from, JSONL.")
]


def settings_from(**options: object) -> Settings:
    """Environment first, then the options that were given."""
    from coach.settings import Settings

    return Settings.from_environment().with_options(**options)


def chosen(judge: list[str] | None) -> list[str]:
    """The judges asked for; `auto` where none is named."""
    return judge or ["auto"]


def models_asked(settings: Settings, judges: list[str]) -> tuple[Model, ...]:
    """The models that judge one answer, and how many calls each gets for it; none where all judges are local."""
    from math import ceil

    from coach.batch.estimate import Model

    groups = ceil(len(_criteria(settings)) / settings.per_call) if settings.per_call else 1
    found = []
    for choice in judges:
        name, _, model = choice.partition(":")
        if name in {"llm", "escalate"} or (name == "auto" and settings.llm_configured):
            own = settings.with_options(model=model or None)
            found.append(Model(own.required_model(), groups * (1 if name == "escalate" else settings.samples)))
    return tuple(found)


def _criteria(settings: Settings) -> tuple[str, ...]:
    from coach.bank import load_bank

    return tuple(load_bank(settings.bank).criteria)


def make_coach(
    settings: Settings,
    judge: list[str],
    *,
    on_verdicts: Callable[[tuple[Judged, ...]], None] | None = None,
    wrap: Callable[[Endpoint], ChatEndpoint] | None = None,
) -> Coach:
    """A coach for this run; `wrap` as in `coach.judges.make_judge`."""
    from coach.grading import Coach
    from coach.judges import make_judge

    if wrap is None:
        return Coach(bank=settings.bank, judge=judge, settings=settings, on_verdicts=on_verdicts)
    return Coach(bank=settings.bank, judge=make_judge(judge, settings, wrap=wrap), settings=settings)


def say_if_offline(settings: Settings, judge: list[str]) -> None:
    """Tell on standard error when `auto` means offline, and what that means."""
    if settings.means_offline(judge):
        typer.echo(
            "Judging offline: no key or base URL is set, so a small trained model grades this and no LLM. Its levels are "
            "estimates. To use an LLM set OPENAI_API_KEY, or --base-url and --model.",
            err=True,
        )


def say_precision(coach: Coach) -> None:
    """Tell on standard error when the encoder of a batch computes in another precision than that of a single critique."""
    from coach.embed import OnnxEmbedder

    if coach.preparer.embedder_name.startswith(f"{OnnxEmbedder.name}+"):
        precision = coach.preparer.embedder_name.removeprefix(f"{OnnxEmbedder.name}+")
        typer.echo(f"Sentences are encoded in {precision}; COACH_PRECISION=fp32 turns that off.", err=True)
