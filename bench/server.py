"""A chat-completions server with a fixed latency, for measuring the client: `python -m bench.server SECONDS` prints its port."""

from __future__ import annotations

import asyncio
import json
import sys

CRITERIA = ("product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication")
QUOTE = "The objective is click-through rate"
SPOILT_EVERY = 4
"""With `spoilt`, every fourth reply is cut in the middle."""


def reply(*, spoilt: bool) -> bytes:
    """A whole HTTP response; its verdicts are written by hand."""
    entries = [{"id": i, "quotes": [QUOTE], "reasoning": "Written by hand.", "level": 1} for i in CRITERIA]
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


async def serve(latency: float, *, spoilt: bool) -> None:
    """Answer for ever."""
    whole, broken = reply(spoilt=False), reply(spoilt=True)
    served = 0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                await asyncio.sleep(latency)
                served += 1
                writer.write(broken if spoilt and served % SPOILT_EVERY == 0 else whole)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), spoilt="spoilt" in sys.argv))
