"""A chat-completions server with a fixed latency, for measuring the client: `python -m bench.server SECONDS` prints its port."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import sys
from collections.abc import Callable, Sequence

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


def reply(criteria: Sequence[str], *, spoil: Callable[[str], str] = str) -> bytes:
    """A whole HTTP response with verdicts on what was asked for; they are written by hand."""
    entries = [{"id": i, "quotes": [QUOTE], "reasoning": "Written by hand.", "level": 1} for i in criteria]
    text = json.dumps({"criteria": entries, "points": [], "red_flags": []})
    message = {"role": "assistant", "content": spoil(text)}
    body = json.dumps(
        {
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "fixed",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 300, "total_tokens": 1800},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def asked_for(body: bytes) -> Sequence[str]:
    """The criteria a request asks for, by its prompt, since a lower rung sends no schema."""
    request = json.loads(body)
    again = re.search(r"Judge again, and only: ([^.]+)\.", request["messages"][-1]["content"])
    return tuple(again[1].split(", ")) if again else CRITERIA


async def serve(latency: float, *, spoilt: bool) -> None:
    """Answer for ever."""
    whole = reply(CRITERIA)
    chance, kinds = random.Random(4), itertools.cycle(SPOILT)

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                await asyncio.sleep(latency)
                if not spoilt:
                    writer.write(whole)
                    continue
                spoil = next(kinds) if chance.random() < SPOILT_SHARE else str
                writer.write(reply(asked_for(body), spoil=spoil))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), spoilt="spoilt" in sys.argv))
