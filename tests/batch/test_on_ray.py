"""A Ray cluster of two nodes, one of them killed in the middle, where the extra `ray` is installed; and what needs no cluster."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from batch.through_provider import good
from fakes import HashEmbedder
from servers.scripted import Reply, refused, scripted

from coach.batch.cluster import ClusterJob, tidy
from coach.batch.on_machine import pipeline_of, stop_at_failure
from coach.batch.on_ray import run_on_ray
from coach.batch.outcome import Failure, Outcome, Result
from coach.batch.reading import find_sources
from coach.batch.rows import Row
from coach.cli import main
from coach.errors import InputError, JudgeRefused
from coach.judges.governed import SharedPace
from coach.judges.pace import START
from coach.judges.permits import Heard, Lease, Permits
from coach.pipeline import Pipeline
from coach.settings import Settings

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")
ROW = '{"question_id": "q01", "answer": "x"}\n'
PATIENT = {
    # A busy machine starts Ray slowly; a node that was killed should be missed soon.
    "RAY_raylet_start_wait_time_s": "240",
    "RAY_worker_register_timeout_seconds": "240",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "4",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's own is 15, with which nothing moves beside other work.
    "RAY_worker_niceness": "0",
}
SLACK = 1.6
"""How much slower than its rate, and no faster, a paced run may be on a busy machine."""


def job(out: Path, *sources: Path, judge: str = "offline", settings: Settings | None = None, **more: Any) -> ClusterJob:
    return ClusterJob(
        find_sources([str(s) for s in sources]), out, (judge,), settings or Settings.from_environment(), **more
    )


@pytest.fixture(scope="module")
def happened(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> dict[str, Any]:
    """All that needs a cluster, done once."""
    if find_spec("ray") is None:
        pytest.skip("needs the extra `ray`")
    folder = tmp_path_factory.mktemp("cluster")
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    env = os.environ | PATIENT | {"PYTHONPATH": paths, "COACH_CACHE_DIR": str(shared_cache), "HF_HUB_OFFLINE": "1"}
    script = Path(__file__).parent / "on_cluster.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False, env=env, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_node_was_killed_in_the_middle(happened: dict[str, Any]) -> None:
    assert happened["nodes"] == [2, 1]


def test_nothing_is_lost_and_nothing_there_twice(happened: dict[str, Any]) -> None:
    assert happened["summary"] == [65, 64, 1]
    assert happened["same"], "the parts differ from what the local engine writes"
    assert happened["parts"] == ["_SUCCESS", *(f"part-{n:05d}.jsonl" for n in range(4))]


def test_no_finished_grade_was_made_again(happened: dict[str, Any]) -> None:
    assert happened["logged"] == [64, 1]
    assert happened["asked"]
    # What was at the judge when the node was killed had to be asked again: two answers, as many as an actor has there.
    assert happened["asked_twice"] <= 2


def test_the_same_run_again_asks_nothing(happened: dict[str, Any]) -> None:
    assert happened["again"] == [0, 64, True]


def test_a_row_more_asks_for_that_row_only_wherever_the_others_go(happened: dict[str, Any]) -> None:
    assert happened["moved"] == [{"64": 1}, 66, 3]


def test_the_cluster_keeps_to_one_rate(happened: dict[str, Any]) -> None:
    count, seconds = happened["paced"]
    assert count == 8
    assert seconds >= (count - 1) * 60 / 240 / SLACK


def test_parquet_in_parquet_out_with_the_grades_of_the_local_engine(happened: dict[str, Any]) -> None:
    assert happened["tables"] == [3, True, "int64"]


def test_a_busy_endpoint_and_a_pace_that_dies_cost_no_row(happened: dict[str, Any]) -> None:
    assert happened["busy"] == [33, 32, 1]


def test_the_endpoint_had_to_turn_calls_down_and_took_as_many_as_it_takes(happened: dict[str, Any]) -> None:
    assert happened["busy_turned_down"] > 0
    assert happened["busy_asked"] == [32, 1, 3]


def test_a_report_has_a_page_for_every_row_of_all_parts(happened: dict[str, Any]) -> None:
    assert happened["pages"] == [True, 33]


def test_the_concurrency_asked_for_is_that_of_the_whole_cluster(happened: dict[str, Any]) -> None:
    assert happened["bounded"] == 2


def test_failed_rows_are_judged_again_and_good_ones_kept(happened: dict[str, Any]) -> None:
    assert happened["retried"] == [21, 20, 1, 0]
    assert happened["retried_asked"] == {"305": 2}
    assert happened["retried_told"] == ["2 rows failed; going over them once more."]


def test_a_bad_row_ends_a_strict_run_with_its_line_and_leaves_no_part(happened: dict[str, Any]) -> None:
    message, files = happened["strict"]
    assert message.startswith("line 2: ")
    assert "nope" in message
    assert files == []


@needs_ray
def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"question_id": "q01", "answer": "x"}\n', encoding="utf-8")
    env = os.environ | {"RAY_ADDRESS": "127.0.0.1:9", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "coach", "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--engine", "ray", "--judge", "offline"], capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 2
    assert "the Ray cluster cannot be reached" in done.stderr
    assert "RAY_ADDRESS" in done.stderr


def test_rate_and_actors_go_with_ray_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text('{"question_id": "q01", "answer": "x"}\n', encoding="utf-8")
    assert main(["batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "o.jsonl"), "--rate", "5"]) == 2
    assert "go with --engine ray" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said_so"),
    [
        (["-o", "out.jsonl"], "the output is a folder"),
        (["-o", "-"], "the output is a folder"),
        (["-o", "out", "--journal", "j.sqlite"], "the machines keep every grade in OUT/_grades"),
        (["-o", "out", "--via", "batch-api"], "one process is enough to send it"),
        (["-o", "out", "--format", "csv"], "jsonl or parquet"),
    ],
)
def test_what_means_nothing_on_a_cluster_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said_so: str
) -> None:
    (tmp_path / "in.jsonl").write_text('{"question_id": "q01", "answer": "x"}\n', encoding="utf-8")
    command = ["batch", str(tmp_path / "in.jsonl"), "--engine", "ray", "--judge", "offline"]
    assert main([*command, *arguments]) == 2
    assert said_so in capsys.readouterr().err


def test_inputs_in_the_folder_of_the_parts_are_refused_and_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["part-00000.jsonl", "part-00001.snappy.jsonl", "part-list.txt"]
    for name in names:
        (tmp_path / name).write_text(ROW, encoding="utf-8")
    command = ["batch", str(tmp_path / "*.jsonl"), "-o", str(tmp_path), "--engine", "ray", "--judge", "offline"]
    assert main(command) == 2
    assert "part-00000.jsonl lies in" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == names


@pytest.mark.parametrize("link_in_out", [True, False])
def test_a_link_hides_no_input_in_the_folder(tmp_path: Path, link_in_out: bool) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    link, file = (out, other) if link_in_out else (other, out)
    (file / "file.jsonl").write_text(ROW, encoding="utf-8")
    (link / "link.jsonl").symlink_to(file / "file.jsonl")
    with pytest.raises(InputError, match="where the parts go"):
        run_on_ray(job(out, link / "link.jsonl"))


def test_parts_that_are_not_ours_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(ROW, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    (out / "part-00000.jsonl").write_text("theirs", encoding="utf-8")
    with pytest.raises(InputError, match=r"part-00000\.jsonl could be lost"):
        run_on_ray(job(out, tmp_path / "in.jsonl"))


def test_only_parts_of_ours_are_taken_away(tmp_path: Path) -> None:
    ours = ["part-00000.jsonl", "part-00001.jsonl", "part-00000.parquet", "part-100000.jsonl"]
    unfinished = [".part-00000.jsonl.0123456789ab", ".part-00001.jsonl.0123456789ab.part"]
    theirs = ["my-spare-part-list.xlsx", "part-00000.snappy.parquet", "part-1.jsonl", ".part-00000.jsonl.old"]
    for name in (*ours, *unfinished, *theirs):
        (tmp_path / name).touch()
    tidy(job(tmp_path), 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["_SUCCESS", "part-00000.jsonl", *theirs])


class Alone:
    """A governor of one process."""

    def __init__(self) -> None:
        self.permits = Permits()

    async def exchange(self, name: str, heard: Heard) -> Lease:
        return self.permits.exchange(name, heard)


class Leave:
    """A warden that always gives it."""

    async def reserve(self, worst: float) -> float | None:
        return 0.0

    async def settle(self, worst: float, cost: float) -> None:
        pass


@pytest.mark.parametrize("warden", [None, Leave()])
def test_a_busy_endpoint_slows_the_whole_cluster(tmp_path: Path, warden: Leave | None) -> None:
    asked = 0

    def busy_at_first(body: dict[str, Any]) -> Reply:
        nonlocal asked
        asked += 1
        return refused(429, "slow down", retry_after="0") if asked == 1 else good(body)

    async def grade(pipeline: Pipeline, pace: SharedPace) -> None:
        prepared = Pipeline(judge="offline", embedder=HashEmbedder()).prepare(
            "q01", "I first ask what the feed is for."
        )
        async with pace.exchanging():
            await pipeline.grade_prepared(prepared, id="a1")
        await pipeline.aclose()

    governor = Alone()
    with scripted(busy_at_first) as server:
        settings = Settings(base_url=server.base_url, model="scripted-1", cache_dir=tmp_path, use_cache=False)
        pace = SharedPace(governor)
        asyncio.run(grade(pipeline_of(job(tmp_path, judge="llm", settings=settings), pace, warden), pace))
    assert asked == 2
    assert governor.permits.limit == START / 2


def test_a_row_that_failed_is_told_with_its_place() -> None:
    outcome = Outcome(Row(7, {}), Result(b"", "", Failure(JudgeRefused("it said no"), "it said no")))
    with pytest.raises(JudgeRefused, match=r"^line 7: it said no$"):
        stop_at_failure(outcome)


def test_a_place_that_an_error_names_already_is_not_told_twice() -> None:
    error = InputError("line 7: no question")
    with pytest.raises(InputError, match=r"^line 7: no question$"):
        stop_at_failure(Outcome(Row(7, {}), Result(b"", "", Failure(error, "no question"))))
