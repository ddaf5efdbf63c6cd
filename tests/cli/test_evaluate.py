"""`coach eval` as its users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from servers.scripted import Reply, said, scripted

from coach.cli import main

ROOT = Path(__file__).parent.parent.parent
QUOTE = "I ask what the feed is for"
ANSWER = f"{QUOTE}, whom it serves, and what it may cost, before I look at any model at all."
CRITERIA = (
    "product_framing", "tradeoffs", "long_term_metrics", "systems_thinking", "expert_coverage", "communication",
)  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def judged(level: int = 3) -> Reply:
    entries = [{"id": c, "quotes": [QUOTE], "reasoning": "It asks.", "level": level} for c in CRITERIA]
    return said(json.dumps({"criteria": entries, "points": [], "red_flags": []}))


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    rows = [
        {"id": f"a{n}", "question_id": f"q0{1 + n % 3}", "answer": f"{ANSWER} Number {n}.", "overall": 1 + n % 5,
         "criteria": {"tradeoffs": n % 5}, "red_flags": []}
        for n in range(6)
    ]  # fmt: skip
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.yaml"
    path.write_text(f"pins: [{{name: p, question_id: q01, answer: {ANSWER!r}}}]", encoding="utf-8")
    return path


def test_a_run_is_written_as_json_and_as_a_page(
    capsys: pytest.CaptureFixture[str], labelled: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "run.json", tmp_path / "run.html"
    assert run(capsys, "eval", "--set", labelled, "--judge", "offline", "--out", out, "--html", page)[0] == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [r["id"] for r in document["rows"]] == [f"a{n}" for n in range(6)]
    assert {"kinds", "confusion", "reliability", "quotes", "abstention"} <= document["figures"].keys()
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_recorded_replies_judge_as_the_live_ones_did(
    capsys: pytest.CaptureFixture[str], labelled: Path, tmp_path: Path
) -> None:
    records, live, again = (tmp_path / name for name in ("r.jsonl", "live.json", "again.json"))
    with scripted([judged()]) as server:
        arguments = (
            "--judge",
            "llm",
            "--base-url",
            server.base_url,
            "--model",
            "m",
            "--record",
            records,
            "--out",
            live,
        )
        assert run(capsys, "eval", "--set", labelled, *arguments)[0] == 0
    replayed = ("--judge", "replay", "--replay-file", records, "--out", again)
    assert run(capsys, "eval", "--set", labelled, *replayed)[0] == 0
    first, second = (json.loads(p.read_text(encoding="utf-8")) for p in (live, again))
    assert [(r["id"], r["total"], r["levels"]) for r in first["rows"]] == [
        (r["id"], r["total"], r["levels"]) for r in second["rows"]
    ]
    assert first["figures"]["judged"] == 6


def test_records_name_model_day_prompt_and_parameters(
    capsys: pytest.CaptureFixture[str], pins: Path, tmp_path: Path
) -> None:
    with scripted([judged()]) as server:
        arguments = ("--judge", "llm", "--base-url", server.base_url, "--model", "m", "--record", tmp_path / "r.jsonl")
        assert run(capsys, "eval", "--pins", pins, *arguments)[0] == 0
    record = json.loads((tmp_path / "r.jsonl").read_text(encoding="utf-8"))
    assert record["model"] == "scripted-1"
    assert len(record["recorded_at"]) == len("2026-11-25")
    assert len(record["prompt"]) == 64
    assert record["judge"]["repair_calls"] == 2


def test_there_is_nothing_to_record_offline(capsys: pytest.CaptureFixture[str], pins: Path, tmp_path: Path) -> None:
    code, _, err = run(capsys, "eval", "--pins", pins, "--judge", "offline", "--record", tmp_path / "r.jsonl")
    assert code == 2
    assert "no LLM is asked" in err


def test_a_record_that_cannot_be_written_is_told_before_anything_is_asked(
    capsys: pytest.CaptureFixture[str], pins: Path, tmp_path: Path
) -> None:
    with scripted([judged()]) as server:
        arguments = ("--judge", "llm", "--base-url", server.base_url, "--model", "m")
        code, _, err = run(capsys, "eval", "--pins", pins, *arguments, "--record", tmp_path / "no" / "r.jsonl")
        assert server.requests == []
    assert code == 2
    assert "cannot be written" in err


def test_a_baseline_shows_each_grade_before_and_after(
    capsys: pytest.CaptureFixture[str], pins: Path, tmp_path: Path
) -> None:
    before = tmp_path / "before.json"

    def grade(level: int, *more: object) -> tuple[int, str, str]:
        with scripted([judged(level)]) as server:
            endpoint = ("--judge", "llm", "--base-url", server.base_url, "--model", "m", "--no-cache")
            return run(capsys, "eval", "--pins", pins, *endpoint, *more)

    assert grade(2, "--out", before)[0] == 0
    code, out, _ = grade(3, "--baseline", before)
    assert code == 0
    assert "1 grades differ" in out
    assert "overall 3 -> 4" in out
    assert "tradeoffs 2 -> 3" in out


def test_a_broken_floor_ends_with_one(capsys: pytest.CaptureFixture[str], labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"floors: [{{name: never, set: {labelled.name}, expect: {{flags: [hype]}}}}]", encoding="utf-8"
    )
    code, out, _ = run(capsys, "eval", "--pins", tmp_path / "p.yaml", "--judge", "offline")
    assert code == 1
    assert "BROKEN  never: a0" in out
    assert "0 of 1 floors (offline)" in out


def test_a_page_of_pins_is_bad_use(capsys: pytest.CaptureFixture[str], pins: Path, tmp_path: Path) -> None:
    assert run(capsys, "eval", "--pins", pins, "--judge", "offline", "--html", tmp_path / "p.html")[0] == 2


def test_probes_are_run_shown_and_written(capsys: pytest.CaptureFixture[str], labelled: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "card.json", tmp_path / "card.html"
    arguments = ("--judge", "offline", "--probe", "repeat", "--probe", "pad", "--out", out, "--html", page)
    code, told, err = run(capsys, "eval", "probe", "--set", labelled, *arguments)
    assert code == 0
    assert "up to 3 times" in err
    assert "Repeated call" in told
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [p["name"] for p in document["probes"]] == ["repeat", "pad"]
    assert "Report card" in page.read_text(encoding="utf-8")


def test_a_gate_ends_with_one_where_something_is_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, labelled: Path
) -> None:
    row = json.loads(labelled.read_text(encoding="utf-8").splitlines()[0])
    many = [row | {"id": f"a{n}", "answer": f"{ANSWER} Number {n}. Clicks lie."} for n in range(12)]
    labelled.write_text("\n".join(map(json.dumps, many)), encoding="utf-8")

    def obeys(body: dict[str, object]) -> Reply:
        return judged(1 if "roughly how I look at it" in str(body) else 3)

    with scripted(obeys) as server:
        endpoint = ("--judge", "llm", "--base-url", server.base_url, "--model", "m", "--probe", "pad")
        assert run(capsys, "eval", "probe", "--set", labelled, *endpoint)[0] == 0
        code, out, _ = run(capsys, "eval", "probe", "--set", labelled, *endpoint, "--gate")
    assert code == 1
    assert "LOWERS, FLIPS" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("eval",), "what is to be measured"),
        (("eval", "probe"), "which answers are to be probed"),
        (("eval", "probe", "--set", "x", "--probe", "nap"), "no probe 'nap'"),
    ],
)
def test_what_is_missing_is_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert told in err
