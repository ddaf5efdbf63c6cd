"""A real Ray cluster of two nodes on this machine, grading with a scripted server; run by `test_on_ray.py`.

    python on_cluster.py FOLDER        prints what happened as one line of JSON

A process of its own, since Ray opens sockets and warns in ways that the tests' own process refuses. Each node has one
processor, so each holds one actor. All that needs a cluster happens in one, which takes a while to start.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import ray
from batch.processes import answer
from batch.through_provider import good, number_of
from ray.cluster_utils import Cluster
from servers.scripted import Reply, Server, refused, said, scripted

from coach.batch.cluster import ClusterJob
from coach.batch.engine import Flow
from coach.batch.folder import FOLDER, scan
from coach.batch.on_ray import PACE_NAME, run_on_ray
from coach.batch.reading import find_sources
from coach.batch.run import Job, run
from coach.batch.summary import Summary
from coach.errors import InputError
from coach.pipeline import Pipeline
from coach.settings import Settings

ROWS = 64
CONCURRENCY = 2
DELAY = 0.2
"""Seconds of a reply: long enough for a node to be killed in the middle of a piece."""
STORE = 200_000_000
PER_MINUTE = 240.0
TAKES = 3
"""Calls at once that the endpoint takes while it is busy."""
AT_ONCE = 2
"""Calls at once that one run may have under way in the whole cluster."""
REFUSED = 305
"""An answer that the model does not want to judge the first time."""


class Asked:
    """The scripted judge, and when it was asked about which answer."""

    def __init__(self) -> None:
        self.delay = DELAY
        self.numbers: Counter[int] = Counter()
        self.times: list[float] = []
        self.takes: int | None = None
        self.most = self.turned_down = 0
        self._ends: list[float] = []

    def __call__(self, body: dict[str, Any]) -> Reply:
        number, now = number_of(body), time.monotonic()
        self._ends = [end for end in self._ends if end > now]
        if self.takes is not None and len(self._ends) >= self.takes:
            self.turned_down += 1
            return refused(429, "slow down", retry_after="1")
        self.numbers[number] += 1
        self.times.append(now)
        # A reply goes out at its end or later, so that whoever waits for it cannot have ended before.
        self._ends.append(now + self.delay)
        self.most = max(self.most, len(self._ends))
        if number == REFUSED and self.numbers[number] == 1:
            return said(None, refusal="I would rather not.")._replace(delay=self.delay)
        return good(body)._replace(delay=self.delay)

    def forget(self) -> None:
        self.numbers.clear()
        self.times.clear()
        self.takes = None
        self.most = self.turned_down = 0


def write_rows(path: Path, numbers: list[int]) -> None:
    rows: list[dict[str, object]] = [{"question_id": "q01", "answer": answer(n), "n": n} for n in numbers]
    rows.insert(20, {"question_id": "nope", "answer": "To no question."})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def whole(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.glob("part-*.jsonl")))


def local(source: Path, out: Path, settings: Settings, judge: str) -> bytes:
    pipeline = Pipeline(judge=judge, settings=settings)

    async def work() -> Summary:
        try:
            return await run(pipeline, Job(find_sources([str(source)]), out), flow=Flow(concurrency=CONCURRENCY))
        finally:
            await pipeline.aclose()

    asyncio.run(work())
    return out.read_bytes()


def logged(out: Path) -> Counter[int]:
    """Keys in the logs, and how often each."""
    return Counter(int(key) for path in (out / FOLDER).glob("*.log") for key in scan(path).keys)


def kill_in_the_middle(cluster: Cluster, node: Any, out: Path) -> threading.Thread:
    """Kill a node with all its processes, once two pieces have grades and neither is finished."""

    def work() -> None:
        while True:
            logs = list((out / FOLDER).glob("*.log"))
            if len(logs) >= 2 and all(len(scan(log).keys) >= 2 for log in logs):
                break
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def everything(folder: Path, server: Server, asked: Asked, cluster: Cluster) -> dict[str, Any]:
    source, out = folder / "in.jsonl", folder / "out"
    write_rows(source, list(range(ROWS)))
    settings = Settings.from_environment().with_options(base_url=server.base_url, model="scripted-1", use_cache=False)
    size = source.stat().st_size // 4 + 1
    job = ClusterJob(
        find_sources([str(source)]), out, ("llm",), settings, flow=Flow(concurrency=CONCURRENCY), piece_bytes=size
    )
    found: dict[str, Any] = {}
    start = time.monotonic()

    def lap(name: str) -> None:
        nonlocal start
        found[f"seconds_{name}"] = round(time.monotonic() - start, 1)
        start = time.monotonic()

    expected = local(source, folder / "local.jsonl", settings, "llm")
    asked.forget()
    lap("local")

    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    nodes = len([n for n in ray.nodes() if n["Alive"]])
    found |= busy(job, folder, asked)
    lap("busy")
    found |= bounded(job, folder, asked)
    lap("bounded")
    asked.forget()

    killing = kill_in_the_middle(cluster, node, out)
    summary = run_on_ray(job)
    killing.join()
    found["nodes"] = [nodes, len([n for n in ray.nodes() if n["Alive"]])]
    found["summary"] = [summary.rows, summary.judged, summary.failed]
    found["same"] = whole(out) == expected
    found["parts"] = sorted(p.name for p in out.iterdir() if p.is_file())
    found["asked"] = sorted(asked.numbers) == list(range(ROWS))
    found["asked_twice"] = sum(n - 1 for n in asked.numbers.values())
    found["logged"] = [len(logged(out)), max(logged(out).values())]
    lap("killed")

    asked.forget()
    asked.delay = 0.0
    summary = run_on_ray(job)
    found["again"] = [len(asked.numbers), summary.again, whole(out) == expected]
    lap("again")

    # A row more at the front moves every other one to another place, and some to another piece.
    write_rows(source, [ROWS, *range(ROWS)])
    run_on_ray(job._replace(piece_bytes=size * 2))
    found["moved"] = [dict(asked.numbers), whole(out).count(b"\n"), len(list(out.glob("part-*")))]
    lap("moved")

    found |= paced(job, folder, asked)
    lap("paced")
    found |= tables(job, folder)
    lap("tables")
    found |= strict(job, folder)
    lap("strict")
    return found


def in_pieces(job: ClusterJob, path: Path, numbers: list[int], pieces: int) -> ClusterJob:
    write_rows(path, numbers)
    size = path.stat().st_size // pieces + 1
    return job._replace(sources=find_sources([str(path)]), out=path.with_suffix(""), piece_bytes=size)


def busy(job: ClusterJob, folder: Path, asked: Asked) -> dict[str, Any]:
    """An endpoint that takes few calls at once, and a pace that dies in the middle."""
    job = in_pieces(job, folder / "busy.jsonl", list(range(100, 132)), 4)
    asked.forget()
    asked.takes = TAKES
    killing = kill_the_pace(asked)
    page = folder / "busy.html"
    # Each of the two halvings that it takes until few enough calls go out may cost a call a try, before and after the death.
    settings = job.settings.with_options(tries=10)
    summary = run_on_ray(job._replace(flow=Flow(concurrency=8), settings=settings, report=page))
    killing.join()
    return {
        "busy": [summary.rows, summary.judged, summary.failed],
        "busy_asked": [len(asked.numbers), max(asked.numbers.values()), asked.most],
        "busy_turned_down": asked.turned_down,
        "pages": [page.is_file(), len(list((folder / "busy_rows").glob("*/*.html")))],
    }


def kill_the_pace(asked: Asked) -> threading.Thread:
    """Kill the actor that keeps the pace, once some rows are judged."""

    def work() -> None:
        while len(asked.numbers) < 8:
            time.sleep(0.02)
        (name,) = (n for n in ray.util.list_named_actors() if n.startswith(PACE_NAME))
        ray.kill(ray.get_actor(name), no_restart=False)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def bounded(job: ClusterJob, folder: Path, asked: Asked) -> dict[str, Any]:
    """Few calls at once in the whole cluster, and failed rows gone over again."""
    job = in_pieces(job, folder / "bounded.jsonl", list(range(300, 320)), 4)
    asked.forget()
    told: list[str] = []
    summary = run_on_ray(
        job._replace(flow=Flow(concurrency=8), concurrency=AT_ONCE, retry_failed=True), tell=told.append
    )
    return {
        "bounded": asked.most,
        "retried": [summary.rows, summary.judged, summary.failed, summary.again],
        "retried_asked": {str(n): count for n, count in asked.numbers.items() if count > 1},
        "retried_told": told,
    }


def strict(job: ClusterJob, folder: Path) -> dict[str, Any]:
    """A bad row ends the run."""
    job = in_pieces(job, folder / "strict.jsonl", [400], 1)
    try:
        run_on_ray(job._replace(judges=("offline",), strict=True))
    except InputError as error:
        return {"strict": [error.message, sorted(p.name for p in job.out.iterdir() if p.is_file())]}
    return {"strict": None}


def paced(job: ClusterJob, folder: Path, asked: Asked) -> dict[str, Any]:
    """Few rows at a low rate."""
    asked.forget()
    path = folder / "few.jsonl"
    write_rows(path, list(range(200, 208)))
    run_on_ray(job._replace(sources=find_sources([str(path)]), out=folder / "paced", per_minute=PER_MINUTE))
    times = sorted(asked.times)
    return {"paced": [len(times), round(times[-1] - times[0], 2)]}


def tables(job: ClusterJob, folder: Path) -> dict[str, Any]:
    """Parquet in, Parquet out, with the offline judge."""
    path, out = folder / "in.parquet", folder / "tables"
    table = pa.table({"question_id": ["q01"] * 9, "answer": [answer(n) for n in range(9)], "n": list(range(9))})
    pq.write_table(table, path, row_group_size=3)
    run_on_ray(
        job._replace(
            sources=find_sources([str(path)]), out=out, judges=("offline",), out_format="parquet", piece_rows=3
        )
    )
    expected = local(path, folder / "local.jsonl", job.settings, "offline").decode("utf-8")
    parts = [pq.read_table(p) for p in sorted(out.glob("part-*.parquet"))]
    reports = [r for part in parts for r in part["report"].to_pylist()]
    return {"tables": [len(parts), "\n".join(reports) + "\n" == expected, str(parts[0]["n"].type)]}


def main(folder: Path) -> None:
    asked = Asked()
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    begun = time.monotonic()
    cluster = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=cluster.address, logging_level="error", log_to_driver=False)
    started = time.monotonic() - begun
    try:
        with scripted(asked) as server:
            found = everything(folder, server, asked, cluster)
    finally:
        ray.shutdown()
        cluster.shutdown()
    sys.stdout.write(json.dumps(found | {"seconds_start": round(started, 1)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
