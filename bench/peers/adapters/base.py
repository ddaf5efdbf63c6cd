"""What an adapter gives: a module with `grader(mode, work, url)`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

KEY = "not-checked"
MODEL = "fixed"


class Grader(NamedTuple):
    """Grades answers, and reads the levels out of what came back; only the first is timed."""

    grade: Callable[[Sequence[str]], Any]
    levels: Callable[[Any], list[list[float]]]
    """Shape (answers, criteria); a criterion that the library gives no grade is an error."""


Loop = asyncio.Runner
"""One loop for all runs of a library, so that its connections last."""


async def gather(work: Sequence[Awaitable[Any]]) -> list[Any]:
    """All of it, in order."""
    return list(await asyncio.gather(*work))
