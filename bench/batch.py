"""`coach batch` as a whole: rows read, prepared, judged, kept in the journal, written.

`python -m bench.batch` measures everything, `python -m bench.batch ROWS` only memory and resume, at another size.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.figures import Figure
from bench.judge import AT_ONCE, FLOOR, serving
from coach.asked import Asked, Brought
from coach.bank import load_bank
from coach.batch.engine import Flow
from coach.batch.journal import Journal
from coach.batch.reading import find_sources
from coach.batch.records import Grade
from coach.batch.run import Job, run
from coach.embed import Vectors, default_embedder
from coach.errors import CoachError
from coach.judgement import Judgement
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.judges.offline import OfflineJudge
from coach.pipeline import Pipeline
from coach.prepare import Prepared
from coach.report import FeedbackReport
from coach.segment import segment
from coach.settings import Settings

MANY = 1_000_000
SMALL = Brought("When does a cache pay?", "A cache pays where reads repeat. The cost is invalidation.")
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


# --- size: everything is real but preparing and judging, which are simulated


class Simulated(Pipeline):
    """Gives every answer the same report, at once."""

    def __init__(self) -> None:
        super().__init__(judge=OfflineJudge(), embedder=Known())
        (template,) = super().prepare_many([(SMALL, EXAMPLE.read_text(encoding="utf-8"))])
        if isinstance(template, CoachError):
            raise template
        self._template = template
        self._said = asyncio.run(super().judge_prepared(template))
        self._made = super().report("1", template, self._said)

    def prepare_many(self, answers: Sequence[tuple[Asked, str]]) -> list[Prepared | CoachError]:
        """See `Pipeline.prepare_many`."""
        return [self._template._replace(task=self._template.task._replace(answer=a)) for _, a in answers]

    async def judge_prepared(self, prepared: Prepared) -> Judgement:
        """See `Pipeline.judge_prepared`."""
        await asyncio.sleep(0)
        return self._said

    def report(self, id: str, prepared: Prepared, judgement: Judgement) -> FeedbackReport:
        """See `Pipeline.report`."""
        return self._made


class _Sized(NamedTuple):
    seconds: float
    megabytes: float
    again: int


def _simulate(folder: Path) -> _Sized:
    """A run over `rows.jsonl` in this process."""
    pipeline = Simulated()
    job = Job(find_sources([str(folder / "rows.jsonl")]), folder / "out.jsonl", journal=folder / "journal.sqlite")
    start = time.perf_counter()
    summary = asyncio.run(run(pipeline, job, flow=Flow(concurrency=64)))
    return _Sized(time.perf_counter() - start, _most_megabytes(), summary.again)


def _most_megabytes() -> float:
    """The largest resident set so far. Not `ru_maxrss`, which a process inherits from the one that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) / 1024


def _in_a_process(folder: Path) -> _Sized:
    command = [sys.executable, "-m", "bench.batch", "simulate", str(folder)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return _Sized(*json.loads(told))


def _write_many(path: Path, count: int) -> None:
    answer = "I would first ask what the feed is for, and whom it serves, before I name any model at all. " * 3
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            row = {"question": SMALL.question, "reference": SMALL.reference, "answer": f"{answer}Number {n}."}
            file.write(json.dumps(row) + "\n")


def size(rows: int) -> tuple[Figure, ...]:
    """Memory of a fresh run, and the rate at which a finished one is found again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_many(folder / "rows.jsonl", rows)
        fresh, again = _in_a_process(folder), _in_a_process(folder)
    if (fresh.again, again.again) != (0, rows):
        raise AssertionError(f"{fresh.again} and {again.again} rows were found again")
    rate = rows / again.seconds
    most = max(fresh.megabytes, again.megabytes)
    return (
        Figure(f"batch, {rows:,} rows, judge simulated: memory", f"{most:.0f} MB", "500 MB", most <= 500),
        Figure(f"the same: time ({rows / fresh.seconds:,.0f} rows/s)", f"{fresh.seconds:.0f} s", "-", True),
        Figure("the finished run again: rows found a second", f"{rate:,.0f}", "20,000", rate >= 20_000),
    )


def _journal_overhead() -> Figure:
    """What keeping one grade at a time costs, claim and look-up included."""
    body = b'"status":"ok","rationale":"' + b"x" * 5000 + b'"}'
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name) / "journal.sqlite")
        keys = [n.to_bytes(32, "big") for n in range(4096)]
        start = time.perf_counter()
        for at in range(0, len(keys), 512):
            window = keys[at : at + 512]
            journal.found(window)
            journal.claim(window)
            for key in window:
                journal.keep([(key, Grade(body, "[50.0,3,{},[],[],[1,10,0,2,0,null]]"))])
        each = 1000 * (time.perf_counter() - start) / len(keys)
        journal.close()
    return Figure("journal, each row found, claimed and kept on its own", f"{each:.2f} ms", "1 ms", each <= 1)


def measure() -> tuple[Figure, ...]:
    """Against the floor, throughput, journal, size."""
    return (_against_the_floor(), _throughput(), _journal_overhead(), *size(MANY))


if __name__ == "__main__":
    if sys.argv[1:2] == ["simulate"]:
        print(json.dumps(_simulate(Path(sys.argv[2]))))
    else:
        for figure in size(int(sys.argv[1])) if sys.argv[1:] else measure():
            print(figure)
