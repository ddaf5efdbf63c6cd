"""A run through a provider's batches: sweep over the rows, send what the judge asks, wait, take in, and sweep again.

    rows -> engine -> judge -> box -> files -> provider
              ^                 |
              `---- replies ----'        and once nothing is open any more, the ordinary run writes the output

A row whose replies are all there is graded and kept in the journal, under the key it has in any other run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing
from hashlib import sha256
from pathlib import Path

from coach.batch.engine import Engine, Flow
from coach.batch.journal import Journal
from coach.batch.matched import read_once
from coach.batch.outbox import Limits, Outbox
from coach.batch.reading import read_rows
from coach.batch.request_files import File
from coach.batch.run import Job, Streams, Watch, run
from coach.batch.summary import Done, Summary, Tally
from coach.errors import InputError, JournalError, JudgeRefused
from coach.judgement import Usage
from coach.judges.batch_api import (
    QUEUE_FULL,
    Again,
    BatchApi,
    BatchState,
    Fault,
    cancelled,
    read_lines,
    verdict_on,
)
from coach.judges.budget import required_price
from coach.judges.deferred import Declined, DeferredEndpoint
from coach.judges.endpoint import Endpoint
from coach.pipeline import Pipeline
from coach.pricing import add_usage

FIRST_POLL, LONGEST_POLL = 1.0, 60.0
"""Seconds between looks at a batch, doubled each time."""
PROBE_FROM = 100
"""Rows from which on the first request is asked for directly, to learn what the model does not take."""
_LOCK = sha256(b"provider's batches").digest()


class Post:
    """The way to the provider.

    Args:
        journal: where requests are written down; the same in which grades are kept.
        limits: see `Limits`.
        probe: see `DeferredEndpoint`.
        tell: told in words what happens.
        sleep: how waits are spent.
    """

    def __init__(
        self,
        journal: Path,
        *,
        limits: Limits | None = None,
        probe: bool = False,
        tell: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.tell, self.sleep = tell, sleep
        self.limits = limits or Limits()
        # The journal makes the file, and says what is wrong where it is none.
        Journal(journal).close()
        self.outbox = Outbox(journal, self.limits)
        self._probe = probe
        self.unread = Usage()
        """What was paid for in this pass and could not be used."""
        self._endpoints: dict[str, DeferredEndpoint] = {}

    def wrap(self, endpoint: Endpoint) -> DeferredEndpoint:
        """What `make_judge` puts between judge and endpoint.

        Raises:
            InputError: there is a cost cap, and the model has no price.
        """
        if self.limits.max_cost is not None:
            required_price(endpoint.model, endpoint.price)
        deferred = DeferredEndpoint(endpoint, self.outbox, probe=self._probe)
        return self._endpoints.setdefault(deferred.address, deferred)

    def sending(self, *, wanted: bool) -> None:
        """Whether requests are put into the box; where not, one that has no reply is an error."""
        for deferred in self._endpoints.values():
            deferred.final = not wanted

    def close(self) -> None:
        """Close the box."""
        self.outbox.close()

    def endpoint(self, file: File) -> Endpoint:
        """Where a file goes.

        Raises:
            JournalError: it was made for a model that this run does not ask.
        """
        found = self._endpoints.get(file.address)
        if found is None:
            raise JournalError(
                f"the journal {self.outbox.path} still waits for batches of {file.address}",
                hint="Run the command they were sent by to its end, or name another --journal.",
            )
        return found.endpoint

    def api(self, file: File) -> BatchApi:
        """The Batch API where a file goes."""
        return BatchApi(self.endpoint(file), tries=self.limits.tries, sleep=self.sleep)

    @property
    def used(self) -> bool:
        """Whether any judge asks an endpoint."""
        return bool(self._endpoints)


async def run_by_provider(
    pipeline: Pipeline,
    job: Job,
    *,
    post: Post,
    flow: Flow | None = None,
    streams: Streams | None = None,
    watch: Watch | None = None,
    before: Done | None = None,
) -> Summary:
    """`run`, with the judge's requests going through the provider's batches.

    Raises:
        InputError: the rows are a stream, which cannot be gone over again; else as `run`.
        JournalError: another process works on this journal's batches.
        JudgeError: the provider does not accept the batches, or cannot be reached.
    """
    if not post.used:
        raise InputError("--via batch-api needs an LLM judge", hint="Add --judge llm, with a key or --base-url.")
    if any(s.path is None for s in job.sources):
        raise InputError("--via batch-api goes over the rows several times", hint="Name files in place of -.")
    # A row waits only while its request is put into the box, and many that fail together fail for reasons of their own.
    # So do those without money: the replies that others need may be there, and are paid for.
    flow = (flow or Flow())._replace(gives_up=False, ends_at_cap=False)
    with closing(Journal(post.outbox.path)) as journal, read_once(pipeline, post.outbox.path) as book:
        if not journal.claim([_LOCK]):
            raise JournalError(
                f"another process is at work on the batches of {journal.path}",
                hint="Let it finish; what it brings is found there.",
            )
        post.outbox.go_on(anew=flow.since > 0)
        post.unread = Usage()
        post.sending(wanted=True)
        try:
            swept = await _collect(pipeline, job, post, flow, journal)
        finally:
            if waiting := post.outbox.files.in_state("uploaded", "created"):
                sent = sum(f.requests for f in waiting)
                post.tell(f"{sent} requests are with the provider; the same command again goes on waiting for them.")
        post.sending(wanted=False)
        done = (before or Done()).and_then(swept).and_then(Done(usage=post.unread))
        # The last pass finds all it needs in the journal.
        summary = await run(pipeline, job, flow=flow, streams=streams, watch=watch, before=done)
        post.outbox.clear()
        book.clear()
    return summary


async def _collect(pipeline: Pipeline, job: Job, post: Post, flow: Flow, journal: Journal) -> Done:
    """Until nothing is open: every request of every row answered or given up."""
    swept = Done()
    while True:
        swept = swept.and_then(await _sweep(pipeline, job, post, flow, journal))
        await _send(post, all=True)
        if not post.outbox.files.in_state("created"):
            return swept
        await _wait(post)


async def _sweep(pipeline: Pipeline, job: Job, post: Post, flow: Flow, journal: Journal) -> Done:
    """Every row once: graded where its replies are there, else its next request is put into the box."""
    tally = Tally()
    engine = Engine(pipeline, read_rows(job.sources), flow=flow, journal=journal, tell=post.tell)
    async with aclosing(engine.outcomes()) as outcomes:
        async for outcome in outcomes:
            tally.add(outcome)
            if post.outbox.files.full():
                await _send(post, all=False)
    # What rows cost whose grades are not kept is counted by the last pass, which reads the same replies.
    return tally.done._replace(usage=tally.done.kept_usage)


# --- to the provider ------------------------------------------------------------------------------------------------


async def _send(post: Post, *, all: bool) -> None:
    """Send files up and have batches made of them. A file is written down as sent before a batch is made of it."""
    for file in post.outbox.files.to_send(all=all):
        api = post.api(file)
        made = None
        if file.state == "uploaded" and file.file_id:
            file_id = file.file_id
            made = await api.find(file.token)
        else:
            file_id = await api.upload(post.outbox.files.spool_path(file.token))
            post.outbox.files.uploaded(file, file_id)
        state = made or await api.create(file_id, file.token)
        post.outbox.files.created(file, state.id)
        post.tell(f"Sent {file.requests} requests as {state.id}.")


# --- from the provider ----------------------------------------------------------------------------------------------


async def _wait(post: Post) -> None:
    """Look at batches now and then until all are over, and take in what they bring."""
    pause = FIRST_POLL
    told: dict[int, str] = {}
    while files := post.outbox.files.in_state("created"):
        await post.sleep(pause)
        pause = min(2 * pause, LONGEST_POLL)
        for file in files:
            state = await post.api(file).get(str(file.batch_id))
            words = f"{state.id}: {state.told}, {state.answered} of {file.requests} answered"
            if words != told.get(file.number):
                post.tell(words)
                told[file.number] = words
            if state.status != "under_way":
                await _take_in(post, file, state)
                if state.status != "failed":
                    # There may be room now for batches that the provider's queue had none for.
                    await _send(post, all=False)


async def _take_in(post: Post, file: File, state: BatchState) -> None:
    """Keep all that a batch brought, and decide what becomes of the requests that it brought nothing for."""
    for file_id in state.files:
        path = post.outbox.path.with_name(f"{post.outbox.files.spool_path(file.token).name}.replies")
        try:
            await post.api(file).download(file_id, path)
            post.outbox.take(file, _verdicts(post, file, path))
        finally:
            path.unlink(missing_ok=True)
    if state.status == "failed":
        _after_failure(post, file, state)
        return
    rest = cancelled(post.endpoint(file)) if state.status == "cancelled" else Again(f"{state.id} brought no reply")
    missing = post.outbox.done(file, rest)
    if missing:
        post.tell(f"{state.id} ({state.told}) brought nothing for {missing} requests.")


def _verdicts(post: Post, file: File, path: Path) -> Iterator[tuple[str, bytes | Again | Declined, float | None]]:
    endpoint = post.endpoint(file)
    for line in read_lines(path):
        found = verdict_on(line, endpoint, file.quirks)
        usage = endpoint.usage_in(line.body, batch=True)
        if usage is None:
            yield line.key, found, None if isinstance(found, bytes) else 0.0
            continue
        if not isinstance(found, bytes):
            post.unread = add_usage(post.unread, usage)
        yield line.key, found, usage.cost_usd or 0.0


def _after_failure(post: Post, file: File, state: BatchState) -> None:
    """Decide what becomes of the requests of a batch that was not accepted.

    Raises:
        JudgeRefused: the whole batch is at fault, not some lines of it.
    """
    faults = state.faults or (Fault("", "no reason given", None),)
    first = faults[0]
    if any(f.code == QUEUE_FULL for f in faults):
        others = len(post.outbox.files.in_state("created")) > 1
        post.tell(f"{state.id}: the provider's queue is full; its {file.requests} requests are sent later.")
        if others:
            post.outbox.files.queue_again(file)
            return
        if post.outbox.files.smaller(file):
            post.outbox.done(file, Again(first.message, counts=False))
            return
    lines = {f.line: f for f in faults if f.line is not None}
    keyed = [(key, fault) for line, fault in lines.items() if (key := post.outbox.key_at(file, line))]
    post.outbox.take(file, ((key, Declined("refused", f"line refused: {f.message}"), 0.0) for key, f in keyed))
    post.outbox.done(file, Again(first.message))
    if not keyed:
        raise JudgeRefused(
            f"{file.address} did not accept the batch {state.id}: {first.message} ({first.code})",
            hint="Mend what it says and run the same command again, or run it without --via.",
        )
