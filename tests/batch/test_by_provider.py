"""Grading through a provider's batches, against a local server with files and batches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from batch.through_provider import (
    QUOTE,
    CountingEmbedder,
    asked_for,
    by_batch,
    by_calls,
    good,
    number_of,
    reports,
    verdicts,
    write_rows,
)
from servers.provider import Answer, Course, provider
from servers.scripted import Reply, refused, said

from coach.batch.by_provider import _LOCK
from coach.batch.journal import Journal
from coach.batch.outbox import Limits
from coach.cli import main
from coach.errors import InputError, JournalError, JudgeRefused
from coach.pricing import REPLY_TOKENS, at_batch_rates, load_prices

ROWS = list(range(6))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_rows(tmp_path, ROWS)
    return tmp_path


def without_cost(report: dict[str, Any]) -> dict[str, Any]:
    return report | {"usage": report["usage"] | {"cost_usd": None}}


def test_the_same_grades_as_by_calls_at_half_the_price(folder: Path) -> None:
    with provider(good) as server:
        summary = by_batch(folder, server.base_url)
        assert server.direct == []
        by_calls(folder, server.base_url, "calls.jsonl", "calls.sqlite")
    ours, theirs = reports(folder), reports(folder, "calls.jsonl")
    assert list(map(without_cost, ours)) == list(map(without_cost, theirs))
    assert [r["usage"]["cost_usd"] for r in theirs] == pytest.approx([0.12] * 6)
    assert [r["usage"]["cost_usd"] for r in ours] == pytest.approx([0.06] * 6)
    assert (summary.judged, summary.failed, summary.again) == (6, 0, 0)
    assert summary.usage.calls == 6
    assert summary.usage.cost_usd == pytest.approx(0.36)
    assert summary.saved.calls == 0


def test_grades_stand_under_the_keys_that_calls_use(folder: Path) -> None:
    with provider(good) as server:
        by_batch(folder, server.base_url)
        again = by_calls(folder, server.base_url, "calls.jsonl", "journal.sqlite")
        assert server.direct == []
    assert again.again == 6


def test_rows_in_the_journal_are_not_sent(folder: Path) -> None:
    with provider(good) as server:
        by_batch(folder, server.base_url)
        write_rows(folder, [*ROWS, 6, 7])
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 2]
        by_batch(folder, server.base_url)
        assert len(server.batches) == 2
    assert (summary.judged, summary.again, summary.usage.calls) == (8, 6, 2)


def test_nothing_is_left_beside_the_journal_or_in_its_tables(folder: Path) -> None:
    with provider(good) as server:
        by_batch(folder, server.base_url)
    left = {p.name for p in folder.iterdir()} - {"in.jsonl", "out.jsonl", "prices.yaml", "cache"}
    assert {name.removesuffix("-wal").removesuffix("-shm") for name in left} == {"journal.sqlite"}
    journal = Journal(folder / "journal.sqlite")
    for table in ("provider_files", "provider_requests", "provider_matches"):
        assert journal._db.execute(f"select count(*) from {table}").fetchone() == (0,)
    journal.close()


def test_files_keep_to_the_limits(folder: Path) -> None:
    with provider(good) as server:
        by_batch(folder, server.base_url, limits=Limits(requests=4))
        sizes = [len(server.lines(b["input_file_id"])) for b in server.batches.values()]
        assert sizes == [4, 2]
        largest = max(len(f) for f in server.files.values())
    (folder / "journal.sqlite").unlink()
    with provider(good) as server:
        by_batch(folder, server.base_url, limits=Limits(size=largest // 2))
        uploads = [server.files[b["input_file_id"]] for b in server.batches.values()]
        assert len(uploads) > 2
        assert max(map(len, uploads)) <= largest // 2
        assert set(server.asked.values()) == {1}


# --- reading each answer once


def test_an_answer_is_read_by_the_encoder_once_though_it_is_gone_over_again(folder: Path) -> None:
    embedder = CountingEmbedder()
    with provider(good) as server:
        by_batch(folder, server.base_url, embedder=embedder)
    assert embedder.read == dict.fromkeys(ROWS, 1)


def test_rows_of_which_something_is_asked_again_are_not_read_again(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        return said("no JSON at all" if number_of(body) == 1 else verdicts(body))

    embedder = CountingEmbedder()
    with provider(script) as server:
        by_batch(folder, server.base_url, embedder=embedder)
        assert len(server.batches) == 7
    assert embedder.read == dict.fromkeys(ROWS, 1)


def stopped_while_it_waits(folder: Path, base_url: str, embedder: CountingEmbedder) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("batch.through_provider._no_sleep", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            by_batch(folder, base_url, embedder=embedder)


def test_a_run_that_goes_on_waiting_reads_no_answer_again(folder: Path) -> None:
    first, second = CountingEmbedder(), CountingEmbedder()
    with provider(good) as server:
        stopped_while_it_waits(folder, server.base_url, first)
        by_batch(folder, server.base_url, embedder=second)
    assert (first.read, second.read) == (dict.fromkeys(ROWS, 1), {})


def test_an_answer_that_was_changed_meanwhile_is_read_anew(folder: Path) -> None:
    embedder = CountingEmbedder()
    with provider(good) as server:
        stopped_while_it_waits(folder, server.base_url, CountingEmbedder())
        write_rows(folder, [0, 1, 2, 3, 4, 7])
        by_batch(folder, server.base_url, embedder=embedder)
    assert embedder.read == {7: 1}


# --- partial failures


def test_only_what_got_no_reply_in_time_is_sent_again(folder: Path) -> None:
    courses = [Course(("validating", "in_progress", "finalizing", "expired"), unanswered=2)]
    with provider(good, courses) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 2]
    assert (summary.judged, summary.usage.calls) == (6, 6)


def test_a_request_that_never_gets_a_reply_fails_after_the_tries_it_has(folder: Path) -> None:
    with provider(good, [Course(("expired",), unanswered=1)] * 3) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 1, 1]
    assert (summary.judged, summary.failed) == (5, 1)
    assert "no reply in 3 batches" in summary.causes[0].cause


def test_failed_rows_are_sent_again_by_the_next_run(folder: Path) -> None:
    with provider(good, [Course(("expired",), unanswered=1)] * 3) as server:
        by_batch(folder, server.base_url)
        summary = by_batch(folder, server.base_url)
    assert (summary.judged, summary.failed, summary.again) == (6, 0, 5)


def test_many_rows_that_fail_are_written_as_failed(tmp_path: Path) -> None:
    write_rows(tmp_path, list(range(60)))
    with provider(lambda body: refused(403, "not yours")) as server:
        summary = by_batch(tmp_path, server.base_url)
    assert (summary.rows, summary.failed) == (60, 60)
    assert {r["status"] for r in reports(tmp_path)} == {"failed"}


@pytest.mark.parametrize(
    "bad",
    [
        Answer(refused(500, "server error")),
        Answer(refused(429, "slow down")),
        Answer(error={"code": "batch_expired", "message": "too late"}),
        Answer(raw=b'{"custom_id": "cut off'),
        Answer(raw=b'{"custom_id": "of nobody", "response": {"status_code": 200, "body": {}}}'),
        Answer(Reply(body={"choices": []})),
        Answer(Reply(body={"error": {"message": "inside of 200"}})),
        Answer(said("")),
    ],
)
def test_a_spoilt_result_is_asked_for_once_more_and_alone(folder: Path, bad: Answer) -> None:
    spoilt = [3]

    def script(body: dict[str, Any]) -> Reply | Answer:
        if number_of(body) in spoilt:
            spoilt.clear()
            return bad
        return good(body)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 1]
    assert (summary.judged, summary.failed) == (6, 0)


def test_a_reply_that_was_cut_off_is_asked_for_with_more_room(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        if number_of(body) == 2 and body["max_tokens"] == 2500:
            return said('{"criteria": [', finish="length")
        return good(body)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
        second = server.lines(list(server.batches.values())[1]["input_file_id"])
    assert [line["body"]["max_tokens"] for line in second] == [7500]
    assert (summary.judged, summary.usage.calls) == (6, 7)


def test_a_doubtful_verdict_is_asked_for_again_by_itself(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        text = verdicts(body)
        if number_of(body) == 1 and len(asked_for(body)) > 1:
            text = text.replace(f'["{QUOTE}"]', '["a quote that is not there"]', 1)
        return said(text)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
        (line,) = server.lines(list(server.batches.values())[1]["input_file_id"])
    assert len(asked_for(line["body"])) == 1
    assert summary.judged == 6


def test_the_same_doubt_twice_is_another_request_and_then_stands(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        return said("no JSON at all" if number_of(body) == 1 else verdicts(body))

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
        by_calls(folder, server.base_url, "calls.jsonl", "calls.sqlite")
        assert len(server.batches) == 7
    assert (summary.judged, summary.abstained, summary.failed) == (5, 0, 1)
    assert list(map(without_cost, reports(folder))) == list(map(without_cost, reports(folder, "calls.jsonl")))


def test_a_refusal_of_one_request_fails_its_row_with_the_servers_words(folder: Path) -> None:
    with provider(lambda b: refused(403, "not for you") if number_of(b) == 4 else good(b)) as server:
        summary = by_batch(folder, server.base_url)
        assert len(server.batches) == 1
    assert (summary.judged, summary.failed) == (5, 1)
    assert "not for you" in reports(folder)[4]["error"]["message"]


def test_a_parameter_that_is_refused_is_left_out_the_next_time(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        return refused(400, "temperature is not supported") if "temperature" in body else good(body)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 6]
    assert summary.judged == 6


def test_a_probe_learns_that_from_one_request(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        return refused(400, "temperature is not supported") if "temperature" in body else good(body)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url, probe=True)
        assert len(server.direct) == 2
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [5]
    assert summary.judged == 6


# --- replies that were paid for


def test_replies_without_token_counts_are_booked_by_estimate(folder: Path) -> None:
    def script(body: dict[str, Any]) -> Reply:
        reply = good(body)
        del reply.body["usage"]
        return reply

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
    used = summary.usage
    assert (used.calls, used.estimated_calls, used.completion_tokens) == (6, 6, 6 * REPLY_TOKENS)
    assert used.cost_usd == pytest.approx((used.prompt_tokens + used.completion_tokens) * 0.5 / 1000)


def test_an_empty_reply_that_was_paid_for_is_in_the_sum(folder: Path) -> None:
    seen: list[int] = []

    def script(body: dict[str, Any]) -> Reply:
        seen.append(number_of(body))
        return said("") if seen.count(0) == 1 and seen[-1] == 0 else good(body)

    with provider(script) as server:
        summary = by_batch(folder, server.base_url)
    assert (summary.judged, summary.usage.calls) == (6, 7)
    assert summary.usage.cost_usd == pytest.approx(7 * 0.06)


def test_a_hopeless_probe_ends_the_run_before_anything_is_sent(folder: Path) -> None:
    with provider(lambda body: refused(401, "bad key")) as server:
        with pytest.raises(JudgeRefused, match="rejected the key"):
            by_batch(folder, server.base_url, probe=True)
        assert server.batches == {}


# --- batches that are not accepted, cancelled, or too many


def test_a_batch_that_is_not_accepted_ends_the_run_with_its_reason(folder: Path) -> None:
    error = {"code": "model_not_found", "message": "no such model for batches", "line": None, "param": None}
    with provider(good, [Course(("validating", "failed"), errors=(error,))]) as server:
        with pytest.raises(JudgeRefused, match="no such model for batches"):
            by_batch(folder, server.base_url)
        assert by_batch(folder, server.base_url).judged == 6


def test_lines_that_are_not_accepted_fail_and_the_others_are_sent_again(folder: Path) -> None:
    error = {"code": "invalid", "message": "this line is odd", "line": 2, "param": None}
    with provider(good, [Course(("failed",), errors=(error,))]) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 5]
    assert (summary.judged, summary.failed) == (5, 1)


FULL = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None, "param": None}


def test_a_batch_for_which_the_queue_has_no_room_waits_for_the_others(folder: Path) -> None:
    courses = [Course(("in_progress", "in_progress", "completed")), Course(("failed",), errors=(FULL,))]
    with provider(good, courses) as server:
        summary = by_batch(folder, server.base_url, limits=Limits(requests=3))
        assert [b["status"] for b in server.batches.values()] == ["completed", "failed", "completed"]
        assert len([f for f in server.files if f.startswith("file-")]) == 2
        assert set(server.asked.values()) == {1}
    assert summary.judged == 6


def test_a_batch_too_large_for_the_whole_queue_is_made_smaller(folder: Path) -> None:
    with provider(good, [Course(("failed",), errors=(FULL,))]) as server:
        summary = by_batch(folder, server.base_url)
        assert [len(server.lines(b["input_file_id"])) for b in server.batches.values()] == [6, 3, 3]
    assert summary.judged == 6


def test_what_was_answered_before_a_batch_was_cancelled_counts_and_the_rest_is_not_sent_unasked(folder: Path) -> None:
    courses = [Course(("in_progress", "cancelling", "cancelled"), unanswered=2)]
    with provider(good, courses) as server:
        first = by_batch(folder, server.base_url)
        assert len(server.batches) == 1
        second = by_batch(folder, server.base_url)
        assert len(server.batches) == 2
    assert (first.judged, first.failed) == (4, 2)
    assert (second.judged, second.again) == (6, 4)


# --- money


def test_what_could_pass_the_cap_is_not_sent_and_freed_money_is_used(folder: Path) -> None:
    # A reply may take 2,500 tokens, 1.25 dollars by batch, and takes 0.06: the money set aside is free in the next round.
    with provider(good) as server:
        summary = by_batch(folder, server.base_url, limits=Limits(max_cost=10.0))
        sizes = [len(server.lines(b["input_file_id"])) for b in server.batches.values()]
    assert sum(sizes) == 6
    assert len(sizes) > 1
    assert (summary.judged, summary.capped) == (6, False)


def test_at_the_cap_the_rest_fails_and_nothing_more_is_sent(folder: Path) -> None:
    with provider(good) as server:
        summary = by_batch(folder, server.base_url, limits=Limits(max_cost=0.01))
        assert len(server.batches) == 0
    assert (summary.failed, summary.capped) == (6, True)


def test_replies_that_came_are_used_where_no_money_is_left_to_ask_again(folder: Path) -> None:
    def all_but_one(body: dict[str, Any]) -> Reply:
        entries = json.loads(verdicts(body))
        return said(json.dumps(entries | {"criteria": entries["criteria"][1:]}), completion_tokens=1_000_000)

    with provider(all_but_one) as server:
        summary = by_batch(folder, server.base_url, limits=Limits(max_cost=100.0))
    assert (summary.judged, summary.failed, summary.capped) == (6, 0, True)


def test_prices_by_batch_are_a_share_of_the_others() -> None:
    prices = load_prices()
    assert at_batch_rates(prices)["gpt-4o"].completion == prices["gpt-4o"].completion / 2


# --- a process that is killed


def killed_at(folder: Path, step: str) -> dict[str, Any]:
    """Start a process, kill it when the provider has done a step and not yet answered, and run again."""
    reached = threading.Event()
    process: list[subprocess.Popen[bytes]] = []

    def hold(done: str) -> None:
        if done == step and not reached.is_set():
            reached.set()
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()

    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    script = Path(__file__).parent / "through_provider.py"
    with provider(good, hold=hold) as server:
        command = [sys.executable, str(script), str(folder), server.base_url]
        process.append(subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}))
        assert process[0].wait() == -signal.SIGKILL
        assert reached.is_set()
        summary = by_batch(folder, server.base_url)
        return {"asked": set(server.asked.values()), "batches": len(server.batches), "judged": summary.judged,
                "files": len([f for f in server.files if f.startswith("file-")]), "calls": summary.usage.calls}  # fmt: skip


def test_killed_while_a_file_goes_up_it_is_sent_up_again_and_asked_once(folder: Path) -> None:
    assert killed_at(folder, "uploaded") == {"asked": {1}, "batches": 1, "judged": 6, "files": 2, "calls": 6}


def test_killed_before_it_hears_of_its_batch_it_finds_the_batch_again(folder: Path) -> None:
    assert killed_at(folder, "created") == {"asked": {1}, "batches": 1, "judged": 6, "files": 1, "calls": 6}


def test_killed_while_it_waits_it_goes_on_waiting(folder: Path) -> None:
    assert killed_at(folder, "looked") == {"asked": {1}, "batches": 1, "judged": 6, "files": 1, "calls": 6}


def test_killed_while_replies_come_down_it_fetches_them_again(folder: Path) -> None:
    assert killed_at(folder, "fetched") == {"asked": {1}, "batches": 1, "judged": 6, "files": 1, "calls": 6}


def test_asked_to_end_while_it_waits_it_says_how_to_go_on(folder: Path) -> None:
    looked_or_over = threading.Event()
    command = [sys.executable, "-c", COMMAND, "batch", str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl")]
    with provider(
        good, [Course(("in_progress",))], hold=lambda step: looked_or_over.set() if step == "looked" else None
    ) as server:
        more = ["--base-url", server.base_url, "--model", "m", "--via", "batch-api"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([*command, *more], stderr=subprocess.PIPE, env=environment) as process:
            # However slow the machine is, the process looks at its batch, or ends and says why.
            threading.Thread(target=_set_after, args=(process, looked_or_over), daemon=True).start()
            looked_or_over.wait()
            process.terminate()
            _, err = process.communicate()
    assert process.returncode == 130
    assert b"6 requests are with the provider; the same command again goes on waiting" in err
    assert b"Traceback" not in err


COMMAND = """
import sys
import coach.embed
from batch.processes import SameEmbedder
from coach.cli import main
coach.embed.default_embedder = lambda cache: SameEmbedder()
sys.exit(main(sys.argv[1:]))
"""
"""`coach`, without an encoder to be exported first."""


def _set_after(process: subprocess.Popen[bytes], over: threading.Event) -> None:
    process.wait()
    over.set()


def test_two_processes_do_not_work_on_the_same_batches(folder: Path) -> None:
    other = Journal(folder / "journal.sqlite")
    other.claim([_LOCK])
    with provider(good) as server, pytest.raises(JournalError, match="another process"):
        by_batch(folder, server.base_url)
    other.close()


def test_batches_of_another_model_are_not_lost(folder: Path) -> None:
    with provider(good, [Course(("in_progress",))]) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("batch.through_provider._no_sleep", _interrupted)
            with pytest.raises(KeyboardInterrupt):
                by_batch(folder, server.base_url)
        with pytest.raises(JournalError, match="still waits"):
            by_batch(folder, server.base_url, model="another")


async def _interrupted(seconds: float) -> None:
    raise KeyboardInterrupt


# --- the command


def test_the_command_says_what_it_sends_and_writes_the_output(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("coach.batch.by_provider.FIRST_POLL", 0.01)
    monkeypatch.setenv("COACH_CACHE_DIR", str(folder / "cache"))
    monkeypatch.setattr("coach.embed.default_embedder", _same)
    with provider(good) as server:
        code = main(["batch", str(folder / "in.jsonl"), "-o", str(folder / "out.jsonl"), "--via", "batch-api",
                     "--base-url", server.base_url, "--model", "scripted-1"])  # fmt: skip
    told = capsys.readouterr().err
    assert code == 0
    assert "Sent 6 requests as batch_0." in told
    assert "batch_0: completed, 6 of 6 answered" in told
    assert "6 judged" in told
    assert len(reports(folder)) == 6


def _same(cache: Path) -> object:
    from batch.processes import SameEmbedder

    return SameEmbedder()


@pytest.mark.parametrize(
    ("arguments", "said_so"),
    [
        (["--judge", "offline"], "needs an LLM judge"),
        (["--base-url", "http://127.0.0.1:9/v1", "--model", "m", "-o", "-"], "needs a journal"),
        (["--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--max-cost", "1"], "no price is known"),
    ],
)
def test_the_command_says_what_it_needs(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said_so: str
) -> None:
    command = ["batch", str(folder / "in.jsonl"), "--via", "batch-api"]
    assert main([*command, *([] if "-o" in arguments else ["-o", str(folder / "o.jsonl")]), *arguments]) == 2
    assert said_so in capsys.readouterr().err


def test_a_stream_cannot_be_gone_over_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from batch import through_provider

    plain = through_provider.job
    monkeypatch.setattr("batch.through_provider.job", lambda f: plain(f)._replace(sources=_stream()))
    with pytest.raises(InputError, match="several times"):
        by_batch(folder, "http://127.0.0.1:9/v1")


def _stream() -> Any:
    from coach.batch.reading import find_sources

    return find_sources(["-"])
