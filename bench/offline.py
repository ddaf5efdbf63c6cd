"""`coach batch --judge offline` against its own two networks run bare on the same texts, in one session."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure
from coach.bank import QuestionBank, load_bank
from coach.batch.reading import find_sources
from coach.batch.run import Job, run
from coach.embed import OnnxEmbedder
from coach.encoder_export import open_graph, processors
from coach.judges.cross_encoder import GRAPH, Window, inputs, load_tokenizer, windows
from coach.judges.decision import DATA
from coach.judges.offline import OfflineJudge
from coach.pipeline import Pipeline
from coach.precision import Bf16Embedder, make_encoder
from coach.segment import segment
from coach.settings import Settings

ANSWERS = 400
TRIED = 24
"""Windows that the two ways to run the cross-encoder are tried with."""
LABELLED = Path(__file__).parent.parent / "evals" / "answers"


class _Time(NamedTuple):
    """Seconds on the clock, and of processors."""

    wall: float
    cpu: float

    def plus(self, other: _Time) -> _Time:
        return _Time(self.wall + other.wall, self.cpu + other.cpu)


def _timed(work: Callable[[], object]) -> _Time:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return _Time(time.perf_counter() - wall, time.process_time() - cpu)


def _rows(count: int) -> list[dict[str, str]]:
    """Labelled answers to questions of the bank, evenly from all files."""
    found = [
        json.loads(line)
        for path in sorted(LABELLED.glob("part-*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    known = load_bank().ids
    usable = [{k: r[k] for k in ("id", "question_id", "answer")} for r in found if r.get("question_id") in known]
    return usable[:: max(1, len(usable) // count)][:count]


class _Bare:
    """Both networks and all they read, ready to run."""

    def __init__(self, encoder: OnnxEmbedder | Bf16Embedder) -> None:
        self._encoder = encoder
        self._all_threads = open_graph(DATA / GRAPH)
        self._one_thread = open_graph(DATA / GRAPH, threads=1)
        self._beside = False

    def choose(self, some: Sequence[Window]) -> str:
        """Take the faster way to run the cross-encoder."""
        for beside in (True, False):
            self._read(some[:2], beside=beside)
        self._beside = (
            _timed(lambda: self._read(some, beside=True)).wall <= _timed(lambda: self._read(some, beside=False)).wall
        )
        return f"{processors()} passes of one thread at once" if self._beside else "one pass at a time"

    def passes(self, rows: Sequence[dict[str, str]], bank: QuestionBank) -> _Time:
        """Time of every pass that these rows take, and of nothing else."""
        texts = [t for r in rows for t in (*(s.text for s in segment(r["answer"])), r["answer"])]
        tokens, read = self._encoder.tokens(texts), read_windows(rows, bank)
        encoding = _timed(lambda: self._encoder.encode_tokens(tokens))
        return encoding.plus(_timed(lambda: self._read(read, beside=self._beside)))

    def _read(self, read: Sequence[Window], *, beside: bool) -> None:
        if not beside:
            for window in read:
                self._all_threads.run(None, inputs(window))
            return
        with ThreadPoolExecutor(processors()) as pool:
            list(pool.map(lambda w: self._one_thread.run(None, inputs(w)), read))


def read_windows(rows: Sequence[dict[str, str]], bank: QuestionBank) -> list[Window]:
    """What the cross-encoder reads of some rows."""
    found: list[Window] = []
    for row in rows:
        question = bank.question(row["question_id"])
        found += windows(load_tokenizer(), question.question, [p.text for p in question.points], row["answer"])
    return found


def _batch(pipeline: Pipeline, rows: Sequence[dict[str, str]], folder: Path, name: str) -> _Time:
    source, out = folder / f"{name}.jsonl", folder / f"{name}-out.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    job = Job(find_sources([str(source)]), out, journal=folder / f"{name}.sqlite")
    return _timed(lambda: asyncio.run(run(pipeline, job)))


def measure(count: int = ANSWERS) -> tuple[Figure, ...]:
    """The batch as a whole between the two halves of the bare passes, so that a machine that slows down slows both."""
    settings, bank, rows = Settings.from_environment(), load_bank(), _rows(count)
    encoder = make_encoder(settings.precision, settings.cache_dir, many=True)
    if not isinstance(encoder, OnnxEmbedder | Bf16Embedder):
        raise AssertionError(f"{encoder.name} cannot be run bare")
    bare = _Bare(encoder)
    way = bare.choose(read_windows(rows[:TRIED], bank))
    pipeline = Pipeline(judge=OfflineJudge(), embedder=encoder)
    half = len(rows) // 2
    with tempfile.TemporaryDirectory() as name:
        _batch(pipeline, rows[:8], Path(name), "warm")
        first = bare.passes(rows[:half], bank)
        whole = _batch(pipeline, rows, Path(name), "whole")
        passes = first.plus(bare.passes(rows[half:], bank))
    ratio = passes.wall / whole.wall
    told = f"{len(rows) / whole.wall:.1f} of {len(rows) / passes.wall:.1f} answers/s"
    return (
        Figure(
            f"batch, {len(rows)} labelled answers judged offline, journal on: rate against its networks' passes run bare "
            f"({encoder.name}; {way})",
            f"{ratio:.2f} ({told})",
            "0.85",
            ratio >= 0.85,
        ),
        Figure(
            "the same in processor time",
            f"{passes.cpu / whole.cpu:.2f} ({1000 * passes.cpu / len(rows):.0f} of {1000 * whole.cpu / len(rows):.0f} ms)",
            "-",
            True,
        ),
    )


if __name__ == "__main__":
    for figure in measure(*(int(a) for a in sys.argv[1:2])):
        print(figure)
