"""What `docs/scaling.md` is worked out from: `python -m bench.scaling` prints it as a table.

Work is given in processor time, which a busy machine does not change much, not in time on the clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from bench.server import CRITERIA, QUOTE
from coach.batch.engine import Engine, Flow
from coach.batch.folder import FOLDER, FolderBook, Index, scan
from coach.batch.journal import Journal
from coach.batch.keys import Keys
from coach.batch.pieces import count_lines, cut
from coach.batch.reading import find_sources, read_rows
from coach.batch.records import GradeBook
from coach.batch.rows import Entry, Row, read_entry
from coach.judgement import Usage
from coach.judges.batch_api import request_line
from coach.judges.chat import ChatReply, ChatRequest, Nowhere
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.pipeline import Pipeline
from coach.prepare import Prepared
from coach.pricing import CHARS_PER_TOKEN
from coach.prompting import render_judge_prompt

ANSWERS = Path(__file__).parent.parent / "evals" / "answers"
ROWS = 480


class Measured(NamedTuple):
    """One figure."""

    what: str
    value: float
    unit: str


class Instant(Nowhere):
    """An endpoint that answers at once: what is left is our own work."""

    def __init__(self) -> None:
        super().__init__("instant")
        self.sent: list[ChatRequest] = []
        entries = [{"id": i, "quotes": [QUOTE], "reasoning": "By hand.", "level": 1} for i in CRITERIA]
        text = json.dumps({"criteria": entries, "points": [], "red_flags": []})
        self._reply = ChatReply(text, "stop", None, Usage(calls=1), "json_schema", self.model)

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`."""
        self.sent = [request]
        await asyncio.sleep(0)
        return self._reply


def write_rows(path: Path) -> None:
    """Labelled answers, each told apart by its number."""
    lines = [line for part in sorted(ANSWERS.glob("part-*.jsonl")) for line in part.open(encoding="utf-8")]
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            row = json.loads(lines[number % len(lines)])
            answer = f"{row['answer']} {QUOTE} ({number})."
            file.write(json.dumps({"question_id": row["question_id"], "answer": answer, "id": number}) + "\n")


async def graded(pipeline: Pipeline, rows: Iterator[Row], book: GradeBook | None) -> int:
    """Run the engine and count."""
    count = 0
    async with aclosing(Engine(pipeline, rows, flow=Flow(), journal=book).outcomes()) as outcomes:
        async for outcome in outcomes:
            count += len(outcome.line) > 0
    return count


def worked(work: Callable[[], object]) -> float:
    """Milliseconds of processor time a row."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000 / ROWS


def measure(folder: Path) -> Iterator[Measured]:
    """All figures."""
    source = folder / "in.jsonl"
    write_rows(source)
    sources = find_sources([str(source)])

    def rows() -> Iterator[Row]:
        return read_rows(sources)

    offline = Pipeline(judge="offline")
    entries = [read_entry(row) for row in rows()]
    offline.prepare_many(entries[:64])
    yield Measured("an answer, on average", sum(len(e.answer.split()) for e in entries) / ROWS, "words")
    yield Measured("encode, screen and match an answer", worked(lambda: offline.prepare_many(entries)), "ms")

    journal = Journal(folder / "j.sqlite")
    yield Measured(
        "the same, offline judge, journal and output",
        worked(lambda: asyncio.run(graded(offline, rows(), journal))),
        "ms",
    )
    again = worked(lambda: asyncio.run(graded(offline, rows(), journal)))
    yield Measured("a row found again in the journal", again, "ms")
    journal.vacuum()
    yield Measured("journal", journal.info().size / ROWS / 1000, "kB a row")
    journal.close()

    llm = Pipeline(judge=LLMJudge(Instant()))
    (folder / FOLDER).mkdir()
    book = FolderBook(folder, 0, Index([]))
    yield Measured(
        "all of ours around an LLM's call, grades in a folder",
        worked(lambda: asyncio.run(graded(llm, rows(), book))),
        "ms",
    )
    book.close()
    (log,) = (folder / FOLDER).glob("*.log")
    index = Index([scan(log)])
    keys = Keys(llm)
    wanted = [keys.key(e) for e in entries]
    book = FolderBook(folder, 1, index)
    yield Measured("a row found again in the folder", worked(lambda: book.found(wanted)), "ms")
    book.close()
    yield Measured("grades in the folder", log.stat().st_size / ROWS / 1000, "kB a row")
    yield Measured("counting lines of a piece", worked(lambda: [count_lines(p) for p in cut(sources)]) * 1000, "µs")

    yield from sizes(llm, entries)


def sizes(pipeline: Pipeline, entries: list[Entry]) -> Iterator[Measured]:
    """How much is sent for an answer."""
    prepared = [p for p in pipeline.prepare_many(entries) if isinstance(p, Prepared)]
    asked = [p for p in prepared if not p.decided]
    prompts = [render_judge_prompt(p.task) for p in asked[:96]]
    chars = sum(len(p.system) + len(p.user) for p in prompts) / len(prompts)
    yield Measured("answers that need a judge at all", 100 * len(asked) / len(prepared), "%")
    yield Measured("prompt", chars / CHARS_PER_TOKEN, "tokens")
    system = sum(len(p.system) for p in prompts) / len(prompts)
    yield Measured("of it the same for all answers to one question", system / CHARS_PER_TOKEN, "tokens")
    endpoint = Instant()
    asyncio.run(LLMJudge(endpoint).judge(asked[0].task))
    line = request_line("0" * 64, Endpoint(model="m").body(endpoint.sent[0]))
    yield Measured("a request in a provider's batch", len(line) / 1000, "kB")


def main() -> None:
    """Print the table."""
    load, all_of_them = os.getloadavg()[0], os.sched_getaffinity(0)
    # One processor, as an actor on a cluster has: threads of the encoder that wait for each other would count as work.
    os.sched_setaffinity(0, {min(all_of_them)})
    sys.stdout.write(
        f"{time.strftime('%Y-%m-%d')}, one of {len(all_of_them)} processors, load {load:.1f} at the start\n\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for found in measure(Path(folder)):
            sys.stdout.write(f"| {found.what} | {found.value:.3g} {found.unit} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
