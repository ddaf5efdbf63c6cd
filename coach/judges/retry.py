"""The one retry layer: which errors, how often, how long to wait."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Awaitable, Callable, Mapping

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from coach.errors import CoachError, JudgeUnavailable
from coach.judges.pace import LONGEST_WAIT

FIRST_WAIT = 1.0
"""Seconds; doubled each time and drawn at random below that, so that clients do not come back together."""

_backoff = wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)


def retrying(tries: int, sleep: Callable[[float], Awaitable[None]]) -> AsyncRetrying:
    """Up to `tries` attempts at what raises a retryable error; the last error is raised as it is."""
    return AsyncRetrying(
        stop=stop_after_attempt(tries),
        wait=_wait,
        retry=retry_if_exception(lambda error: isinstance(error, CoachError) and error.retryable),
        sleep=sleep,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, JudgeUnavailable) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    return float(_backoff(state))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a response asks to wait, 0 or more: `retry-after-ms`, or `Retry-After` in seconds or as a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "")
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            continue
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|$)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}


def rate_limit_wait(headers: Mapping[str, str]) -> float:
    """Seconds to start nothing, 0 or more: until a window that this response says is used up begins anew.

    Providers count requests and tokens apart: `x-ratelimit-remaining-requests: 0` with `x-ratelimit-reset-requests: 6m0s`.
    """
    waits = [
        _duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    return min(max(waits, default=0.0), LONGEST_WAIT)


def _duration(text: str) -> float:
    """Seconds of `1m30s`, `120ms` or `2`; 0 for anything else."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))
