from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach import Coach
from coach.errors import BankError, JudgeRefused
from coach.evaluation.pins import Expectation, Floor, Pin, PinFile, check_floors, check_pins, load_pin_file
from coach.judgement import Abstained, Evidence, Judged

ROOT = Path(__file__).parent.parent.parent
ANSWER = "I ask what the feed is for, whom it serves, and what it may cost, before any model."


def scripted(level: int) -> Coach:
    quote = (Evidence(quote="what the feed is for"),)
    return Coach(
        judge=ScriptedJudge(lambda id: Judged(criterion_id=id, level=level, evidence=quote)), embedder=HashEmbedder()
    )


def pin(**expect: object) -> Pin:
    return Pin(name="p", question_id="q01", answer=ANSWER, expect=Expectation.model_validate(expect))


def test_a_broken_pin_shows_answer_expected_and_found() -> None:
    broken = check_pins([pin(overall_at_most=2, flags=("hype",))], scripted(4))[0]
    assert broken.answer == ANSWER
    assert broken.expected == "overall_at_most 2, flags ['hype']"
    assert broken.found == "overall 5, flags []"


def test_an_exact_level_is_held_to() -> None:
    assert "levels" in check_pins([pin(levels={"tradeoffs": 3})], scripted(4))[0].found
    assert not check_pins([pin(levels={"tradeoffs": 4})], scripted(4))


def test_a_judge_that_fails_breaks_the_pin_and_says_why() -> None:
    coach = Coach(judge=ScriptedJudge(error=JudgeRefused("bad key", hint="Mend the key.")), embedder=HashEmbedder())
    assert check_pins([pin()], coach)[0].found == "failed: bad key. Mend the key."


def test_a_criterion_left_for_want_of_money_breaks_the_pin() -> None:
    unpaid = ScriptedJudge(lambda id: Abstained(criterion_id=id, reason="the cap is reached", status="over_budget"))
    broken = check_pins([pin(overall_at_most=5)], Coach(judge=unpaid, embedder=HashEmbedder()))
    assert broken[0].found.startswith("failed: ")


def test_no_grade_is_above_no_bound_but_is_none_either() -> None:
    open_coach = Coach(judge=ScriptedJudge(error=JudgeRefused("no")), embedder=HashEmbedder())
    one_word = Pin(name="p", question_id="q01", answer="Eins zwei.", expect=Expectation(graded=True))
    assert not check_pins([one_word], open_coach)  # the screen decides, and gives 0
    assert Expectation(graded=True) != Expectation()


def test_pins_are_chosen_by_the_kind_of_judge() -> None:
    file = PinFile(pins=(pin(), pin().model_copy(update={"name": "able", "judges": ("llm", "offline")})))
    assert [p.name for p in file.meant_for("replay").pins] == ["p"]
    assert [p.name for p in file.meant_for("llm").pins] == ["p", "able"]


def floors(tmp_path: Path, text: str) -> PinFile:
    rows = [
        {"id": f"r{n}", "question_id": "q01", "answer": f"{ANSWER} Number {n}.", "overall": 1 + n % 5, "kind": "k",
         "criteria": {}, "red_flags": ["gaming"] if n == 0 else []}
        for n in range(10)
    ]  # fmt: skip
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "p.yaml").write_text(f"floors:\n  - {{name: f, set: set.jsonl, {text}}}\n", encoding="utf-8")
    return load_pin_file(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("at_least: {overall.within_one: 0.5}", ["0.4"]),  # level 4 throughout gives 5; labels 4 and 5 are within one
        ("at_most: {overall.bias: 1.5}", ["2.0"]),
        ("at_least: {overall.within_one: 0.3}", []),
        ("at_most: {failed: 0}", []),
        ("at_least: {overall.no_such_figure: 0}", ["None"]),
        ("where: {kind: other}, at_most: {failed: 0}", ["none that `where` takes"]),
        ("where: {flag: gaming}, expect: {overall_at_least: 5}", []),
        ("where: {labelled_at_least: 5}, expect: {overall_at_most: 4}, share: 0.5", ["overall 5", "overall 5"]),
        ("limit: 3, expect: {overall_at_most: 4}", ["overall 5"] * 3),
    ],
)
def test_a_floor_that_does_not_hold_is_told(tmp_path: Path, text: str, found: list[str]) -> None:
    broken = check_floors(floors(tmp_path, text).floors, scripted(4))
    assert [b.found.split(" (")[0] for b in broken] == found


def test_a_share_of_answers_may_miss(tmp_path: Path) -> None:
    file = floors(tmp_path, "expect: {overall_at_least: 5}, share: 0.9")
    rows = (tmp_path / "set.jsonl").read_text(encoding="utf-8").splitlines()
    rows[0] = json.dumps(json.loads(rows[0]) | {"answer": "No idea."})  # the screen gives 1
    (tmp_path / "set.jsonl").write_text("\n".join(rows), encoding="utf-8")
    assert not check_floors(file.floors, scripted(4))


def test_a_missed_share_names_every_answer_that_missed(tmp_path: Path) -> None:
    broken = check_floors(floors(tmp_path, "where: {flag: gaming}, expect: {overall_at_most: 1}").floors, scripted(4))
    assert broken[0].name == "f: r0"
    assert broken[0].answer == f"{ANSWER} Number 0."
    assert "0 of 1 are; at least 100% must be" in broken[0].found


def test_a_floor_that_asks_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BankError) as caught:
        floors(tmp_path, "limit: 3")
    assert "at_least, at_most or expect" in caught.value.problems[0]


@pytest.mark.parametrize("floor", load_pin_file(ROOT / "evals" / "pins.yaml").floors, ids=lambda f: f.name)
def test_the_sets_of_the_shipped_floors_are_there(floor: Floor) -> None:
    assert floor.set.exists()
