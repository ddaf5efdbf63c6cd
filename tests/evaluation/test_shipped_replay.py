"""The replies that are shipped: real ones of the small model, and what must hold whatever it says."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from shutil import copytree

import pytest

from coach import Coach, Settings
from coach import prompting as prompting_module
from coach.errors import JudgeUnavailable
from coach.evaluation.pins import Pin, check_pins, load_pin_file
from coach.fingerprints import digest
from coach.judges.replay import ReplayJudge
from coach.prompting import prompt_fingerprint
from coach.resources import data_dir

ROOT = Path(__file__).parent.parent.parent
RECORDS = ROOT / "evals" / "replay" / "smollm2-135m.jsonl"
PINS = load_pin_file(ROOT / "evals" / "pins.yaml").meant_for("replay").pins
LINES = [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def coach(shared_cache: Path) -> Coach:
    return Coach(judge=ReplayJudge(RECORDS), settings=Settings(cache_dir=shared_cache))


def test_the_records_are_to_the_prompts_of_today() -> None:
    assert {r["prompt"] for r in LINES} == {prompt_fingerprint()}, "the prompts have changed: run `make record`"


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_the_recorded_model_keeps_to_the_pins(coach: Coach, pin: Pin) -> None:
    broken = check_pins([pin], coach)
    assert not broken, f"expected {broken[0].expected}, found {broken[0].found}. After a wanted change: `make record`"


def test_every_record_names_its_model_and_day() -> None:
    assert {r["model"] for r in LINES} == {"SmolLM2-135M-Instruct"}
    assert all(len(r["recorded_at"]) == len("2026-11-25") for r in LINES)


def test_the_records_hold_no_addresses_and_no_keys() -> None:
    text = RECORDS.read_text(encoding="utf-8")
    assert not any(word in text for word in ("http://", "127.0.0.1", "api_key"))


def test_the_records_hold_no_paths() -> None:
    assert not re.search(r"""(?:^|[\s"'(=:])/\w+/\w""", RECORDS.read_text(encoding="utf-8"))


def test_a_changed_prompt_invalidates_the_records_visibly(
    coach: Coach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copytree(data_dir("prompts"), tmp_path / "prompts")
    system = tmp_path / "prompts" / "judge.system.md.j2"
    system.write_text("Be kind.\n" + system.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(prompting_module, "data_dir", lambda name: tmp_path / name)
    prompting_module._environment.cache_clear()
    prompting_module._rendered.clear()
    pin = next(p for p in PINS if p.expect.judged_by is None)
    try:
        broken = check_pins([pin], coach)[0]
    finally:
        prompting_module._environment.cache_clear()
        prompting_module._rendered.clear()
    assert "are to other prompts" in broken.found
    assert "make record" in broken.found


def test_an_answer_that_was_never_recorded_is_told_apart_from_that(coach: Coach) -> None:
    with pytest.raises(JudgeUnavailable, match="for this question, rubric and answer"):
        asyncio.run(coach.agrade("q01", (ROOT / "examples" / "q01-model-first.md").read_text(encoding="utf-8")))


def test_the_key_is_that_of_nothing_else() -> None:
    assert len({r["key"] for r in LINES}) == len(LINES)
    assert all(len(r["key"]) == len(digest("")) for r in LINES)
