from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from coach.bank import MAX_DERIVED_POINTS, load_bank, with_points
from coach.bank_check import check_bank, init_bank
from coach.errors import BankError, InputError
from coach.models import Question
from coach.resources import data_dir


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A valid bank of one question, in a folder of its own."""
    init_bank(tmp_path / "bank")
    return tmp_path / "bank"


def change(bank: Path, **values: object) -> None:
    """Overwrite keys of the question's file; None deletes."""
    path = bank / "questions" / "caching.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) | values
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}), encoding="utf-8")


def test_the_starter_bank_is_valid(bank: Path) -> None:
    assert check_bank(bank) == ()


def test_a_bank_is_never_overwritten(bank: Path) -> None:
    with pytest.raises(InputError, match="holds a bank already"):
        init_bank(bank)


def test_only_the_question_asked_for_is_read(bank: Path) -> None:
    (bank / "bank.yaml").write_text("id: b\ntitle: B\nquestions: [caching, broken]\n", encoding="utf-8")
    (bank / "questions" / "broken.yaml").write_text("id: [", encoding="utf-8")
    assert load_bank(bank).question("caching").id == "caching"


def test_an_unknown_id_suggests_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        load_bank().question("q7")
    assert "q07" in caught.value.hint


def test_a_folder_without_a_bank_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(BankError, match=r"bank\.yaml is missing") as caught:
        load_bank(tmp_path)
    assert "bank init" in caught.value.hint


def test_weights_of_the_question_make_the_rubric(bank: Path) -> None:
    change(bank, weights={"tradeoffs": 30, "expert_coverage": 70, "communication": None})
    loaded = load_bank(bank)
    rubric = loaded.rubric(loaded.question("caching"))
    assert {c.id: c.weight for c in rubric.criteria} == {"tradeoffs": 30, "expert_coverage": 70}


def test_a_question_brought_along_weighs_expert_coverage_most() -> None:
    rubric = load_bank().rubric(Question(question="Why?", reference="So."))
    assert max(rubric.criteria, key=lambda c: c.weight).id == "expert_coverage"
    assert sum(c.weight for c in rubric.criteria) == 100


def test_a_question_brought_along_is_looked_at_for_general_flags_only() -> None:
    flags = {f.id for f in load_bank().rubric(Question(question="Why?", reference="So.")).red_flags}
    assert flags == {"absolutes", "blame_or_ego", "hype", "off_topic", "gaming"}


def test_points_are_cut_from_texts() -> None:
    points = with_points(Question(question="Why?", reference="So."), ["One.", " ", "Two."]).points
    assert [(p.id, p.text) for p in points] == [("brought.1", "One."), ("brought.2", "Two.")]


def test_many_texts_share_the_last_point() -> None:
    points = with_points(Question(question="Why?", reference="So."), [f"t{n}." for n in range(30)]).points
    assert len(points) == MAX_DERIVED_POINTS
    assert points[-1].text.endswith("t29.")


POINT = {"id": "caching.1", "text": "One."}
FAULTS: list[tuple[dict[str, object], str]] = [
    ({"wieghts": {}}, "wieghts: unknown key. Fix: rename it to 'weights' or delete it."),
    ({"reference": None}, "reference: is missing. Fix: add it."),
    ({"id": "cash"}, "id: is 'cash', but the file is named caching.yaml."),
    ({"weights": {"expert_coverage": 50}}, "weights: weights sum to 50, not 100."),
    ({"weights": {"expert_coverage": 120, "tradeoffs": -20}}, "weights.tradeoffs: weight -20 is not above 0."),
    ({"weights": {"expert_coverage": 50, "style": 50}}, "weights.style: no such criterion."),
    ({"weights": {"expert_coverage": None}}, "weights: no criterion has a weight."),
    ({"weights": {"tradeoffs": 100}}, "points: nobody can reach them, expert_coverage has no weight."),
    ({"points": None}, "points: are missing."),
    ({"points": [POINT, {**POINT, "text": "Two."}]}, "points: id 'caching.1' stands 2 times."),
    ({"points": [POINT, {"id": "b", "text": "one. "}]}, "points: 'one.' stands 2 times, nobody can win it twice."),
    ({"points": [{"id": "a", "text": " "}]}, "points.0.text: string should match pattern"),
    ({"red_flags": {"rudeness": "Shouts."}}, "red_flags.rudeness: no such red flag."),
    ({"weights": {"tradeoffs": float("nan")}}, "weights.tradeoffs: input should be a finite number"),
]


@pytest.mark.parametrize(("values", "problem"), FAULTS)
def test_each_fault_names_file_key_and_fix(bank: Path, values: dict[str, object], problem: str) -> None:
    change(bank, **values)
    told = check_bank(bank)
    assert any(line.startswith(f"caching.yaml: {problem}") for line in told), told
    assert all("Fix:" in line for line in told)


def test_all_faults_are_told_at_once(bank: Path) -> None:
    change(bank, weights={"expert_coverage": 50}, red_flags={"rudeness": "Shouts."}, id="cash")
    assert len(check_bank(bank)) == 3


def test_files_and_list_must_agree(bank: Path) -> None:
    (bank / "bank.yaml").write_text("id: b\ntitle: B\nquestions: [gone, gone]\n", encoding="utf-8")
    told = "\n".join(check_bank(bank))
    assert "'gone' stands 2 times" in told
    assert "'gone' has no file" in told
    assert "questions/caching.yaml: is not listed" in told


@pytest.mark.parametrize(
    ("yaml_text", "problem"),
    [
        ("id: a\nid: b\n", "key 'id' stands twice"),
        ("id: [\n", "line 2"),
        ("a: &x [1]\nb: *x\n", "aliases (*name) are not allowed"),
        ("- 1\n", "holds list, not keys with values"),
        ("", "holds NoneType"),
        ("version: 2024-13-45\n", "line 1, column 10: '2024-13-45' cannot be read as timestamp"),
        ("a: !!int x\n", "'x' cannot be read as int"),
        ("a: !!bool x\n", "'x' cannot be read as bool"),
        ("a: !!map [x]\n", "expected a mapping node"),
    ],
)
def test_broken_yaml_is_told_with_its_place(bank: Path, yaml_text: str, problem: str) -> None:
    (bank / "questions" / "caching.yaml").write_text(yaml_text, encoding="utf-8")
    told = check_bank(bank)
    assert len(told) == 1
    assert problem in told[0]


def test_a_file_in_another_encoding_is_told(bank: Path) -> None:
    (bank / "questions" / "caching.yaml").write_bytes("id: café".encode("latin-1"))
    assert "not UTF-8" in check_bank(bank)[0]


def shipped_criteria() -> dict[str, list[dict[str, Any]]]:
    content: dict[str, list[dict[str, Any]]] = yaml.safe_load(
        (data_dir("rubrics") / "criteria.yaml").read_text(encoding="utf-8")
    )
    return content


def test_levels_must_run_without_a_gap(bank: Path) -> None:
    content = shipped_criteria()
    del content["criteria"][0]["levels"][2]
    (bank / "criteria.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert "criteria.yaml: product_framing.levels: level 2 is missing" in check_bank(bank)[0]


def test_criteria_must_have_ids_of_their_own(bank: Path) -> None:
    content = shipped_criteria()
    content["criteria"][1]["id"] = "product_framing"
    (bank / "criteria.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    assert any("'product_framing' stands 2 times" in line for line in check_bank(bank))


def test_a_question_that_names_unknown_flags_cannot_be_graded(bank: Path) -> None:
    change(bank, red_flags={"rudeness": "Shouts."})
    loaded = load_bank(bank)
    with pytest.raises(BankError, match="'rudeness'"):
        loaded.rubric(loaded.question("caching"))


@pytest.mark.parametrize("weight", [-30, 130])
def test_a_weight_nobody_can_win_is_told(bank: Path, weight: float) -> None:
    change(bank, weights={"tradeoffs": weight, "communication": 70})
    loaded = load_bank(bank)
    with pytest.raises(BankError, match=f"tradeoffs {weight}"):
        loaded.rubric(loaded.question("caching"))


def test_a_bank_that_lacks_a_level_is_not_opened(bank: Path) -> None:
    content = shipped_criteria()
    del content["criteria"][0]["levels"][4]
    (bank / "criteria.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(BankError, match="product_framing"):
        load_bank(bank)


def test_points_of_a_question_with_a_long_id_have_ids() -> None:
    points = with_points(Question(id="q" * 64, question="Why?", reference="So."), ["One."]).points
    assert points[0].id == f"{'q' * 60}.1"
