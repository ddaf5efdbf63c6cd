"""A whole run with fakes for encoder and judge."""

from __future__ import annotations

import asyncio
import json
import os

from fakes import HashEmbedder, ScriptedJudge

from coach.batch.reading import Source
from coach.batch.run import Job, Streams, run
from coach.judgement import Evidence, Judged
from coach.pipeline import Pipeline

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes."
QUOTE = Evidence(quote="the same reads repeat")
SECONDS = 20
"""For a report to come."""


async def answered_one_by_one(count: int) -> list[str]:
    """Ids of the reports that come out of a run whose rows are sent one by one, each after the report on the one before."""
    judge = ScriptedJudge(lambda id: Judged(criterion_id=id, level=2, evidence=(QUOTE,)))
    pipeline = Pipeline(judge=judge, embedder=HashEmbedder())
    (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
    reports = asyncio.StreamReader(limit=1 << 20)
    with (
        os.fdopen(their_in, "rb") as stdin,
        os.fdopen(their_out, "wb", 1 << 20) as stdout,
        os.fdopen(our_in, "rb") as out,
    ):
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reports), out
        )
        job = Job((Source(None, "jsonl"),), None)
        running = asyncio.create_task(run(pipeline, job, streams=Streams(stdin, stdout)))
        found = []
        try:
            for n in range(count):
                os.write(our_out, json.dumps({"id": f"a{n}", "question_id": "q01", "answer": f"{ANSWER} {n}"}).encode())
                os.write(our_out, b"\n")
                line = await asyncio.wait_for(reports.readline(), SECONDS)
                found.append(json.loads(line)["id"])
        finally:
            os.close(our_out)
            reading.close()
        await running
    return found


def test_a_row_of_a_stream_is_answered_before_the_next_is_sent() -> None:
    assert asyncio.run(answered_one_by_one(2)) == ["a0", "a1"]
