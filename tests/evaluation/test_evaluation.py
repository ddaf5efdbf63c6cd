"""Evals: pins on the offline judge, figures by hand, runs compared."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from builders import report
from fakes import HashEmbedder, ScriptedJudge
from scipy.stats import spearmanr

from coach import Coach
from coach.bank import load_bank
from coach.cli import main
from coach.errors import BankError, InputError
from coach.evaluation.compare import compare_runs
from coach.evaluation.grade import GradedRow
from coach.evaluation.labels import Labelled, load_labelled
from coach.evaluation.metrics import agreement, levels_agreement
from coach.evaluation.pins import Expectation, Pin, check_pins, load_pins
from coach.judgement import Evidence, Judged
from coach.judges.decision import CARD, DATA, answer_key
from coach.report import CriterionReport, FlagReport, PassageReport, PointReport
from coach.screen import screen_text
from coach.settings import Settings
from evals import ANSWERS, FOREIGN, FRESH, HELD_OUT, PRACTICE
from evals.training.examples import answers_digest, read_second
from evals.training.networks import seen_by_the_network

ROOT = Path(__file__).parent.parent.parent
PINS = load_pins(ROOT / "evals" / "pins.yaml")


@pytest.fixture(scope="module")
def offline(shared_cache: Path) -> Coach:
    return Coach(judge="offline", settings=Settings(cache_dir=shared_cache))


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: pin.name)
def test_the_offline_judge_keeps_to_its_pins(offline: Coach, pin: Pin) -> None:
    broken = check_pins([pin], offline)
    assert not broken, f"expected {pin.expect}, found {broken[0].found}"


def test_the_shipped_figures_on_unseen_questions_keep_their_floors() -> None:
    held_out = json.loads((DATA / CARD).read_text(encoding="utf-8"))["held_out_questions"]
    assert held_out["overall"]["qwk"] >= 0.8
    assert held_out["total_spearman"] >= 0.8
    assert abs(held_out["baselines_spearman"]["length"]) < 0.2


def test_the_shipped_figures_are_those_of_the_answers_at_hand() -> None:
    card = json.loads((DATA / CARD).read_text(encoding="utf-8"))
    assert card["answers_digest"] == answers_digest(
        [*load_labelled(ANSWERS), *load_labelled(HELD_OUT)], read_second(ANSWERS, HELD_OUT)
    )


def test_the_network_was_trained_on_the_answers_meant_for_it_and_no_others() -> None:
    assert seen_by_the_network(DATA) == {answer_key(r.answer) for r in load_labelled(ANSWERS)}


@pytest.mark.parametrize("held", [FRESH, FOREIGN, HELD_OUT])
def test_no_question_brought_along_for_measuring_was_trained_on(held: Path) -> None:
    trained = {r.group for r in load_labelled(ANSWERS)}
    assert not trained & {r.group for r in load_labelled(held) if not isinstance(r.asked, str)}


@pytest.mark.parametrize("held", [FRESH, FOREIGN, PRACTICE])
def test_no_decision_was_fitted_on_answers_that_tell_what_it_is_worth(held: Path) -> None:
    fitted = {r.answer for r in (*load_labelled(ANSWERS), *load_labelled(HELD_OUT))}
    assert not fitted & {r.answer for r in load_labelled(held)}


def test_the_network_never_saw_an_answer_that_its_decision_is_fitted_on() -> None:
    assert not {r.answer for r in load_labelled(ANSWERS)} & {r.answer for r in load_labelled(HELD_OUT)}


def scripted(level: int) -> Coach:
    quote = (Evidence(quote="what the feed is for"),)
    return Coach(
        judge=ScriptedJudge(lambda id: Judged(criterion_id=id, level=level, evidence=quote)), embedder=HashEmbedder()
    )


ANSWER = "I ask what the feed is for, whom it serves, and what it may cost, before any model."


@pytest.mark.parametrize(
    ("expect", "level", "found"),
    [
        (Expectation(overall_at_least=4), 1, "overall 2"),
        (Expectation(overall_at_most=2), 4, "overall 5"),
        (Expectation(total_at_most=10), 4, "total 100.0"),
        (Expectation(flags=("hype",)), 4, "flags []"),
        (Expectation(judged_by="screen"), 4, "judged by llm"),
        (Expectation(no_total=True), 4, "total 100.0"),
        (Expectation(overall_at_least=4, no_flags=("hype",)), 4, ""),
    ],
)
def test_a_broken_pin_is_told_with_what_was_found(expect: Expectation, level: int, found: str) -> None:
    pin = Pin(name="p", question_id="q01", answer=ANSWER, expect=expect)
    assert "".join(b.found for b in check_pins([pin], scripted(level))) == found


def test_a_pin_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        "pins: [{name: a, question_id: q01, answer: b, expect: {overall: 3}}]", encoding="utf-8"
    )
    with pytest.raises(BankError):
        load_pins(tmp_path / "p.yaml")


def graded(
    id: str, level: int, labelled: int, *, flags: tuple[str, ...] = (), labels: tuple[str, ...] = ()
) -> GradedRow:
    criterion = CriterionReport(id="bias", level=level, status="ok", weight=100, points=25.0 * level, rationale="")
    made = report(
        id=id,
        criteria=(criterion,),
        overall=level + 1,
        total=25.0 * level,
        red_flags=tuple(FlagReport(id=f, cap=10) for f in flags),
        points=(),
    )
    label = Labelled(
        id, "q01", "answer " * (level + 1), labelled + 1, {"bias": labelled}, frozenset(labels), frozenset(), None
    )
    return GradedRow(label, made)


def test_agreement_of_levels_is_that_of_the_textbook() -> None:
    import numpy as np

    told = levels_agreement(np.array([0, 1, 2, 3]), np.array([0, 1, 2, 4]))
    assert (told["exact"], told["within_one"], told["bias"]) == (0.75, 1.0, -0.25)
    # By hand: squared distances seen 0+0+0+1 over 4 pairs; by chance 56 over all 16 pairs.
    assert told["qwk"] == pytest.approx(1 - (1 / 4) / (56 / 16), abs=1e-3)


def test_an_answer_that_failed_has_no_cosine() -> None:
    passages = [(PassageReport(start=0, end=1, cosine=n / 10),) for n in range(4)]
    made = [
        g._replace(
            report=g.report.model_copy(
                update={"points": (PointReport(id="p", text="P", status="missing", passages=p),)}
            )
        )
        for g, p in zip([graded(f"g{n}", n, n) for n in range(4)], passages, strict=True)
    ]
    assert agreement([*made, graded("lost", 4, 4)])["baselines_spearman"]["cosine_coverage"] == 1.0


def test_counts_flags_and_criteria_are_told() -> None:
    rows = [
        graded("a", 0, 0, flags=("hype",), labels=("hype",)),
        graded("b", 2, 2, flags=("hype",)),
        graded("c", 4, 3, labels=("gaming",)),
        *(graded(f"d{n}", n % 5, n % 5) for n in range(40)),
    ]
    told = agreement(rows)
    assert (told["judged"], told["abstained"], told["failed"]) == (43, 0, 0)
    assert told["red_flags"]["micro_f1"] == 0.5
    hype = told["red_flags"]["hype"]
    assert (hype["labelled"], hype["raised"], hype["right"]) == (1, 2, 1)
    assert (hype["precision"], hype["recall"]) == (0.5, 1.0)
    assert told["criteria"]["bias"]["within_one"] == 1.0


def run_of(*levels: int, flag: bool = False) -> dict[str, object]:
    rows = [
        {"id": str(n), "overall": v, "levels": {"bias": v}, "red_flags": ["hype"] if flag else []}
        for n, v in enumerate(levels)
    ]
    return {"rows": rows}


def test_a_shift_of_every_answer_is_beyond_noise() -> None:
    changes = {c.what: c for c in compare_runs(run_of(*[2] * 20), run_of(*[3] * 20))}
    assert changes["bias"].beyond_noise


def test_one_answer_of_twenty_is_noise() -> None:
    changes = compare_runs(run_of(*[2] * 20), run_of(*[2] * 19, 3))
    assert not any(c.beyond_noise for c in changes)


def test_a_flag_that_comes_up_everywhere_is_beyond_noise() -> None:
    changes = {c.what: c for c in compare_runs(run_of(*[2] * 20), run_of(*[2] * 20, flag=True))}
    assert changes["hype"].beyond_noise


def test_runs_over_other_answers_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="share no answer"):
        compare_runs({"rows": []}, run_of(1))


def test_all_labelled_answers_are_read() -> None:
    assert len(load_labelled(ROOT / "evals" / "answers")) == 12399


def test_a_line_that_is_no_label_is_told(tmp_path: Path) -> None:
    (tmp_path / "l.jsonl").write_text('{"id": "a"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        load_labelled(tmp_path / "l.jsonl")


def test_the_command_measures_writes_and_compares(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    wanted = ["eval", "--set", str(ROOT / "evals" / "answers" / "part-2.jsonl"), "--judge", "offline", "--limit", "12"]
    assert main([*wanted, "--out", str(first)]) == 0
    out, err = capsys.readouterr()
    assert "overall" in out
    assert "these figures flatter it" in err
    assert main([*wanted, "--out", str(second)]) == 0
    assert main(["eval", "--compare", str(first), str(second)]) == 0


def test_a_broken_pin_ends_with_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(
        f"pins: [{{name: never, question_id: q01, answer: {ANSWER!r}, expect: {{flags: [hype]}}}}]", encoding="utf-8"
    )
    assert main(["eval", "--pins", str(tmp_path / "p.yaml"), "--judge", "offline"]) == 1
    assert "BROKEN  never" in capsys.readouterr().out


def test_nothing_to_measure_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval"]) == 2


def test_length_tells_no_merit_and_the_page_on_the_labels_says_so() -> None:
    rows = [*load_labelled(ANSWERS), *load_labelled(HELD_OUT)]
    length = spearmanr([len(r.answer) for r in rows], [r.overall for r in rows])[0]
    flags = Counter(flag for r in rows for flag in r.red_flags)
    rarest, count = min(flags.items(), key=lambda item: item[1])
    told = (
        f"Over all {len(rows):,} answers length and hiring signal correlate at Spearman {length:.2f}; "
        f"the rarest flag, `{rarest}`, is labelled in {count}."
    )
    assert abs(length) <= 0.2
    assert told in (ROOT / "evals" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def screened() -> list[tuple[Labelled, set[str]]]:
    """Every labelled answer with the checks that speak up."""
    question = load_bank().question("q01")
    rows = [row for folder in (ANSWERS, HELD_OUT, FRESH, PRACTICE, FOREIGN) for row in load_labelled(folder)]
    return [(row, {finding.check for finding in screen_text(row.answer, question, ())}) for row in rows]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("addressed_to_grader", "| text addressed to the grader | 261, 134 | {found}, {right} |"),
        ("keyword_list", "| list of terms | 261, 116 | {found}, {right}; "),
    ],
)
def test_the_page_on_the_labels_says_what_the_screen_finds_in_them(
    screened: list[tuple[Labelled, set[str]]], check: str, said: str
) -> None:
    found = [row for row, checks in screened if check in checks]
    told = said.format(found=len(found), right=sum("gaming" in row.red_flags for row in found))
    assert told in (ROOT / "evals" / "README.md").read_text(encoding="utf-8")
