"""Judges: `offline` (a small trained model), `llm` (any OpenAI-compatible endpoint), `replay` (recorded replies).

Several make a panel; `escalate` asks the offline judge first and an LLM where that one is unsure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from coach.errors import InputError
from coach.judges.base import Judge
from coach.settings import OPENAI_MODEL, Settings

if TYPE_CHECKING:
    from coach.judgement import Judged
    from coach.judges.budget import Budget
    from coach.judges.chat import ChatEndpoint, ChatRequest
    from coach.judges.endpoint import Endpoint
    from coach.judges.llm import LLMJudge
    from coach.judges.pace import Pace
    from coach.models import JudgeTask

SAMPLE_TEMPERATURE = 0.7
"""Sent where several judgements are drawn: at 0 they would all be alike."""
ESCALATE_MARGIN = 12.0
"""Points of the total. Measured on held-out questions, see evals/README.md."""


def make_judge(
    choices: str | Sequence[str],
    settings: Settings,
    *,
    on_verdicts: Callable[[tuple[Judged, ...]], None] | None = None,
    pace: Pace | None = None,
    wrap: Callable[[Endpoint], ChatEndpoint] | None = None,
) -> Judge:
    """The judge that choices stand for under these settings; several make a panel.

    Args:
        choices: `auto`, `offline`, `llm`, `llm:MODEL`, `replay` or `escalate`.
        settings: endpoint, samples, caps and the like.
        on_verdicts: told what an LLM has judged while its reply comes in.
        pace: told when an endpoint asks to wait, and asked to spend the waits between tries.
        wrap: what stands between judge and endpoint, in place of the cost cap.

    Raises:
        InputError: a choice is unknown, or a setting it needs is missing.
    """
    wanted = [choices] if isinstance(choices, str) else list(choices)
    run = _Run(settings, on_verdicts, _budget(settings), pace, wrap)
    judges = [_one(choice, run) for choice in wanted]
    if len(judges) == 1:
        return judges[0]
    from coach.judges.panel import PanelJudge

    return PanelJudge(judges)


def first_requests(settings: Settings, *tasks: JudgeTask) -> tuple[ChatRequest, ...]:
    """What an LLM judge of these settings would send about answers before anything is asked again; nothing is called."""
    from coach.judges.chat import Nowhere

    judge = _llm_judge(_Run(settings, None, None), Nowhere(settings.model or OPENAI_MODEL))
    samples = range(settings.samples)
    return tuple(r for task in tasks for sample in samples for r in judge.first_requests(task, sample))


class _Run(NamedTuple):
    """What all judges of one run share."""

    settings: Settings
    on_verdicts: Callable[[tuple[Judged, ...]], None] | None
    budget: Budget | None
    pace: Pace | None = None
    wrap: Callable[[Endpoint], ChatEndpoint] | None = None


def _budget(settings: Settings) -> Budget | None:
    if settings.max_cost is None:
        return None
    from coach.judges.budget import Budget

    return Budget(settings.max_cost)


def _one(choice: str, run: _Run) -> Judge:
    name, _, model = choice.partition(":")
    if name == "auto":
        name = "llm" if run.settings.llm_configured else "offline"
    if name not in JUDGES or (model and name != "llm") or choice.startswith("auto:"):
        known = ", ".join(("auto", "llm:MODEL", *JUDGES))
        raise InputError(f"no judge {choice!r}", hint=f"Use one of {known}; several make a panel.")
    return JUDGES[name](run._replace(settings=run.settings.with_options(model=model or None)))


def make_endpoint(settings: Settings, pace: Pace | None = None) -> Endpoint:
    """The LLM endpoint of these settings.

    Raises:
        InputError: no key and no base URL, or no model.
    """
    from coach.judges.endpoint import Endpoint
    from coach.pricing import load_prices

    if not settings.llm_configured:
        raise InputError(
            "no LLM endpoint is configured",
            hint="Set OPENAI_API_KEY, or name an endpoint: --base-url http://localhost:11434/v1 --model NAME.",
        )
    return Endpoint(
        model=settings.required_model(),
        base_url=settings.base_url,
        api_key=settings.api_key,
        timeout=settings.timeout,
        tries=settings.tries,
        cache_dir=settings.cache_dir,
        prices=load_prices(settings.price_file),
        pace=pace,
        sleep=pace.rest if pace else asyncio.sleep,
    )


def _llm(run: _Run) -> Judge:
    from coach.judges.cache import CachedJudge
    from coach.judges.panel import SampledJudge

    settings = run.settings
    endpoint = make_endpoint(settings, run.pace)
    judge = _llm_judge(run, _recorded(run.wrap(endpoint) if run.wrap else _capped(endpoint, run), settings))
    whole: Judge = SampledJudge(judge, settings.samples) if settings.samples > 1 else judge
    # A verdict from the cache would bring no reply to record.
    return CachedJudge(whole, settings.cache_dir) if settings.use_cache and not settings.record_file else whole


def _recorded(endpoint: ChatEndpoint, settings: Settings) -> ChatEndpoint:
    """The endpoint, its replies written down where the settings name a file.

    Raises:
        InputError: a replay could not ask the same: records hold no labelled examples and one draw.
    """
    if settings.record_file is None:
        return endpoint
    from coach.judges.replay import JudgeParameters, RecordingEndpoint

    if settings.few_shot or settings.samples > 1:
        raise InputError("--record goes with neither --few-shot nor --samples", hint="Leave those out.")
    parameters = JudgeParameters(repair_calls=settings.repair_calls, per_call=settings.per_call)
    return RecordingEndpoint(endpoint, settings.record_file, parameters)


def _llm_judge(run: _Run, endpoint: ChatEndpoint) -> LLMJudge:
    from coach.judges.examples import Examples
    from coach.judges.llm import LLMJudge

    settings = run.settings
    if settings.few_shot and settings.few_shot_file is None:
        raise InputError("--few-shot needs labelled answers", hint="Add --few-shot-file FILE.")
    return LLMJudge(
        endpoint,
        repair_calls=settings.repair_calls,
        per_call=settings.per_call,
        temperature=SAMPLE_TEMPERATURE if settings.samples > 1 else 0.0,
        examples=Examples(settings.few_shot_file, settings.few_shot) if settings.few_shot_file else None,
        on_verdicts=run.on_verdicts if settings.samples == 1 else None,
    )


def _capped(endpoint: Endpoint, run: _Run) -> ChatEndpoint:
    if run.budget is None:
        return endpoint
    from coach.judges.budget import BudgetedEndpoint
    from coach.pricing import load_prices, price_of

    price = price_of(endpoint.model, load_prices(run.settings.price_file))
    return BudgetedEndpoint(endpoint, budget=run.budget, price=price)


def _offline(run: _Run) -> Judge:
    from coach.judges.offline import OfflineJudge

    return OfflineJudge()


def _replay(run: _Run) -> Judge:
    from coach.judges.replay import ReplayJudge

    if run.settings.replay_file is None:
        raise InputError("--judge replay needs recorded replies", hint="Add --replay-file FILE.")
    return ReplayJudge(run.settings.replay_file)


def _escalate(run: _Run) -> Judge:
    from coach.judges.panel import EscalatingJudge

    return EscalatingJudge(_offline(run), _llm(run), margin=ESCALATE_MARGIN)


JUDGES: dict[str, Callable[[_Run], Judge]] = {
    "offline": _offline,
    "llm": _llm,
    "replay": _replay,
    "escalate": _escalate,
}
