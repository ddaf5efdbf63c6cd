"""Small parts of the LLM judge: retries, quirks, prices, contradictions."""

from __future__ import annotations

import email.utils
import json
import time
from pathlib import Path

import pytest

from coach.errors import BankError
from coach.judgement import Judged, Usage
from coach.judges.chat import Quirks
from coach.judges.contradiction import contradiction
from coach.judges.quirks import KEEP_SECONDS, QuirkNotes, learn, step_down
from coach.judges.retry import retry_after
from coach.pricing import Price, add_usage, cost_of, load_prices, price_of


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-5"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    wait = retry_after({"retry-after": email.utils.formatdate(time.time() + 30, usegmt=True)})
    assert wait == pytest.approx(30, abs=3)


def test_the_ladder_ends_at_text() -> None:
    assert step_down(Quirks(rung="text")) is None


def test_a_refusal_about_something_else_teaches_nothing() -> None:
    assert learn(Quirks(), 400, "context too long") is None


def test_a_status_that_is_no_refusal_teaches_nothing() -> None:
    assert learn(Quirks(), 429, "json_schema") is None


def test_seed_is_dropped_where_it_is_unknown() -> None:
    lesson = learn(Quirks(), 422, "unknown field 'seed'")
    assert lesson is not None
    assert not lesson.seed


def notes(tmp_path: Path) -> QuirkNotes:
    return QuirkNotes(tmp_path, base_url="http://127.0.0.1/v1", model="m")


def test_notes_are_kept(tmp_path: Path) -> None:
    notes(tmp_path).write(Quirks(rung="text"))
    assert notes(tmp_path).read().rung == "text"


def test_notes_of_another_model_are_not_taken(tmp_path: Path) -> None:
    notes(tmp_path).write(Quirks(rung="text"))
    assert QuirkNotes(tmp_path, base_url="http://127.0.0.1/v1", model="n").read().rung == "json_schema"


@pytest.mark.parametrize(
    "damage", ["", "{", '{"at": 0}', '{"at": "x", "quirks": {}}', '{"at": 9e12, "quirks": {"x": 1}}']
)
def test_damaged_notes_are_passed_over(tmp_path: Path, damage: str) -> None:
    notes(tmp_path).write(Quirks(rung="text"))
    next((tmp_path / "endpoints").iterdir()).write_text(damage, encoding="utf-8")
    assert notes(tmp_path).read() == Quirks()


def test_old_notes_are_passed_over(tmp_path: Path) -> None:
    notes(tmp_path).write(Quirks(rung="text"))
    path = next((tmp_path / "endpoints").iterdir())
    note = json.loads(path.read_text(encoding="utf-8")) | {"at": time.time() - KEEP_SECONDS - 1}
    path.write_text(json.dumps(note), encoding="utf-8")
    assert notes(tmp_path).read() == Quirks()


def test_openai_is_asked_by_the_newer_name_for_room() -> None:
    quirks = QuirkNotes(None, base_url="https://api.openai.com/v1", model="m").read()
    assert quirks.token_limit == "max_completion_tokens"


def test_a_dated_model_has_the_price_of_its_family() -> None:
    prices = {"gpt-5": Price(prompt=1, completion=2), "gpt-5-mini": Price(prompt=3, completion=4)}
    assert price_of("gpt-5-mini-2025-08-07", prices) == prices["gpt-5-mini"]


def test_another_model_of_a_like_name_has_no_price() -> None:
    assert price_of("gpt-5-turbo", {"gpt-5": Price(prompt=1, completion=2)}) is None


def test_an_unknown_price_is_no_money() -> None:
    assert cost_of(Usage(calls=1, prompt_tokens=10), None) is None


def test_users_override_prices(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("prices: {mine: {prompt: 1, completion: 2}}", encoding="utf-8")
    prices = load_prices(tmp_path / "p.yaml")
    assert {"mine", "gpt-5-mini"} <= prices.keys()


def test_a_negative_price_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("prices: {mine: {prompt: -1, completion: 2}}", encoding="utf-8")
    with pytest.raises(BankError):
        load_prices(tmp_path / "p.yaml")


def test_money_is_unknown_where_a_part_is() -> None:
    assert add_usage(Usage(calls=1, cost_usd=0.1), Usage(calls=1)).cost_usd is None


def test_no_call_leaves_money_alone() -> None:
    assert add_usage(Usage(), Usage(calls=1, cost_usd=0.1)).cost_usd == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("level", "rationale", "speaks_against"),
    [
        (3, "Tradeoffs are absent.", True),
        (4, "There is no mention of latency.", True),
        (0, "An excellent and thorough account.", True),
        (3, "Names a price.", False),
        (0, "Tradeoffs are absent.", False),
        (1, "Thorough in tone, but empty.", False),
        (3, "Clear, although monitoring is not mentioned.", False),
    ],
)
def test_a_rationale_may_contradict_its_level(level: int, rationale: str, speaks_against: bool) -> None:
    found = contradiction(Judged(criterion_id="a", level=level, rationale=rationale))
    assert (found is not None) == speaks_against


PHRASES = [
    (3, "Framing is absent.", True),
    (3, "Tradeoffs are absent from the answer.", True),
    (3, "The answer never mentions long-term metrics.", True),
    (3, "There is no mention of tradeoffs.", True),
    (3, "No tradeoffs are discussed.", True),
    (3, "No alternatives are named.", True),
    (3, "It fails to mention any alternative.", True),
    (3, "Nothing is said about monitoring.", True),
    (3, "The answer says nothing about users.", True),
    (3, "Does not address the user at all.", True),
    (3, "It does not discuss tradeoffs.", True),
    (3, "This criterion is not met.", True),
    (3, "Missing.", True),
    (3, "Long-term value is missing.", True),
    (3, "The candidate ignores long-term metrics entirely.", True),
    (3, "No evidence of systems thinking.", True),
    (3, "There are no tradeoffs here.", True),
    (3, "Level 0: nothing here.", True),
    (3, "This deserves a level 1.", True),
    (3, "I would give level 0.", True),
    (3, "The answer lacks any tradeoff.", True),
    (3, "Metrics are not mentioned anywhere.", True),
    (3, "There isn't any mention of rollback.", True),
    (3, "Completely missing.", True),
    (4, "No mention of clicks as the goal, which is right: it names saves.", False),
    (4, "It does not treat offline metrics as decisive.", False),
    (4, "Clear goal first; what is missing is a number.", False),
    (4, "Weighs two options and says what is lost.", False),
    (4, "Nothing is wasted.", False),
    (4, "It notes that clicks are not the goal.", False),
    (4, "The answer says nothing is certain before an experiment.", False),
    (4, "Never mentions a model before the goal, as it should.", False),
    (4, "It covers most points; only the hybrid is missing.", False),
    (4, "No absolutes; alternatives are weighed.", False),
    (4, "Names latency, although cost is absent.", False),
    (0, "Excellent, names everything an expert would.", True),
    (0, "Thorough and clear.", True),
    (0, "Outstanding framing of the goal.", True),
    (0, "Fully covers the expert points.", True),
    (0, "This is a strong answer with real tradeoffs.", True),
    (0, "Level 4: purpose drives everything.", True),
    (0, "Deserves level 3.", True),
    (1, "Not thorough.", False),
    (1, "It is comprehensive in jargon only.", False),
    (1, "Claims to be thorough but says nothing.", False),
    (1, "Far from excellent.", False),
    (1, "Lacks the expert-level detail.", False),
    (1, "No strong point.", False),
    (3, "Clear goal first; no tradeoffs are discussed.", False),
    (2, "It would need a number for level 3.", False),
    (2, "So level 2.", False),
    (1, "Short of level 2: one option, not weighed.", False),
]


@pytest.mark.parametrize(("level", "rationale", "speaks_against"), PHRASES)
def test_a_contradiction_is_seen_in_many_wordings(level: int, rationale: str, speaks_against: bool) -> None:
    assert (contradiction(Judged(criterion_id="a", level=level, rationale=rationale)) is not None) == speaks_against
