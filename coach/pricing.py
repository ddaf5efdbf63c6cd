"""What calls cost: tokens times the prices of one YAML table, which users can override.

prices:
  some-model: {prompt: 0.25, cached: 0.025, completion: 2.0, batch: 0.5}      # US dollars for a million tokens
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coach.bank import read_model
from coach.judgement import Usage
from coach.models import Frozen
from coach.resources import data_dir

Dollars = Annotated[float, Field(ge=0)]
_MILLION = 1_000_000
CHARS_PER_TOKEN = 4.0
"""Of English prose."""
REPLY_TOKENS = 700
"""Tokens of a reply on six criteria, its quotes and reasons."""


class Price(Frozen):
    """US dollars for a million tokens. `cached` is the price of prompt tokens read from the provider's cache.

    `batch` is the share of all prices that requests through the provider's Batch API cost; all of it where not given.
    """

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None
    batch: Annotated[float, Field(gt=0, le=1)] = 1.0


class PriceTable(Frozen):
    """Model name to price."""

    prices: dict[str, Price]


def load_prices(override: Path | None = None) -> dict[str, Price]:
    """The shipped prices, with those of the user's file on top.

    Raises:
        BankError: a table cannot be read.
    """
    prices = dict(read_model(data_dir("rubrics") / "prices.yaml", PriceTable).prices)
    if override is not None:
        prices |= read_model(override, PriceTable).prices
    return prices


def price_of(model: str, prices: dict[str, Price]) -> Price | None:
    """The price of a model, also under a dated name (`NAME-2026-01-31`); None where it is not in the table."""
    if model in prices:
        return prices[model]
    dated = [
        name for name in prices if model.startswith(f"{name}-") and model[len(name) + 1 :].replace("-", "").isdigit()
    ]
    return prices[max(dated, key=len)] if dated else None


def at_batch_rates(prices: dict[str, Price]) -> dict[str, Price]:
    """What the same models cost through the provider's Batch API."""
    return {
        model: Price(
            prompt=p.prompt * p.batch,
            completion=p.completion * p.batch,
            cached=None if p.cached is None else p.cached * p.batch,
        )
        for model, p in prices.items()
    }


def cost_of(usage: Usage, price: Price | None, *, batch: bool = False) -> float | None:
    """US dollars, or None where the price is unknown. Reasoning tokens are completion tokens and paid as such.

    Args:
        usage: tokens.
        price: of the model.
        batch: asked through the provider's Batch API.
    """
    if price is None:
        return None
    cached_price = price.prompt if price.cached is None else price.cached
    fresh = usage.prompt_tokens - usage.cached_tokens
    total = fresh * price.prompt + usage.cached_tokens * cached_price + usage.completion_tokens * price.completion
    return total * (price.batch if batch else 1.0) / _MILLION


def add_usage(first: Usage, second: Usage) -> Usage:
    """Both together. Money is unknown where that of a side that made calls is."""
    spent = [u.cost_usd for u in (first, second) if u.calls]
    known = [s for s in spent if s is not None]
    return Usage(
        calls=first.calls + second.calls,
        prompt_tokens=first.prompt_tokens + second.prompt_tokens,
        cached_tokens=first.cached_tokens + second.cached_tokens,
        completion_tokens=first.completion_tokens + second.completion_tokens,
        reasoning_tokens=first.reasoning_tokens + second.reasoning_tokens,
        cost_usd=sum(known) if spent and len(known) == len(spent) else None,
        estimated_calls=first.estimated_calls + second.estimated_calls,
    )


def sum_usage(parts: Iterable[Usage]) -> Usage:
    """All together, as `add_usage`."""
    return reduce(add_usage, parts, Usage())


def estimated(usage: Usage, chars: float) -> Usage:
    """A call whose tokens the endpoint did not count, with those that a dry run would assume.

    Args:
        usage: of one call, without money.
        chars: characters of the prompt.
    """
    tokens = {"prompt_tokens": round(chars / CHARS_PER_TOKEN), "completion_tokens": REPLY_TOKENS}
    return usage.model_copy(update={**tokens, "estimated_calls": 1})
