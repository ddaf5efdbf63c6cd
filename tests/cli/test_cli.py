"""The command line as its users meet it: exit codes, messages, files."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from servers.scripted import Reply, refused, said, scripted

from coach import __version__
from coach.cli import main

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "q01-model-first.md"
SCHEMA = ROOT / "docs" / "report.schema.json"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from coach.cli import main; main(['--help']);"
        "heavy = {'torch', 'openai', 'onnxruntime', 'sentence_transformers', 'transformers', 'pydantic', 'numpy', 'rich'};"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_file_whose_name_is_no_utf8_is_graded(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"answer-\xff.md")
    path.write_bytes(EXAMPLE.read_bytes())
    code, out, _ = run(capsys, "critique", str(path), "--question", "q01", "--judge", "offline", "--format", "json")
    assert (code, json.loads(out)["id"]) == (0, "answer-\\udcff")


def test_the_version_is_that_of_the_package_and_the_changelog(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--version")
    assert (code, out) == (0, f"coach {__version__}\n")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = [line for line in changelog.splitlines() if line.startswith("## [") and "Unreleased" not in line]
    assert released[0].startswith(f"## [{__version__}]")


def test_a_critique_is_printed_and_auto_says_that_it_is_offline(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "critique", str(EXAMPLE), "-q", "q01")
    assert code == 0
    assert "Judging offline" in err
    assert "judged offline" in out


def test_a_named_judge_is_not_commented(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--judge", "offline")[2] == ""


def test_json_keeps_to_the_committed_schema(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--format", "json")
    jsonschema.validate(json.loads(out), json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_the_committed_schema_is_that_of_the_report() -> None:
    from coach.render.json_ import schema

    assert SCHEMA.read_text(encoding="utf-8") == schema()


@pytest.mark.parametrize(("suffix", "start"), [(".html", "<!DOCTYPE html>"), (".md", "# q01"), (".json", "{")])
def test_the_suffix_of_out_decides_the_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str, start: str
) -> None:
    out = tmp_path / f"report{suffix}"
    assert run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--out", str(out))[0] == 0
    assert out.read_text(encoding="utf-8").startswith(start)


def test_the_answer_may_come_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(EXAMPLE.read_bytes()), encoding="utf-8"))
    assert run(capsys, "critique", "-", "-q", "q01")[0] == 0


def test_the_answer_may_come_from_an_editor(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys; p = sys.argv[1]; old = open(p).read(); open(p, 'w').write('My own answer ' * 20 + old)",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "coach", "critique", "-q", "q01", "--format", "json"]
    master, follower = os.openpty()
    ran = subprocess.run(
        command,
        stdin=follower,
        capture_output=True,
        check=False,
        env={**os.environ, "EDITOR": f"{sys.executable} {editor}"},
    )
    os.close(master)
    os.close(follower)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["status"] == "ok"


def test_an_editor_that_cannot_be_started_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "no-such-editor-here")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    code, _, err = run(capsys, "critique", "-q", "q01")
    assert code == 2
    assert "no-such-editor-here" in err


BAD = [
    (["critique", "-q", "q77", str(EXAMPLE)], "no question 'q77'"),
    (["critique", str(EXAMPLE)], "which question"),
    (["critique", "-q", "q01", "no-such-file.md"], "cannot be read"),
    (["critique", "-q", "q01", "--bank", "no-such-bank", str(EXAMPLE)], "no bank here"),
    (["critique", "-q", "q01", "--judge", "llm", str(EXAMPLE)], "no LLM endpoint"),
    (["critique", "-q", "q01", "--judge", "replay", str(EXAMPLE)], "recorded replies"),
    (["critique", "-q", "q01", "--out", "no/such/folder/r.md", str(EXAMPLE)], "cannot be written"),
    (["critique", "-q", "q01", "--base-url", "http://127.0.0.1:9/v1", str(EXAMPLE)], "no model is named"),
    (["critique", "-q", "q01", "--base-url", "localhost:8080/v1", "--model", "m", str(EXAMPLE)], "starts with http://"),
    (["critique", "--format", "pdf", "-q", "q01", str(EXAMPLE)], "pdf"),
    (["batch", "answers.docx", "-o", "out.jsonl"], "not read as input"),
    (["batch", "gone.jsonl", "-o", "out.jsonl"], "cannot be read"),
    (["frobnicate"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_use_is_told_and_ends_with_two(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_an_llm_is_not_asked_for_a_report_that_could_not_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with scripted([said(llm_reply())]) as server:
        address = ["--base-url", server.base_url, "--model", "m"]
        code, _, _ = run(capsys, "critique", str(EXAMPLE), "-q", "q01", *address, "-o", str(tmp_path / "no" / "r.md"))
    assert (code, server.requests) == (2, [])


CONTENT = [
    (b"", 2),
    (b" \n\t ", 2),
    (b"Saves.", 0),
    (b"a" * 200_000, 2),
    (bytes(range(256)) * 20, 2),
    ("café über".encode("latin-1") * 20, 2),
    (b"I ask\x00 what \x1b[31mthe feed is for, and whom it serves, before any model." * 3, 0),
    ("I ask \u202ewhat the feed is for, and whom it serves, before any model at all." * 3).encode(),
    ("🙂" * 50).encode(),
    ("Zuerst frage ich, wozu das Ganze dient und wem es hilft. " * 5).encode(),
    b"<script>alert(1)</script> I ask what the feed is for before any model is named here." * 3,
]


@pytest.mark.parametrize("format", ["terminal", "md", "html", "json"])
@pytest.mark.parametrize("case", range(len(CONTENT)))
def test_odd_content_gives_a_report_or_a_message(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, case: int, format: str
) -> None:
    content = CONTENT[case]
    data, expected = content if isinstance(content, tuple) else (content, 0)
    (tmp_path / "a.md").write_bytes(data)
    code, out, err = run(capsys, "critique", str(tmp_path / "a.md"), "-q", "q01", "--format", format)
    assert code == expected, err
    assert "Traceback" not in err
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "<script>" not in out or format in {"terminal", "json"}


def test_a_question_may_be_brought_along(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "ref.md").write_text("A cache pays where reads repeat. The cost is invalidation.", encoding="utf-8")
    code, out, _ = run(
        capsys, "critique", str(EXAMPLE), "--question-text", "When does a cache pay?", "--reference", str(tmp_path / "ref.md"),
        "--format", "json",
    )  # fmt: skip
    assert (code, json.loads(out)["question_id"]) == (0, "brought")


def test_show_prompt_prints_what_would_be_sent_and_calls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--show-prompt")
    assert code == 0
    assert "--- system ---" in out
    assert "two-tower" in out


def llm_reply(level: int = 2) -> str:
    ids = ["product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication"]
    quote = "clicks are the clearest signal"
    entries = [{"id": i, "quotes": [quote], "reasoning": "r", "level": level} for i in ids]
    return json.dumps({"criteria": entries, "points": [], "red_flags": []})


def test_an_llm_judges_over_http(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([said(llm_reply())]) as server:
        code, out, err = run(
            capsys,
            "critique",
            str(EXAMPLE),
            "-q",
            "q01",
            "--base-url",
            server.base_url,
            "--model",
            "scripted-1",
            "-f",
            "json",
        )
    report = json.loads(out)
    assert (code, report["judge"], report["total"]) == (0, {"kind": "llm", "name": "llm", "model": "scripted-1"}, 50.0)
    assert "Asking scripted-1" in err
    assert len(server.requests) == 1


def test_a_bad_key_ends_with_three_and_the_mend(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([refused(401, "no")]) as server:
        code, out, err = run(
            capsys, "critique", str(EXAMPLE), "-q", "q01", "--base-url", server.base_url, "--model", "m"
        )
    assert (code, out) == (3, "")
    assert "OPENAI_API_KEY" in err


def test_a_dead_endpoint_ends_with_three(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    code, _, err = run(
        capsys, "critique", str(EXAMPLE), "-q", "q01", "--base-url", "http://127.0.0.1:9/v1", "--model", "m"
    )
    assert code == 3
    assert "cannot be reached" in err


def test_a_refusal_gives_no_total_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([said(None, refusal="No.")]) as server:
        code, out, _ = run(
            capsys, "critique", str(EXAMPLE), "-q", "q01", "--base-url", server.base_url, "--model", "m", "-f", "json"
        )
    report = json.loads(out)
    assert (report["total"], {c["status"] for c in report["criteria"]}) == (None, {"refused"})
    assert (code, report["status"]) == (3, "failed")


def rows(*entries: object) -> str:
    return "".join(json.dumps(e) + "\n" if not isinstance(e, str) else e + "\n" for e in entries)


def test_questions_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "questions")[1].count("\n") == 25
    out = run(capsys, "questions", "show", "q01")[1]
    assert "Why it is asked" in out
    assert "Expert answer" not in out
    assert "Expert answer" in run(capsys, "questions", "show", "q01", "--answer")[1]


def test_a_bank_is_started_and_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(capsys, "bank", "init", str(tmp_path / "b"))[0] == 0
    assert run(capsys, "bank", "check", str(tmp_path / "b"))[0] == 0
    (tmp_path / "b" / "questions" / "caching.yaml").write_text("id: x", encoding="utf-8")
    code, _, err = run(capsys, "bank", "check", str(tmp_path / "b"))
    assert code == 2
    assert "caching.yaml: question: is missing" in err


def test_doctor_finds_all_well_without_an_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "SHA-256 as known" in out


def test_doctor_tells_of_an_endpoint_and_its_structured_output(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([said('{"ready": true}')]) as server:
        code, out, _ = run(capsys, "doctor", "--base-url", server.base_url, "--model", "scripted-1")
    assert code == 0
    assert "strict JSON Schema" in out


def test_doctor_ends_with_three_for_a_dead_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "doctor", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")
    assert code == 3
    assert "FAIL  endpoint" in out


def test_doctor_lists_what_an_endpoint_offers_where_no_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([said("{}")]) as server:
        code, out, _ = run(capsys, "doctor", "--base-url", server.base_url)
    assert code == 3
    assert "It offers: scripted-1" in out


def test_doctor_does_not_send_its_reader_to_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert "coach doctor" not in run(capsys, "doctor", "--base-url", "http://127.0.0.1:9/v1", "--model", "m")[1]


def test_doctor_ends_with_two_for_a_cache_it_cannot_write(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("COACH_CACHE_DIR", str(tmp_path / "file" / "cache"))
    code, out, _ = run(capsys, "doctor")
    assert code == 2
    assert "FAIL  cache folder" in out


IDS = ["product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication"]
OPEN: list[dict[str, object]] = [{"id": i, "quotes": [], "reasoning": "No fair basis.", "level": None} for i in IDS]
NONE_OPEN = json.dumps({"criteria": OPEN, "points": [], "red_flags": []})
TWO = json.dumps({"criteria": json.loads(llm_reply())["criteria"][:2], "points": [], "red_flags": []})
DEAR: dict[str, Any] = {"completion_tokens": 1_000_000}
STATUSES = [
    # first reply, every later one, status of what is open, exit codes of critique and batch, batch row
    (said(llm_reply()), None, "ok", 0, 0, "ok"),
    (said(NONE_OPEN), None, "abstained", 0, 0, "ok"),
    (said(None, refusal="No."), None, "refused", 3, 4, "failed"),
    (said('{"criteria": [', finish="length"), None, "truncated", 3, 4, "failed"),
    (said("I would rather not say."), None, "invalid", 3, 4, "failed"),
    (said(TWO), refused(503, "busy"), "unreachable", 3, 4, "failed"),
    (said(TWO), refused(401, "key expired"), "refused", 3, 4, "failed"),
    (said(TWO, **DEAR), said(llm_reply()), "over_budget", 5, 5, "failed"),
]


@pytest.mark.parametrize(("first", "later", "status", "critique", "batch", "row"), STATUSES)
def test_every_status_reaches_report_exit_code_and_batch_row(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    first: Reply,
    later: Reply | None,
    status: str,
    critique: int,
    batch: int,
    row: str,
) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    (tmp_path / "in.jsonl").write_text(
        rows({"question_id": "q01", "answer": EXAMPLE.read_text(encoding="utf-8")}), encoding="utf-8"
    )

    def script(request: dict[str, Any]) -> Reply:
        return later if later and "Judge again" in request["messages"][-1]["content"] else first

    with scripted(script) as server:
        where = ("--base-url", server.base_url, "--model", "gpt-5-mini", "--max-cost", "1", "--no-cache")
        code, out, err = run(capsys, "critique", str(EXAMPLE), "-q", "q01", "-f", "json", *where)
        ran = run(capsys, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), *where)
    report, graded = json.loads(out), json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (code, ran[0]) == (critique, batch)
    for told in (report, graded):
        assert (told["status"], told["total"] is None) == (row, status != "ok")
        assert {c["status"] for c in told["criteria"]} - {"ok"} == {status} - {"ok"}
        assert (told["error"] is not None) == (row == "failed")
    assert ("Error: no total" in err) == (row == "failed")


@pytest.mark.parametrize(
    ("reply", "kind"), [(refused(503, "busy"), "JudgeUnavailable"), (refused(401, "no"), "JudgeRefused")]
)
def test_a_judge_that_says_nothing_fails_the_run_and_the_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply, kind: str
) -> None:
    monkeypatch.setenv("COACH_TRIES", "1")
    answer = EXAMPLE.read_text(encoding="utf-8")
    (tmp_path / "in.jsonl").write_text(rows({"question_id": "q01", "answer": answer}), encoding="utf-8")
    with scripted([reply]) as server:
        where = ("--base-url", server.base_url, "--model", "m")
        assert run(capsys, "critique", str(EXAMPLE), "-q", "q01", "-f", "json", *where)[:2] == (3, "")
        assert run(capsys, "batch", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), *where)[0] == 4
    graded = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert (graded["status"], graded["error"]["kind"], graded["total"]) == ("failed", kind, None)


@pytest.mark.parametrize("format", ["terminal", "md", "html"])
def test_a_report_that_failed_shows_what_was_judged_all_the_same(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    def script(request: dict[str, Any]) -> Reply:
        return said("no") if "Judge again" in request["messages"][-1]["content"] else said(TWO)

    with scripted(script) as server:
        where = ("--base-url", server.base_url, "--model", "m", "-f", format)
        code, out, _ = run(capsys, "critique", str(EXAMPLE), "-q", "q01", *where)
    assert code == 3
    assert "not graded" in out
    assert "level 2 of 4" in out
    assert "invalid" in out


def test_ctrl_c_ends_within_a_second(tmp_path: Path) -> None:
    with scripted([said("{}")._replace(delay=20.0)]) as server:
        command = [sys.executable, "-m", "coach", "critique", str(EXAMPLE), "-q", "q01", "--base-url", server.base_url]
        process = subprocess.Popen([*command, "--model", "m"], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        while not server.requests:
            assert process.poll() is None
            time.sleep(0.05)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert time.monotonic() - start < 1.0
    assert process.returncode == 130
    assert b"Interrupted" in err
    assert b"Traceback" not in err


def test_the_cache_of_verdicts_is_shown_and_cleared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path
) -> None:
    with scripted([said(llm_reply(1))]) as server:
        where = ("--base-url", server.base_url, "--model", "m")
        for _ in range(2):
            run(capsys, "critique", str(EXAMPLE), "-q", "q01", *where)
        assert len(server.requests) == 1
        run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--no-cache", *where)
        assert len(server.requests) == 2
    assert "verdicts" in run(capsys, "cache", "info")[1]
    assert run(capsys, "cache", "clear")[1].startswith("Deleted")


def test_show_prompt_shows_every_call_with_schema_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ("critique", str(EXAMPLE), "-q", "q01", "--show-prompt")
    _, out, _ = run(capsys, *ask, "--criteria-per-call", "4", "--samples", "2")
    assert out.count("--- system ---") == 4
    assert "In this reply judge only: expert_coverage, communication." in out
    assert '"temperature": 0.7, "seed": 8' in out
    assert '"additionalProperties": false' in out


def test_show_prompt_is_what_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with scripted([said(llm_reply())]) as server:
        run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--base-url", server.base_url, "--model", "m", "--no-cache")
    _, out, _ = run(capsys, "critique", str(EXAMPLE), "-q", "q01", "--show-prompt")
    for message in server.requests[0]["messages"]:
        assert f"--- {message['role']} ---\n{message['content']}".replace("\u200b", "⟨U+200B⟩") in out
    assert json.dumps(server.requests[0]["response_format"]["json_schema"]["schema"], indent=1) in out


def test_show_prompt_says_when_nothing_would_be_sent(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Saves.", encoding="utf-8")
    _, out, _ = run(capsys, "critique", str(tmp_path / "a.md"), "-q", "q01", "--show-prompt")
    assert out.startswith("Nothing would be sent")


def test_show_prompt_shows_the_labelled_answers_too(capsys: pytest.CaptureFixture[str]) -> None:
    labelled = ROOT / "evals" / "answers" / "part-1.jsonl"
    _, out, _ = run(
        capsys,
        "critique",
        str(EXAMPLE),
        "-q",
        "q01",
        "--show-prompt",
        "--few-shot",
        "2",
        "--few-shot-file",
        str(labelled),
    )
    assert out.count("\nLevels: product_framing") == 2
