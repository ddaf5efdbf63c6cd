"""The fixed-latency server for every library: `python -m bench.peers.server SECONDS [counting]` prints its port.

`/FORM/v1` is a base URL whose replies have the form of `bench.peers.replies`. `/counts` tells what was asked since the last
time it was. With `counting`, requests are read too; without, the server does as little as it can.
"""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.request
from typing import NamedTuple

from bench.peers.replies import REPLIES
from bench.server import Respond, completion, response, serve


class Counts(NamedTuple):
    """What was asked."""

    requests: int = 0
    characters: int = 0
    """Of the messages, schemas and tools left out; 0 where the server does not count."""
    at_once: int = 0
    """The most requests under way at the same time."""


def counts(base_url: str) -> Counts:
    """Ask the server, and set it to zero."""
    with urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/counts", timeout=30) as told:
        return Counts(*json.load(told))


def characters(body: bytes) -> int:
    """Characters of a request's messages, whose content is text or a list of parts."""
    found = 0
    for message in json.loads(body)["messages"]:
        content = message["content"]
        found += len(content) if isinstance(content, str) else sum(len(part.get("text", "")) for part in content)
    return found


def replying(latency: float, *, counting: bool) -> Respond:
    """Answers in the form that the path names; the path of an unknown form gets a completion that no library can read."""
    replies = {form: completion(message) for form, message in REPLIES.items()}
    unknown = completion({"content": ""})
    asked, under_way = Counts(), 0

    async def respond(head: bytes, body: bytes) -> bytes:
        nonlocal asked, under_way
        path = head.split(b" ", 2)[1].decode()
        if path == "/counts":
            told, asked = asked, Counts()
            return response(told)
        under_way += 1
        read = characters(body) if counting else 0
        asked = Counts(asked.requests + 1, asked.characters + read, max(asked.at_once, under_way))
        await asyncio.sleep(latency)
        under_way -= 1
        return replies.get(path.split("/")[1], unknown)

    return respond


if __name__ == "__main__":
    asyncio.run(serve(replying(float(sys.argv[1]), counting="counting" in sys.argv)))
