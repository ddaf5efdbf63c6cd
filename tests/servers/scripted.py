"""A local HTTP server that answers chat completions by a script: real sockets, real faults, no model.

Texts in its replies are written by hand for the tests; no model gave them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """One HTTP response; `cut` closes the connection after that many bytes of the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it
    delay: float = 0.0
    cut: int | None = None


Script = list[Reply] | Callable[[dict[str, Any]], Reply]


def said(content: str | None, *, finish: str = "stop", refusal: str | None = None, **usage: Any) -> Reply:
    """A completion that says `content`."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    told = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, **usage}
    return Reply(
        body={
            "id": "c1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted-1",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": told,
        }
    )


def refused(status: int, message: str, *, param: str | None = None, **headers: str) -> Reply:
    """An error in the common form."""
    error = {"message": message, "type": "error", "param": param, "code": None}
    return Reply(status, {"error": error}, {k.replace("_", "-"): v for k, v in headers.items()})


class Server:
    """The running server: where it is and what it was asked."""

    def __init__(self, script: Script) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._script = script
        self._lock = threading.Lock()

    base_url: str = ""

    def answer(self, body: dict[str, Any], headers: dict[str, str]) -> Reply:
        with self._lock:
            self.requests.append(body)
            self.headers.append(headers)
            if callable(self._script):
                return self._script(body)
            # The last reply is given again and again: a permanent fault is one line of script.
            return self._script.pop(0) if len(self._script) > 1 else self._script[0]


@contextmanager
def scripted(script: Script) -> Iterator[Server]:
    """Run a server on a free port of the loopback."""
    server = Server(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            self._send(server.answer(json.loads(self.rfile.read(length)), dict(self.headers)))

        def do_GET(self) -> None:
            self._send(Reply(body={"object": "list", "data": [{"id": "scripted-1", "object": "model"}]}))

        def _send(self, reply: Reply) -> None:
            time.sleep(reply.delay)
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                streams = "x-stream" in reply.headers
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "text/event-stream" if streams else "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: reply.cut])
                if reply.cut is not None:
                    self.close_connection = True
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    http = Quiet(("127.0.0.1", 0), Handler)
    server.base_url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
