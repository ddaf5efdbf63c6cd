"""A chat-completions server with a fixed latency, for measuring the client: `python -m bench.server SECONDS` prints its port."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

CRITERIA = ("product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication")
QUOTE = "The objective is click-through rate"
SPOILT_EVERY = 4
"""With `spoilt`, every fourth reply is cut in the middle."""


def reply(criteria: Sequence[str], *, spoilt: bool) -> bytes:
    """A whole HTTP response with verdicts on what was asked for; they are written by hand."""
    entries = [{"id": i, "quotes": [QUOTE], "reasoning": "Written by hand.", "level": 1} for i in criteria]
    text = json.dumps({"criteria": entries, "points": [], "red_flags": []})
    message = {"role": "assistant", "content": text[: len(text) // 2] if spoilt else text}
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
    """The criteria a request asks for, by its schema."""
    schema = json.loads(body)["response_format"]["json_schema"]["schema"]
    return tuple(schema["properties"]["criteria"]["items"]["properties"]["id"]["enum"])


async def serve(latency: float, *, spoilt: bool) -> None:
    """Answer for ever."""
    whole = reply(CRITERIA, spoilt=False)
    served = 0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                await asyncio.sleep(latency)
                served += 1
                cut = served % SPOILT_EVERY == 0
                writer.write(reply(asked_for(body), spoilt=cut) if spoilt else whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), spoilt="spoilt" in sys.argv))
