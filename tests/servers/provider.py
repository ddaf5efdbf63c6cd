"""A local server with a provider's files and batches, as OpenAI's API documents them, beside chat completions.

What each request in a batch gets is scripted; texts in replies are written by hand.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

from servers.scripted import Reply

PAGE = 2
"""Batches of a page of the listing, so that there is more than one."""


class Course(NamedTuple):
    """How one batch goes: a status for each look at it; the last one stays."""

    statuses: tuple[str, ...] = ("validating", "in_progress", "finalizing", "completed")
    unanswered: int = 0
    """Requests at the end of the file that get no reply in time, where it expires or is cancelled."""
    errors: tuple[dict[str, Any], ...] = ()
    """Why it failed."""


class Answer(NamedTuple):
    """What one request gets: a response with a status, or an error instead of one, or a line that is no JSON."""

    reply: Reply | None = None
    error: dict[str, Any] | None = None
    raw: bytes | None = None


Script = Callable[[dict[str, Any]], Reply | Answer]


class Provider:
    """The running server: what it holds and what it was asked."""

    def __init__(self, script: Script, courses: list[Course], hold: Callable[[str], None]) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        """How often each custom id came in a batch that was accepted."""
        self.direct: list[dict[str, Any]] = []
        """Bodies of chat completions outside of batches."""
        self.base_url = ""
        self._script, self._courses, self._hold = script, courses, hold
        self._looks: Counter[str] = Counter()
        self._taken: dict[str, Course] = {}
        self._lock = threading.Lock()

    def lines(self, file_id: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[file_id].splitlines()]

    def upload(self, body: bytes, kind: str) -> Reply:
        boundary = kind.split("boundary=")[1].strip('"').encode()
        parts = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            name = re.search(rb'name="([^"]+)"', head)
            assert name is not None
            parts[name[1].decode()] = content[:-2]
        assert parts["purpose"] == b"batch"
        with self._lock:
            file_id = f"file-{len(self.files)}"
            self.files[file_id] = parts["file"]
        self._hold("uploaded")
        return Reply(body={"id": file_id, "object": "file", "bytes": len(parts["file"]), "created_at": 0, "filename": "f",
                           "purpose": "batch", "status": "processed"})  # fmt: skip

    def create(self, body: dict[str, Any]) -> Reply:
        assert body["completion_window"] == "24h"
        lines = self.lines(body["input_file_id"])
        assert all(line["url"] == body["endpoint"] == "/v1/chat/completions" for line in lines)
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert all(len(line["custom_id"]) <= 64 for line in lines)
        with self._lock:
            batch_id = f"batch_{len(self.batches)}"
            self._taken[batch_id] = self._courses.pop(0) if self._courses else Course()
            self.batches[batch_id] = {
                "id": batch_id,
                "object": "batch",
                "endpoint": body["endpoint"],
                "input_file_id": body["input_file_id"],
                "completion_window": "24h",
                "created_at": 0,
                "status": "validating",
                "metadata": body.get("metadata"),
                "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            }
            if not self._taken[batch_id].errors:
                self.asked.update(line["custom_id"] for line in lines)
        self._hold("created")
        return Reply(body=self.batches[batch_id])

    def look(self, batch_id: str) -> Reply:
        batch, course = self.batches[batch_id], self._taken[batch_id]
        with self._lock:
            at = min(self._looks[batch_id], len(course.statuses) - 1)
            self._looks[batch_id] += 1
            if batch["status"] != course.statuses[at]:
                batch["status"] = course.statuses[at]
                if batch["status"] in {"completed", "expired", "cancelled"}:
                    self._finish(batch, course)
                if batch["status"] == "failed":
                    batch["errors"] = {"object": "list", "data": list(course.errors)}
        self._hold("looked")
        return Reply(body=batch)

    def _finish(self, batch: dict[str, Any], course: Course) -> None:
        lines = self.lines(batch["input_file_id"])
        answered = lines[: len(lines) - course.unanswered]
        outputs: list[bytes] = []
        errors: list[bytes] = []
        for number, line in enumerate(answered):
            found = self._script(line["body"])
            answer = found if isinstance(found, Answer) else Answer(found)
            if answer.raw is not None:
                outputs.append(answer.raw)
                continue
            response = answer.reply and {
                "status_code": answer.reply.status,
                "request_id": f"r{number}",
                "body": answer.reply.body,
            }
            told = {"id": f"r{number}", "custom_id": line["custom_id"], "response": response, "error": answer.error}
            good = answer.reply is not None and answer.reply.status == 200
            (outputs if good else errors).append(json.dumps(told).encode())
        code = f"batch_{batch['status']}"
        for line in lines[len(answered) :]:
            error = {
                "code": code,
                "message": "This request could not be executed before the completion window expired.",
            }
            told = {"id": "r", "custom_id": line["custom_id"], "response": None, "error": error}
            errors.append(json.dumps(told).encode())
        # Providers give results in no order.
        for name, found_lines in (("output_file_id", outputs[::-1]), ("error_file_id", errors)):
            if found_lines:
                file_id = f"{name}-{batch['id']}"
                self.files[file_id] = b"\n".join(found_lines) + b"\n"
                batch[name] = file_id
        batch["request_counts"] = {"total": len(lines), "completed": len(outputs), "failed": len(errors)}

    def listing(self, after: str | None) -> Reply:
        ids = list(self.batches)[::-1]
        rest = ids[ids.index(after) + 1 :] if after else ids
        page = rest[:PAGE]
        data = [self.batches[i] for i in page]
        return Reply(body={"object": "list", "data": data, "has_more": len(rest) > PAGE})

    def post(self, path: str, raw: bytes, kind: str) -> Reply:
        if path == "/v1/files":
            return self.upload(raw, kind)
        if path == "/v1/batches":
            return self.create(json.loads(raw))
        self.direct.append(json.loads(raw))
        found = self._script(json.loads(raw))
        assert isinstance(found, Reply)
        return found

    def get(self, url: SplitResult) -> Reply:
        if match := re.fullmatch(r"/v1/batches/(.+)", url.path):
            return self.look(match[1])
        if url.path == "/v1/batches":
            return self.listing(parse_qs(url.query).get("after", [None])[0])
        if match := re.fullmatch(r"/v1/files/(.+)/content", url.path):
            self._hold("fetched")
            return Reply(body=self.files[match[1]])
        return Reply(404, {"error": {"message": "no such path"}})


@contextmanager
def provider(
    script: Script, courses: list[Course] | None = None, *, hold: Callable[[str], None] = lambda step: None
) -> Iterator[Provider]:
    """Run it on a free port of the loopback. `hold` is called when a step is done and before it is answered."""
    server = Provider(script, list(courses or []), hold)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            self._send(server.post(self.path, raw, self.headers.get("content-type", "")))

        def do_GET(self) -> None:
            self._send(server.get(urlsplit(self.path)))

        def _send(self, reply: Reply) -> None:
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
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
