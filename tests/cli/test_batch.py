"""`coach batch` and `coach journal` as their users meet them."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from servers.scripted import Reply, Server, refused, said, scripted

from coach.batch.journal import Journal
from coach.cli import main
from coach.files import Replacing

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "q01-model-first.md"
ANSWER = EXAMPLE.read_text(encoding="utf-8")
IDS = ["product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication"]


class Ran:
    """What a command printed and wrote."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.code, self.out, self.err = 0, "", ""

    def coach(self, *arguments: str) -> Ran:
        self.code = main(arguments)
        self.out, self.err = self._capsys.readouterr()
        return self

    def batch(self, *arguments: str) -> Ran:
        """Grade in.jsonl into out.jsonl."""
        return self.coach("batch", str(self.folder / "in.jsonl"), "-o", str(self.folder / "out.jsonl"), *arguments)

    def write(self, *entries: object, name: str = "in.jsonl") -> None:
        lines = (e if isinstance(e, str) else json.dumps(e) for e in entries)
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def reports(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def ran(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    return Ran(tmp_path, capsys)


def answers(count: int) -> list[dict[str, object]]:
    return [{"question_id": "q01", "answer": f"{ANSWER}\nThat is draft {n}."} for n in range(count)]


def llm_reply(level: int = 2) -> str:
    quote = "clicks are the clearest signal"
    entries = [{"id": i, "quotes": [quote], "reasoning": "r", "level": level} for i in IDS]
    return json.dumps({"criteria": entries, "points": [], "red_flags": []})


def at(server: Server) -> tuple[str, ...]:
    return ("--base-url", server.base_url, "--model", "m")


# --- rows in, rows out


def test_rows_are_graded_in_order_and_columns_carried_over(ran: Ran) -> None:
    ran.write(
        {"question_id": "q01", "answer": ANSWER, "cohort": "spring", "id": "a"},
        {"question": "Why?", "reference": "Because of this. And that.", "answer": ANSWER},
    )
    ran.batch("--judge", "offline")
    assert ran.code == 0
    assert [(r["id"], r["status"], r.get("cohort")) for r in ran.reports()] == [
        ("a", "ok", "spring"),
        ("2", "ok", None),
    ]
    assert "2 rows, 2 judged, 0 without a total, 0 failed" in ran.err


def test_bad_rows_are_told_by_line_and_the_rest_goes_on(ran: Ran) -> None:
    good = {"question_id": "q01", "answer": ANSWER}
    huge = {"question_id": "q01", "answer": "x " * 2_500_000}
    ran.write(good, "not json", "", "[1]", {"question_id": "zz", "answer": "x"}, {"question_id": "q01"}, huge)
    with (ran.folder / "in.jsonl").open("ab") as file:
        file.write(b'{"answer": "caf\xe9"}\n')
        file.write(json.dumps({"question_id": "q01", "answer": " "}).encode() + b"\n")
    ran.batch("--judge", "offline")
    assert ran.code == 4
    assert [(r["id"], r["error"] and r["error"]["message"].split(":")[0]) for r in ran.reports()] == [
        ("1", None), ("2", "line 2"), ("4", "line 4"), ("5", "line 5"), ("6", "line 6"), ("7", "line 7"),
        ("8", "line 8"), ("9", "line 9"),
    ]  # fmt: skip
    for cause in (
        "not JSON",
        "a JSON list",
        "no question 'zz'",
        "no text under",
        "longer than",
        "not UTF-8",
        "is empty",
    ):
        assert cause in ran.err


def test_strict_stops_at_the_first_bad_row(ran: Ran) -> None:
    ran.write({"question_id": "q01", "answer": ANSWER}, "not json", {"question_id": "q01", "answer": ANSWER})
    ran.batch("--judge", "offline", "--strict")
    assert ran.code == 2
    assert "line 2: not JSON" in ran.err
    assert not (ran.folder / "out.jsonl").exists()


def test_the_input_is_never_overwritten(ran: Ran) -> None:
    ran.write({})
    path = str(ran.folder / "in.jsonl")
    assert ran.coach("batch", path, "-o", path).code == 2


def test_several_files_and_patterns_are_read_in_order(ran: Ran) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        ran.write({"question_id": "q01", "answer": ANSWER, "of": name}, name=name)
    ran.coach("batch", str(ran.folder / "[ab].jsonl"), "-o", str(ran.folder / "out.jsonl"), "--judge", "offline")
    assert [(r["of"], r["id"].rpartition("/")[2]) for r in ran.reports()] == [
        ("a.jsonl", "a.jsonl:1"),
        ("b.jsonl", "b.jsonl:1"),
    ]


def test_csv_goes_in_and_out(ran: Ran) -> None:
    with (ran.folder / "in.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["name", "question_id", "answer"], ["Zoë, A.", "q01", ANSWER], ["B", "q99", "x"]])
    ran.coach("batch", str(ran.folder / "in.csv"), "-o", str(ran.folder / "out.csv"), "--judge", "offline")
    with (ran.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert ran.code == 4
    assert (first["name"], first["status"], first["level_tradeoffs"]) == ("Zoë, A.", "ok", "0")
    assert float(first["total"]) == json.loads(first["report"])["total"]
    assert (second["status"], second["total"]) == ("failed", "")
    assert "no question 'q99'" in second["error"]


def test_parquet_goes_in_and_out_with_the_types_of_its_columns(ran: Ran) -> None:
    import pyarrow as pa

    table = pa.table({"question_id": ["q01"], "answer": [ANSWER], "n": pa.array([7], pa.int16())})
    pq.write_table(table, ran.folder / "in.parquet")
    ran.coach("batch", str(ran.folder / "in.parquet"), "-o", str(ran.folder / "out.parquet"), "--judge", "offline")
    found = pq.read_table(ran.folder / "out.parquet")
    assert ran.code == 0
    assert found.schema.field("n").type == pa.int16()
    (row,) = found.to_pylist()
    assert (row["n"], row["status"], json.loads(row["report"])["total"]) == (7, "ok", row["total"])


def test_streams_go_in_and_out() -> None:
    line = json.dumps({"question_id": "q01", "answer": ANSWER})
    command = [sys.executable, "-m", "coach", "batch", "-", "-o", "-", "--judge", "offline"]
    done = subprocess.run(command, input=line, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["status"]) == (0, "ok"), done.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("question_id,text\nq01,x\n", "Rename 'text' to 'answer'?"),
        ("Question ID,Answer\nq01,x\n", "Rename 'Answer' to 'answer' and 'Question ID' to 'question_id'?"),
        ("a,answer\n1,x\n", "no column 'question_id'"),
        ("", "no column"),
    ],
)
def test_a_table_without_a_column_it_needs_is_refused_at_once(ran: Ran, content: str, told: str) -> None:
    (ran.folder / "in.csv").write_text(content, encoding="utf-8")
    ran.coach("batch", str(ran.folder / "in.csv"), "-o", str(ran.folder / "out.csv"), "--judge", "offline")
    assert ran.code == 2
    assert told in ran.err


@pytest.mark.parametrize(
    ("option", "name", "roles"),
    [
        ("--report", "in.jsonl", "an input and the report"),
        ("--report", "out.jsonl", "the output and the report"),
        ("--journal", "out.jsonl", "the output and the journal"),
        ("--journal", "in.jsonl", "an input and the journal"),
    ],
)
def test_a_file_that_is_named_twice_is_refused_before_it_is_overwritten(
    ran: Ran, option: str, name: str, roles: str
) -> None:
    ran.write(*answers(1))
    before = (ran.folder / "in.jsonl").read_bytes()
    ran.batch("--judge", "offline", option, str(ran.folder / name))
    assert ran.code == 2
    assert f"{name} is {roles} at once" in ran.err
    assert {p.name: p.read_bytes() for p in ran.folder.iterdir()} == {"in.jsonl": before}


def test_a_journal_is_not_exported_over_itself(ran: Ran) -> None:
    path = ran.folder / "j.sqlite"
    Journal(path).close()
    before = path.read_bytes()
    ran.coach("journal", "export", str(path), "-o", str(path))
    assert (ran.code, path.read_bytes()) == (2, before)
    assert "is the journal itself" in ran.err


@pytest.mark.parametrize("out", ["out.jsonl", "out.csv"])
def test_a_table_that_is_refused_is_named_and_leaves_nothing_behind(ran: Ran, out: str) -> None:
    (ran.folder / "in.csv").write_text("a,answer\n1,x\n", encoding="utf-8")
    ran.coach("batch", str(ran.folder / "in.csv"), "-o", str(ran.folder / out), "--judge", "offline")
    assert "in.csv: no column 'question_id'" in ran.err
    assert [p.name for p in ran.folder.iterdir()] == ["in.csv"]


def test_a_folder_as_input_is_told_with_how_to_name_its_files(ran: Ran) -> None:
    ran.coach("batch", str(ran.folder), "-o", str(ran.folder / "out.jsonl"), "--judge", "offline")
    assert ran.code == 2
    assert f"{ran.folder} is a folder" in ran.err
    assert "*.csv" in ran.err


# --- the journal


def test_the_same_run_again_asks_nothing_and_writes_the_same(ran: Ran) -> None:
    ran.write(*answers(3))
    with scripted([said(llm_reply())]) as server:
        ran.batch(*at(server))
        first = (ran.folder / "out.jsonl").read_bytes()
        ran.batch(*at(server))
    assert (ran.code, len(server.requests)) == (0, 3)
    assert (ran.folder / "out.jsonl").read_bytes() == first
    assert "3 found again" in ran.err


def test_a_changed_answer_and_another_model_are_graded_anew(ran: Ran) -> None:
    rows = answers(2)
    ran.write(*rows)
    with scripted([said(llm_reply())]) as server:
        ran.batch(*at(server))
        ran.write(rows[0], {**rows[1], "answer": f"{ANSWER} Changed."})
        ran.batch(*at(server))
        assert len(server.requests) == 3
        ran.batch("--base-url", server.base_url, "--model", "other")
    assert len(server.requests) == 5


def test_failed_rows_are_tried_again_and_only_those(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    ran.write(*answers(3))
    with scripted([said(llm_reply()), refused(503, "busy"), said(llm_reply())]) as server:
        ran.batch(*at(server), "--concurrency", "1")
        assert (ran.code, [r["status"] for r in ran.reports()]) == (4, ["ok", "failed", "ok"])
        ran.batch(*at(server))
    assert (ran.code, len(server.requests)) == (0, 4)


def test_retry_failed_goes_over_failed_rows_in_the_same_run(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    ran.write(*answers(2))
    with scripted([refused(503, "busy"), said(llm_reply())]) as server:
        ran.batch(*at(server), "--concurrency", "1", "--retry-failed")
    assert (ran.code, [r["status"] for r in ran.reports()], len(server.requests)) == (0, ["ok", "ok"], 3)


def one_judge_down(body: dict[str, Any]) -> Reply:
    return refused(503, "down") if body["model"] == "b" else said(llm_reply())


PANEL = ("--judge", "llm:a", "--judge", "llm:b")


@pytest.fixture
def lacking(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """A panel of two over two answers, of which one judge was down all the time."""
    monkeypatch.setenv("COACH_TRIES", "1")
    ran.write(*answers(2))
    with scripted(one_judge_down) as server:
        ran.batch("--base-url", server.base_url, *PANEL)
    return ran


def test_a_batch_whose_grades_lack_a_judge_ends_in_the_code_of_failed_rows(lacking: Ran) -> None:
    assert lacking.code == 4
    assert [(r["status"], r["incomplete"]) for r in lacking.reports()] == [("ok", "unreachable")] * 2


def test_the_judge_that_grades_lack_is_named_with_rows_reason_and_mend(lacking: Ran) -> None:
    assert "2 rows, 2 judged, 0 without a total, 0 failed. 2 grades are incomplete." in lacking.err
    assert re.search(r"2 x the judge llm:b: the model 'b' at .* answered 503: down \(first at line 1\)", lacking.err)
    assert "The same command again tries the incomplete rows anew" in lacking.err


def test_retry_failed_goes_over_incomplete_grades_too(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    down = [True]

    def script(body: dict[str, Any]) -> Reply:
        return refused(503, "down") if body["model"] == "b" and down and down.pop() else said(llm_reply())

    ran.write(*answers(2))
    with scripted(script) as server:
        ran.batch("--base-url", server.base_url, *PANEL, "--concurrency", "1", "--retry-failed")
    assert (ran.code, [r["incomplete"] for r in ran.reports()]) == (0, [None, None])


def test_the_summary_after_retry_failed_tells_what_both_passes_spent(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    ran.write(*answers(3))
    good = said(llm_reply(), prompt_tokens=2000, completion_tokens=900)
    with scripted([good, refused(503, "busy"), good]) as server:
        ran.batch("--base-url", server.base_url, "--model", "gpt-5-mini", "--concurrency", "1", "--retry-failed")
    assert "3 calls, 6000 prompt" in ran.err
    assert "found again" not in ran.err


def test_a_second_pass_that_the_judge_ends_leaves_the_summary_of_the_first(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    monkeypatch.setattr("coach.batch.engine.GIVE_UP_AFTER", 3)
    ran.write(*answers(6))
    down = refused(503, "busy")
    with scripted([down, down, said(llm_reply()), down, down, said(llm_reply()), down]) as server:
        ran.batch(*at(server), "--concurrency", "1", "--retry-failed")
    assert ran.code == 3
    assert "6 rows, 2 judged, 0 without a total, 4 failed" in ran.err
    assert [r["status"] for r in ran.reports()].count("ok") == 2


@pytest.mark.parametrize(("source", "out"), [("-", "out.jsonl"), ("in.jsonl", "-"), ("in.jsonl", "/dev/null")])
def test_retry_failed_refuses_streams_before_anything_is_paid_for(ran: Ran, source: str, out: str) -> None:
    ran.write(*answers(1))
    named = [name if name == "-" else str(ran.folder / name) for name in (source, out)]
    with scripted([said(llm_reply())]) as server:
        ran.coach("batch", named[0], "-o", named[1], "--retry-failed", *at(server))
    assert (ran.code, server.requests) == (2, [])
    assert "a stream passes only once" in ran.err


def test_identical_rows_are_judged_once(ran: Ran) -> None:
    ran.write(*answers(1) * 5)
    with scripted([said(llm_reply())]) as server:
        ran.batch(*at(server))
    assert (ran.code, len(server.requests), len(ran.reports())) == (0, 1, 5)


def test_no_cache_judges_anew(ran: Ran) -> None:
    ran.write(*answers(1))
    with scripted([said(llm_reply())]) as server:
        ran.batch(*at(server))
        ran.batch(*at(server), "--no-cache")
    assert len(server.requests) == 2


def test_a_journal_is_looked_into_exported_and_shrunk(ran: Ran) -> None:
    ran.write(*answers(2))
    ran.batch("--judge", "offline")
    journal = str(ran.folder / "out.jsonl.journal.sqlite")
    assert "2 grades" in ran.coach("journal", "info", journal).out
    assert ran.coach("journal", "export", journal, "--out", str(ran.folder / "all.jsonl")).code == 0
    assert [r["status"] for r in ran.reports("all.jsonl")] == ["ok", "ok"]
    assert "MB now" in ran.coach("journal", "vacuum", journal).out
    assert ran.coach("journal", "info", str(ran.folder / "gone.sqlite")).code == 2


def spoil(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be one\n" * 200)


def take_for_something_else(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table notes (text)")
    db.close()


@pytest.mark.parametrize("harm", [spoil, take_for_something_else])
def test_a_journal_that_is_none_is_told_and_nothing_graded(ran: Ran, harm: Callable[[Path], None]) -> None:
    ran.write(*answers(1))
    harm(ran.folder / "j.sqlite")
    ran.batch("--judge", "offline", "--journal", str(ran.folder / "j.sqlite"))
    assert ran.code == 2
    assert "no journal of coach" in ran.err
    assert not (ran.folder / "out.jsonl").exists()


# --- faults of the surroundings


def test_a_full_disk_is_told_and_grades_are_kept(ran: Ran) -> None:
    ran.write(*answers(2))
    journal = ran.folder / "j.sqlite"
    ran.coach("batch", str(ran.folder / "in.jsonl"), "-o", "/dev/full", "--judge", "offline", "--journal", str(journal))
    assert ran.code == 2
    assert "No space left" in ran.err
    # The second may still be under way when the first cannot be written.
    assert re.search(r"\n[12] grades", ran.coach("journal", "info", str(journal)).out)


def test_a_full_disk_behind_standard_output_is_told_like_any_other(ran: Ran) -> None:
    ran.write({"question_id": "zz", "answer": "x"})
    command = [sys.executable, "-m", "coach", "batch", str(ran.folder / "in.jsonl"), "-o", "-", "--judge", "offline"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"standard output cannot be written: No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"ignored" not in done.stderr


def test_an_output_that_another_run_is_writing_is_refused_before_anything_is_asked(ran: Ran) -> None:
    ran.write(*answers(1))
    with scripted([said(llm_reply())]) as server, Replacing(ran.folder / "out.jsonl"):
        ran.batch(*at(server))
        assert server.requests == []
    assert ran.code == 2
    assert "is being written by another process" in ran.err


def test_an_output_that_cannot_be_written_is_told_before_anything_is_graded(ran: Ran) -> None:
    ran.write(*answers(1))
    out = ran.folder / "no" / "out.jsonl"
    ran.coach("batch", str(ran.folder / "in.jsonl"), "-o", str(out), "--judge", "offline")
    assert ran.code == 2
    assert "cannot be" in ran.err


def test_a_judge_that_refuses_row_after_row_ends_the_run_with_three(ran: Ran) -> None:
    ran.write(*answers(60))
    with scripted([refused(400, "no")]) as server:
        ran.batch(*at(server), "--concurrency", "2")
    assert ran.code == 3
    assert "20 rows in a row failed" in ran.err
    assert len(server.requests) < 30
    assert "goes on from there" in ran.err


def test_a_key_that_is_rejected_ends_the_run_at_the_first_row(ran: Ran) -> None:
    ran.write(*answers(60))
    with scripted([refused(401, "no such key")]) as server:
        ran.batch(*at(server), "--concurrency", "1")
    assert (ran.code, len(server.requests)) == (3, 1)
    assert "rejected the key (401): no such key" in ran.err
    assert "Check the key" in ran.err


# --- money


def test_the_cost_cap_leaves_a_whole_file_and_ends_with_five(ran: Ran) -> None:
    ran.write(*answers(4))
    with scripted([said(llm_reply(), prompt_tokens=2000, completion_tokens=900)]) as server:
        ran.batch(
            "--base-url", server.base_url, "--model", "gpt-5-mini", "--max-cost", "0.0085", "--concurrency", "1"
        )  # fmt: skip
    assert ran.code == 5
    assert [r["status"] for r in ran.reports()] == ["ok", "ok", "failed", "failed"]
    assert len(server.requests) == 2
    assert "cost cap" in ran.err


def test_calls_side_by_side_use_the_cap_as_one_after_the_other_would(ran: Ran) -> None:
    ran.write(*answers(6))
    with scripted([said(llm_reply(), prompt_tokens=2000, completion_tokens=900)]) as server:
        ran.batch("--base-url", server.base_url, "--model", "gpt-5-mini", "--max-cost", "0.0085", "--concurrency", "6")
    assert ran.code == 5
    assert [r["status"] for r in ran.reports()].count("ok") == 2


def test_a_dry_run_tells_what_it_would_take_and_calls_nothing(ran: Ran) -> None:
    ran.write(*answers(3), *answers(1), {"question_id": "zz", "answer": "x"})
    with scripted([said(llm_reply())]) as server:
        ran.batch("--base-url", server.base_url, "--model", "gpt-5-mini", "--dry-run")
        assert server.requests == []
    assert ran.code == 0
    assert "5 rows: 3 to grade, 0 in the journal, 1 the same as another, 1 that cannot be graded" in ran.out
    assert "about 3 calls" in ran.out
    assert "$" in ran.out
    assert not (ran.folder / "out.jsonl").exists()
    assert not (ran.folder / "out.jsonl.journal.sqlite").exists()


def test_a_dry_run_counts_off_what_the_journal_holds(ran: Ran) -> None:
    ran.write(*answers(2))
    ran.batch("--judge", "offline")
    ran.batch("--judge", "offline", "--dry-run")
    assert "2 rows: 0 to grade, 2 in the journal" in ran.out
    assert "no calls" in ran.out


def test_tokens_money_and_the_cached_share_are_told(ran: Ran) -> None:
    ran.write(*answers(2))
    told: dict[str, Any] = {
        "prompt_tokens": 2000,
        "completion_tokens": 900,
        "prompt_tokens_details": {"cached_tokens": 500},
    }
    with scripted([said(llm_reply(), **told)]) as server:
        ran.batch("--base-url", server.base_url, "--model", "gpt-5-mini")
    assert "2 calls, 4000 prompt (25% from the provider's cache) and 1800 completion tokens, $" in ran.err


# --- watching


def test_the_report_has_plots_and_a_page_for_every_row(ran: Ran) -> None:
    hostile = {"question_id": "q01", "answer": f"{ANSWER} <script>alert(1)</script>", "id": "<img src=x>"}
    ran.write(hostile, {"question_id": "zz", "answer": "x"})
    ran.batch("--judge", "offline", "--report", str(ran.folder / "report.html"))
    page = (ran.folder / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert 'href="report_rows/0/1.html"' in page
    assert "<script" not in page
    assert "<img" not in page
    row = (ran.folder / "report_rows" / "0" / "1.html").read_text(encoding="utf-8")
    assert "<script" not in row
    assert "Product framing" in row
    assert "no question" in (ran.folder / "report_rows" / "0" / "2.html").read_text(encoding="utf-8")


def start(folder: Path, server: Server, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "coach", "batch", str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([*command, *at(server), *arguments], stderr=subprocess.PIPE, env=environment)


def wait_for(server: Server, count: int, process: subprocess.Popen[bytes]) -> None:
    while len(server.requests) < count:
        assert process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_what_is_under_way_keeps_it_and_says_how_to_go_on(ran: Ran, number: signal.Signals) -> None:
    ran.write(*answers(9))
    replies = [said(llm_reply()), said(llm_reply()), said(llm_reply())._replace(delay=1.0)]
    with scripted(replies) as server:
        process = start(ran.folder, server, "--concurrency", "1")
        wait_for(server, 3, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        asked = len(server.requests)
        assert process.returncode == 130
        assert b"same command again goes on from there" in err
        assert b"out.jsonl.part" in err
        assert b"Traceback" not in err
        assert not (ran.folder / "out.jsonl").exists()
        kept = (ran.folder / "out.jsonl.part").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["status"] for line in kept] == ["ok"] * asked
        server._script = [said(llm_reply())]
        ran.batch(*at(server))
    assert (ran.code, len(ran.reports()), len(server.requests)) == (0, 9, 9)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_and_nothing_that_was_kept_is_lost(ran: Ran, number: signal.Signals) -> None:
    ran.write(*answers(3))
    with scripted([said(llm_reply()), said(llm_reply())._replace(delay=60.0)]) as server:
        process = start(ran.folder, server, "--concurrency", "1")
        wait_for(server, 2, process)
        for _ in range(2):
            process.send_signal(number)
            time.sleep(0.3)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert b"same command again goes on from there" in err
        server._script = [said(llm_reply())]
        ran.batch(*at(server))
    assert (ran.code, len(server.requests)) == (0, 4)
