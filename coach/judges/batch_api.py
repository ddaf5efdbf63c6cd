"""The provider's Batch API: a file of requests goes up, a batch is made of it, files of replies come down within a day.

A line up looks like
    {"custom_id": "5f1c...", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": [...]}}
and a line down like
    {"id": "r1", "custom_id": "5f1c...", "response": {"status_code": 200, "body": {"choices": [...]}}, "error": null}
Requests that got no reply stand in a file of their own, with `error` or a status other than 200.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from coach.errors import InputError, JudgeError, JudgeUnavailable
from coach.judges.chat import Quirks
from coach.judges.deferred import Declined
from coach.judges.endpoint import Endpoint
from coach.judges.faults import clean_words
from coach.judges.quirks import learn
from coach.judges.retry import retrying

if TYPE_CHECKING:
    from openai.types import Batch

T = TypeVar("T")

MAX_REQUESTS = 50_000
"""Requests in one file, as documented."""
MAX_BYTES = 200_000_000
"""Bytes of one file: 200 MB, as documented."""
URL: Literal["/v1/chat/completions"] = "/v1/chat/completions"
QUEUE_FULL = "token_limit_exceeded"
"""Code of a batch that failed because too many tokens wait in the account's queue already."""
TOKEN = "coach"
"""Key of the metadata under which a batch is found again."""
LOOK_BACK = 500
"""Batches, newest first, among which one is looked for by its token."""
MAX_LINE_BYTES = 4_000_000
"""A longer line of a file that came down is not read."""

Status = Literal["under_way", "done", "failed", "cancelled"]
_STATUS: dict[str, Status] = {
    "completed": "done",
    "expired": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


class Fault(NamedTuple):
    """Why a batch was not accepted."""

    code: str
    message: str
    line: int | None
    """Line of the file, from 1, where it is about one."""


class BatchState(NamedTuple):
    """A batch as the provider tells it."""

    id: str
    status: Status
    """`done` also where it expired: what was not answered in time stands among the errors."""
    told: str
    """The provider's own word for it."""
    answered: int
    files: tuple[str, ...]
    """Files of replies and errors; also a batch that was cancelled or expired may have them."""
    faults: tuple[Fault, ...]


class Line(NamedTuple):
    """A line that came down: the reply, or why there is none."""

    key: str
    body: bytes
    """The response's body where it was answered with 200, else empty."""
    status: int
    words: str
    code: str


class Again(NamedTuple):
    """A request that is worth another try."""

    reason: str
    counts: bool = True
    """Whether it counts as one of the tries."""


class BatchApi:
    """Files and batches of one endpoint.

    Args:
        endpoint: whose client is used.
        tries: HTTP requests that one call here may cost.
        sleep: how waits are spent.
    """

    def __init__(self, endpoint: Endpoint, *, tries: int, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._endpoint = endpoint
        self._tries = tries
        self._sleep = sleep

    async def upload(self, path: Path) -> str:
        """Send a file of requests; its id."""

        async def send() -> str:
            with path.open("rb") as file:
                found = await self._endpoint.client().files.create(file=(path.name, file), purpose="batch")
            return found.id

        return await self._asked(send)

    async def create(self, file_id: str, token: str) -> BatchState:
        """Make a batch of a file that was sent; never two, even where the response to the first try is lost.

        Args:
            file_id: of the file.
            token: a name of our own, by which the batch is found again.
        """

        async def send() -> Batch:
            return await self._endpoint.client().batches.create(
                input_file_id=file_id, endpoint=URL, completion_window="24h", metadata={TOKEN: token}
            )

        async for trial in retrying(self._tries, self._sleep):
            with trial:
                made = await self.find(token) if trial.retry_state.attempt_number > 1 else None
                return made or _state(await self._once(send))
        raise AssertionError("the last try raises or returns")

    async def find(self, token: str) -> BatchState | None:
        """The batch that was made under a token, if there is one."""

        async def look() -> BatchState | None:
            looked = 0
            async for batch in self._endpoint.client().batches.list(limit=100):
                if (batch.metadata or {}).get(TOKEN) == token:
                    return _state(batch)
                looked += 1
                if looked >= LOOK_BACK:
                    break
            return None

        return await self._asked(look)

    async def get(self, batch_id: str) -> BatchState:
        """How a batch is doing."""

        async def ask() -> BatchState:
            return _state(await self._endpoint.client().batches.retrieve(batch_id))

        return await self._asked(ask)

    async def download(self, file_id: str, path: Path) -> None:
        """Fetch a file of replies, a block at a time."""

        async def fetch() -> None:
            files = self._endpoint.client().files.with_streaming_response
            try:
                async with files.content(file_id) as response:
                    with path.open("wb") as file:
                        async for block in response.iter_bytes(1 << 16):
                            file.write(block)
            except OSError as error:
                raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

        await self._asked(fetch)

    async def _asked(self, call: Callable[[], Awaitable[T]]) -> T:
        async for trial in retrying(self._tries, self._sleep):
            with trial:
                return await self._once(call)
        raise AssertionError("the last try raises or returns")

    async def _once(self, call: Callable[[], Awaitable[T]]) -> T:
        import httpx2
        import openai

        try:
            return await call()
        except openai.OpenAIError as error:
            raise self._endpoint.translate(error) from None
        except httpx2.HTTPError as error:
            # The SDK translates faults of a request, not those of a body that is still being read.
            told = f"{self._endpoint.identity} broke off: {clean_words(str(error)) or type(error).__name__}"
            raise JudgeUnavailable(told) from None


def request_line(key: str, body: Mapping[str, object]) -> bytes:
    """A request as a line of a file."""
    line = {"custom_id": key, "method": "POST", "url": URL, "body": body}
    return json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"


def read_lines(path: Path) -> Iterator[Line]:
    """Lines of a file that came down; what is no such line is left out, and its request counts as unanswered."""
    with path.open("rb") as file:
        while raw := file.readline(MAX_LINE_BYTES):
            line = _line(raw)
            if line is not None:
                yield line


def _line(raw: bytes) -> Line | None:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"custom_id": str(key), "response": {"status_code": 200, "body": {**body}}}:
            return Line(key, json.dumps(body).encode("ascii"), 200, "", "")
        case {"custom_id": str(key), "response": {"status_code": int(status), **rest}}:
            return Line(key, b"", status, *_told(rest.get("body")))
        case {"custom_id": str(key), "error": {**error}}:
            return Line(key, b"", 0, *_told(error))
        case _:
            return None


def _told(body: object) -> tuple[str, str]:
    """Words and code of an error, in either of its forms."""
    match body:
        case {"error": {**error}}:
            return _told(error)
        case {**error}:
            param = f" ({error['param']})" if error.get("param") else ""
            return f"{error.get('message') or error.get('code') or 'no reason given'}{param}", str(error.get("code"))
        case _:
            return "no reason given", ""


def verdict_on(line: Line, endpoint: Endpoint, assumed: Quirks) -> bytes | Again | Declined:
    """What a line means: the reply, another try, or the end of it.

    Args:
        line: as it came down.
        endpoint: learns what it does not take.
        assumed: quirks with which the request was sent.
    """
    if line.body:
        return _verdict_on_reply(line.body, endpoint, assumed)
    if line.status == 0:
        return cancelled(endpoint) if line.code == "batch_cancelled" else Again(clean_words(line.words))
    lesson = learn(assumed, line.status, line.words)
    if lesson is not None and endpoint.take_lesson(lesson, assumed):
        return Again(clean_words(line.words), counts=False)
    error = endpoint.refusal(line.status, line.words, code=line.code)
    return Again(error.message) if error.retryable else Declined("refused", error.message, error.hint)


def _verdict_on_reply(body: bytes, endpoint: Endpoint, assumed: Quirks) -> bytes | Again:
    try:
        reply = endpoint.read(body, assumed)
    except JudgeError as error:
        return Again(error.message)
    if reply.text.strip() or reply.refusal or reply.finish != "stop":
        endpoint.spoke(reply, assumed, assumed)
        return body
    # Some servers accept a schema they cannot follow and then say nothing at all.
    return Again("an empty reply", counts=not endpoint.fell_silent(assumed))


def cancelled(endpoint: Endpoint) -> Declined:
    """Somebody called the batch off; sending it again unasked would be against their will."""
    return Declined(
        "unreachable",
        f"the batch at {endpoint.identity} was cancelled before this request was answered",
        "Run the same command again to send what is left.",
    )


def _state(batch: Batch) -> BatchState:
    counts = batch.request_counts
    found = (batch.errors.data if batch.errors else None) or []
    return BatchState(
        id=batch.id,
        status=_STATUS.get(batch.status, "under_way"),
        told=clean_words(str(batch.status)),
        answered=counts.completed + counts.failed if counts else 0,
        files=tuple(f for f in (batch.output_file_id, batch.error_file_id) if f),
        faults=tuple(Fault(clean_words(str(e.code)), clean_words(str(e.message)), e.line) for e in found),
    )
