"""Grading through a provider's batches, as a function for tests and as a process that can be killed.

python through_provider.py FOLDER BASE_URL
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from batch.processes import SameEmbedder, answer
from servers.scripted import Reply, said

from coach.bank import load_bank
from coach.batch.by_provider import Post, run_by_provider
from coach.batch.engine import Flow
from coach.batch.outbox import Limits
from coach.batch.reading import find_sources
from coach.batch.run import Job, run
from coach.batch.summary import Summary
from coach.embed import Embedder, Vectors
from coach.judges import make_judge
from coach.pipeline import Pipeline
from coach.settings import Settings

QUOTE = "what the feed is for"
PRICES = "prices:\n  scripted-1: {prompt: 1000.0, completion: 1000.0, batch: 0.5}\n"
"""A tenth of a dollar for the 100 prompt tokens of a scripted reply, and 0.02 for its 20 of completion; half by batch."""


def settings(folder: Path, base_url: str, **options: object) -> Settings:
    (folder / "prices.yaml").write_text(PRICES, encoding="utf-8")
    plain = Settings(base_url=base_url, model="scripted-1", cache_dir=folder / "cache", use_cache=False, tries=3)
    return plain.with_options(price_file=folder / "prices.yaml", **options)


def job(folder: Path, out: str = "out.jsonl", journal: str = "journal.sqlite") -> Job:
    return Job(find_sources([str(folder / "in.jsonl")]), folder / out, journal=folder / journal)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(min(seconds, 0.005))


class CountingEmbedder(SameEmbedder):
    """Knows how often it has read each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.read: Counter[int] = Counter()

    def encode(self, texts: Sequence[str]) -> Vectors:
        numbers = [re.search(r"Number (\d+)$", text) for text in texts]
        self.read.update({int(found[1]) for found in numbers if found})
        return super().encode(texts)


def by_batch(
    folder: Path,
    base_url: str,
    *,
    probe: bool = False,
    limits: Limits | None = None,
    embedder: Embedder | None = None,
    **options: Any,
) -> Summary:
    chosen = settings(folder, base_url, **options)
    told: list[str] = []
    post = Post(
        folder / "journal.sqlite", limits=limits or Limits(tries=3), probe=probe, tell=told.append, sleep=_no_sleep
    )
    judge = make_judge("llm", chosen, wrap=post.wrap)
    pipeline = Pipeline(judge=judge, embedder=embedder or SameEmbedder(), settings=chosen)

    async def work() -> Summary:
        try:
            return await run_by_provider(pipeline, job(folder), post=post, flow=Flow(concurrency=4, window=32))
        finally:
            await pipeline.aclose()

    try:
        return asyncio.run(work())
    finally:
        post.close()


def by_calls(folder: Path, base_url: str, out: str, journal: str) -> Summary:
    chosen = settings(folder, base_url)
    pipeline = Pipeline(judge="llm", embedder=SameEmbedder(), settings=chosen)

    async def work() -> Summary:
        try:
            return await run(pipeline, job(folder, out, journal))
        finally:
            await pipeline.aclose()

    return asyncio.run(work())


def asked_for(body: dict[str, Any]) -> list[str]:
    """The criteria a request asks for, by its schema, or all six where it has none."""
    try:
        schema = body["response_format"]["json_schema"]["schema"]
    except KeyError:
        return list(load_bank(None).criteria)
    found: list[str] = schema["properties"]["criteria"]["items"]["properties"]["id"]["enum"]
    return found


def number_of(body: dict[str, Any]) -> int:
    """The number at the end of the answer that a request is about."""
    found = re.findall(r"Number (\d+)", body["messages"][-1]["content"])
    return int(found[-1])


def verdicts(body: dict[str, Any], level: int = 2) -> str:
    entries = [{"id": i, "quotes": [QUOTE], "reasoning": "Written by hand.", "level": level} for i in asked_for(body)]
    return json.dumps({"criteria": entries, "points": [], "red_flags": []})


def good(body: dict[str, Any]) -> Reply:
    return said(verdicts(body))


def write_rows(folder: Path, numbers: list[int]) -> None:
    rows = (json.dumps({"question_id": "q01", "answer": answer(n), "n": n}) for n in numbers)
    (folder / "in.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def reports(folder: Path, out: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / out).read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    by_batch(Path(sys.argv[1]), sys.argv[2])
