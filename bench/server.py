"""A chat-completions server with a fixed latency, for measuring the client: `python -m bench.server SECONDS` prints its port."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import sys
from collections.abc import Awaitable, Callable, Sequence

CRITERIA = ("product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication")
QUOTE = "The objective is click-through rate"
SPOILT_SHARE = 0.25
"""With `spoilt`, each reply is malformed with this chance, independently of the others: runs of several do occur."""
SPOILT: tuple[Callable[[str], str], ...] = (
    lambda text: text[: len(text) // 2],
    lambda text: "The answer is weak on most criteria. " + text.replace('"', "'").replace(":", " ="),
    lambda text: json.dumps({"result": "see above", "grade": "B"}),
    lambda text: "",
)
"""Cut in the middle, prose, JSON of another shape, nothing at all; in turn."""

Respond = Callable[[bytes, bytes], Awaitable[bytes]]
"""From head (in lower case) and body of a request to a whole HTTP response, after any wait."""


def response(value: object) -> bytes:
    """A whole HTTP response with a value as JSON."""
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def completion(message: dict[str, object]) -> bytes:
    """A whole HTTP response with a chat completion of one message."""
    finish = "tool_calls" if "tool_calls" in message else "stop"
    return response(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "fixed",
            "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 300, "total_tokens": 1800},
        }
    )


def verdicts(criteria: Sequence[str]) -> str:
    """What our judge asks for, on some criteria; written by hand."""
    entries = [{"id": i, "quotes": [QUOTE], "reasoning": "Written by hand.", "level": 1} for i in criteria]
    return json.dumps({"criteria": entries, "points": [], "red_flags": []})


def reply(criteria: Sequence[str], *, spoil: Callable[[str], str] = str) -> bytes:
    """A whole HTTP response with verdicts on what was asked for."""
    return completion({"content": spoil(verdicts(criteria))})


def asked_for(body: bytes) -> Sequence[str]:
    """The criteria a request asks for, by its prompt, since a lower rung sends no schema."""
    request = json.loads(body)
    again = re.search(r"Judge again, and only: ([^.]+)\.", request["messages"][-1]["content"])
    return tuple(again[1].split(", ")) if again else CRITERIA


def judging(latency: float, *, spoilt: bool) -> Respond:
    """Answers our own judge."""
    whole = reply(CRITERIA)
    chance, kinds = random.Random(4), itertools.cycle(SPOILT)

    async def respond(head: bytes, body: bytes) -> bytes:
        await asyncio.sleep(latency)
        if not spoilt:
            return whole
        spoil = next(kinds) if chance.random() < SPOILT_SHARE else str
        return reply(asked_for(body), spoil=spoil)

    return respond


async def serve(respond: Respond) -> None:
    """Answer for ever, on a free port, which is printed."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length:")
                body = await reader.readexactly(int(length.split(b"\r\n")[0] or 0))
                writer.write(await respond(head, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(judging(float(sys.argv[1]), spoilt="spoilt" in sys.argv)))
