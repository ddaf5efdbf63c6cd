"""Judges: `offline` (rules and features), `llm` (any OpenAI-compatible endpoint), `replay` (recorded replies)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from coach.errors import InputError
from coach.judges.base import Judge
from coach.settings import JudgeChoice, Settings

if TYPE_CHECKING:
    from coach.judges.endpoint import Endpoint


def make_judge(choice: JudgeChoice, settings: Settings) -> Judge:
    """The judge a choice stands for under these settings.

    Raises:
        InputError: a setting it needs is missing.
    """
    return JUDGES[settings.judge_kind(choice)](settings)


def make_endpoint(settings: Settings) -> Endpoint:
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
    )


def _offline(settings: Settings) -> Judge:
    from coach.judges.offline import OfflineJudge

    return OfflineJudge()


def _llm(settings: Settings) -> Judge:
    from coach.judges.llm import LLMJudge

    return LLMJudge(make_endpoint(settings))


def _replay(settings: Settings) -> Judge:
    from coach.judges.replay import ReplayJudge

    if settings.replay_file is None:
        raise InputError("--judge replay needs recorded replies", hint="Add --replay-file FILE.")
    return ReplayJudge(settings.replay_file)


JUDGES: dict[str, Callable[[Settings], Judge]] = {"offline": _offline, "llm": _llm, "replay": _replay}
