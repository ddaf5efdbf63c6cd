"""`coach batch` as a whole: rows read, prepared, judged, kept in the journal, written. Encoding is done beforehand where said."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.figures import Figure
from bench.judge import AT_ONCE, FLOOR, serving
from coach.bank import load_bank
from coach.batch.engine import Flow
from coach.batch.reading import find_sources
from coach.batch.run import Job, run
from coach.embed import Vectors, default_embedder
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.pipeline import Pipeline
from coach.segment import segment
from coach.settings import Settings

EXAMPLE = Path(__file__).parent.parent / "examples" / "q01-model-first.md"


class Known:
    """Vectors made before the clock starts: those of the example; any other text is taken for the example as a whole."""

    def __init__(self) -> None:
        embedder = default_embedder(Settings.from_environment().cache_dir)
        self.name, self.dimension = embedder.name, embedder.dimension
        question = load_bank().question("q01")
        answer = EXAMPLE.read_text(encoding="utf-8")
        texts = [answer, question.question, question.reference]
        texts += [p.text for p in question.points] + [s.text for s in segment(answer)]
        self._known = dict(zip(texts, embedder.encode(texts), strict=True))
        self._whole = self._known[answer]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.encode`."""
        return np.stack([self._known.get(t, self._whole) for t in texts])


class _Run(NamedTuple):
    seconds: float
    judged: int


def _write_rows(path: Path, count: int) -> list[str]:
    answer = EXAMPLE.read_text(encoding="utf-8")
    answers = [f"{answer}\nNumber {n}." for n in range(count)]
    lines = (json.dumps({"question_id": "q01", "answer": a, "cohort": "spring"}) for a in answers)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return answers


def _grade(url: str, folder: Path, embedder: Known, *, at_once: int, journal: bool) -> _Run:
    """One run over `in.jsonl`; connections are opened, and the SDK imported, by a run over one other answer first."""

    async def work() -> _Run:
        pipeline = Pipeline(judge=LLMJudge(Endpoint(model="fixed", base_url=url)), embedder=embedder)
        flow = Flow(concurrency=at_once)
        warm = folder / "warm.jsonl"
        warm.write_text((folder / "in.jsonl").read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
        await run(pipeline, Job(find_sources([str(warm)]), folder / "warm-out.jsonl"), flow=flow)
        job = Job(find_sources([str(folder / "in.jsonl")]), folder / "out.jsonl")
        if journal:
            job = job._replace(journal=folder / f"journal-{time.time_ns()}.sqlite")
        start = time.perf_counter()
        summary = await run(pipeline, job, flow=flow)
        seconds = time.perf_counter() - start
        await pipeline.aclose()
        return _Run(seconds, summary.judged)

    return asyncio.run(work())


def _against_the_floor() -> Figure:
    with tempfile.TemporaryDirectory() as name, serving("0.05") as url:
        folder, embedder = Path(name), Known()
        _write_rows(folder / "in.jsonl", 200)
        _grade(url, folder, embedder, at_once=AT_ONCE, journal=True)
        runs = sorted(_grade(url, folder, embedder, at_once=AT_ONCE, journal=True).seconds for _ in range(5))
    ratio = runs[2] / FLOOR
    return Figure(
        "batch, 200 answers, 50 ms, 16 at once, journal on, vectors known: wall against the floor of 0.63 s",
        f"{ratio:.2f}x",
        "1.5x",
        ratio <= 1.5,
    )


def _throughput() -> Figure:
    with tempfile.TemporaryDirectory() as name, serving("0.01") as url:
        folder, embedder = Path(name), Known()
        _write_rows(folder / "in.jsonl", 2000)
        _grade(url, folder, embedder, at_once=AT_ONCE, journal=True)
        runs = sorted(_grade(url, folder, embedder, at_once=AT_ONCE, journal=True).seconds for _ in range(3))
    rate = 2000 / runs[1]
    return Figure("batch, 2,000 answers, 10 ms, journal on, vectors known", f"{rate:.0f}/s", "300/s", rate >= 300)


if __name__ == "__main__":
    for f in (_against_the_floor, _throughput):
        print(f())
