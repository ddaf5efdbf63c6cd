"""The parts of `make peers` that need no other library: replies, server, table, what is handed on."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bench.peers.adapters.__main__ import check
from bench.peers.environments import last_line
from bench.peers.jobs import Job, Took
from bench.peers.measure import FULL, least_seconds
from bench.peers.modes import OURS, PEERS, Mode
from bench.peers.replies import LEVEL, REPLIES
from bench.peers.server import Counts, characters, replying
from bench.peers.table import HEAD, Base, Figures, render
from bench.peers.work import Criterion, Work, read_work, write_work
from bench.server import CRITERIA

WORK = Work(
    "Why cache?", "Reads repeat.", (Criterion("tradeoffs", "Tradeoffs", "what is lost", ("no", "yes")),), "It pays."
)


def figures(seconds: float, *, rate: float | str = 100.0, runs: int = 3) -> Figures:
    return Figures(1.0, 7800.0, 16, Took(seconds, 0.5, 200.0, 1.5, runs), rate)


def ask(path: str, body: object, *, counting: bool = False) -> tuple[object, Counts]:
    """What the server replies to one request, and then counts."""

    async def talk() -> tuple[object, Counts]:
        respond = replying(0.0, counting=counting)
        reply = await respond(f"post {path} http/1.1\r\n".encode(), json.dumps(body).encode())
        told = await respond(b"get /counts http/1.1\r\n", b"")
        read = [json.loads(r.split(b"\r\n\r\n", 1)[1]) for r in (reply, told)]
        return read[0], Counts(*read[1])

    return asyncio.run(talk())


def test_the_path_chooses_the_form() -> None:
    reply, _ = ask("/autoevals/v1/chat/completions", {})
    assert isinstance(reply, dict)
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])["choice"] == str(LEVEL)


def test_an_unknown_form_gets_a_reply_that_nothing_can_be_read_from() -> None:
    reply, _ = ask("/typo/v1/chat/completions", {})
    assert isinstance(reply, dict)
    assert not reply["choices"][0]["message"]["content"]


def test_requests_and_prompt_characters_are_counted() -> None:
    _, counts = ask("/coach/v1/chat/completions", {"messages": [{"content": "abc"}]}, counting=True)
    assert counts == Counts(requests=1, characters=3, at_once=1)


def test_content_in_parts_counts_too() -> None:
    parts = [{"type": "text", "text": "ab"}, {"type": "image_url"}]
    assert characters(json.dumps({"messages": [{"content": parts}, {"content": "c"}]}).encode()) == 3


@pytest.mark.parametrize("form", ["rubric-one-shot", "autorubric-per-item", "coach"])
def test_one_call_is_answered_for_every_criterion(form: str) -> None:
    (entries, *_) = json.loads(str(REPLIES[form]["content"])).values()
    assert len(entries) == len(CRITERIA)


@pytest.mark.parametrize("mode", [*OURS, *PEERS], ids=lambda m: m.name)
def test_every_mode_has_a_reply_and_an_adapter(mode: Mode) -> None:
    folder = Path(sys.modules["bench.peers"].__path__[0])
    assert mode.form in REPLIES
    assert (folder / "adapters" / f"{mode.adapter}.py").exists()


@pytest.mark.parametrize("name", sorted({m.environment for m in PEERS if m.environment}))
def test_every_requirement_is_pinned(name: str) -> None:
    folder = Path(sys.modules["bench.peers"].__path__[0])
    lines = (folder / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [p for p in pins if "==" not in p or p.startswith("torch==")] == []


def test_ratios_are_to_the_rows_of_the_same_run() -> None:
    found = {"ours": figures(4.0), "known": figures(2.0), "peer": figures(8.0)}
    row = render(found, Base("ours", "known")).splitlines()[-1]
    assert row == "| peer | 1 | 7,800 | 8.00 | 2.0x | 4.0x | 100 | 0.5 | 200 | 1.5 | 16 |"


def test_a_library_that_failed_keeps_its_row_and_its_reason() -> None:
    row = render({"peer": "not installed: no | wheel"}, Base("ours", "known")).splitlines()[-1]
    assert row.startswith("| peer | not measured: not installed: no / wheel |")
    assert row.count("|") == len(HEAD) + 1


def test_fewer_runs_than_three_are_told() -> None:
    row = render({"peer": figures(31.0, runs=1)}, Base("ours", "known")).splitlines()[-1]
    assert "| 31.00 (one run) |" in row


def test_without_our_row_there_is_no_ratio() -> None:
    row = render({"peer": figures(8.0, rate="not done in 60 s")}, Base("ours", "known")).splitlines()[-1]
    assert "| - | - | not done in 60 s |" in row


def test_work_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_work(WORK, tmp_path / "work.json")
    assert read_work(tmp_path / "work.json") == WORK


def test_a_job_comes_back_as_it_was_written(tmp_path: Path) -> None:
    job = Job("per_item", "work.json", "http://127.0.0.1:1/x/v1", 200, 3, 30.0, 16, 6, 1)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job


def test_answers_of_two_runs_differ() -> None:
    assert not set(WORK.answers(3)) & set(WORK.answers(3, start=3))


def test_a_criterion_carries_its_levels() -> None:
    assert WORK.criteria[0].text == "Tradeoffs: what is lost. Levels: 0 no; 1 yes."


def test_grades_that_were_not_given_are_refused() -> None:
    with pytest.raises(SystemExit, match="1 of them wrong"):
        check([[1.0, 1.0], [1.0, 0.0]], 2, criteria=2, level=1)


def test_answers_without_grades_are_refused() -> None:
    with pytest.raises(SystemExit, match="1 of 2 answers have levels"):
        check([[1.0]], 2, criteria=1, level=1)


@pytest.mark.parametrize(("seconds", "cpu", "least"), [(1.0, 0.5, 5.0), (8.0, 16.0, 80.0)])
def test_the_least_a_long_run_takes_is_told_from_a_short_one(seconds: float, cpu: float, least: float) -> None:
    assert least_seconds(Took(seconds, cpu, 0.0, 0.0), FULL) == pytest.approx(least)


def test_what_pip_said_last_is_told() -> None:
    assert last_line("Collecting x\nERROR: no such version\n\n") == "ERROR: no such version"
