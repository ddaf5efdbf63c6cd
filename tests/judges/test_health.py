"""What `coach doctor` is told of an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from servers.scripted import said, scripted

from coach.judges.chat import HealthLine
from coach.judges.endpoint import Endpoint
from coach.judges.health import check, offers

Look = Callable[[Endpoint], Awaitable[tuple[HealthLine, ...]]]


def told(look: Look, model: str, base_url: str | None = None) -> tuple[HealthLine, ...]:
    """What an endpoint is found to be; a scripted one where no URL is given."""

    async def work(url: str) -> tuple[HealthLine, ...]:
        endpoint = Endpoint(model=model, base_url=url, tries=1)
        try:
            return await look(endpoint)
        finally:
            await endpoint.aclose()

    if base_url:
        return asyncio.run(work(base_url))
    with scripted([said('{"ready": true}')]) as server:
        return asyncio.run(work(server.base_url))


def test_reachability_and_structured_output_are_told() -> None:
    lines = told(check, "scripted-1")
    assert [(line.name, line.ok) for line in lines] == [("endpoint", True), ("structured output", True)]


def test_the_models_there_are_are_named() -> None:
    last = told(check, "other")[-1]
    assert not last.ok
    assert "scripted-1" in last.mend


def test_where_no_model_is_named_the_models_there_are_are_named() -> None:
    assert "scripted-1" in told(offers, "any")[-1].mend


def test_where_no_model_is_named_an_error_names_none_either() -> None:
    (line,) = told(offers, "any", "http://127.0.0.1:9/v1")
    assert line.found.startswith("http://127.0.0.1:9/v1 cannot be reached")
