from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach import Coach
from coach.errors import InputError
from coach.evaluation.grade import grade_all
from coach.evaluation.labels import Labelled, load_labelled, spread
from coach.judgement import Evidence, Judged

BROUGHT = {
    "id": "f1",
    "topic": "caches",
    "question": "When does a cache pay?",
    "reference": "When reads repeat and stale data is bearable.",
    "answer": "When the same things are read again and again, and old values do no harm for a while.",
    "overall": 4,
    "criteria": {"expert_coverage": 3},
}


def load(tmp_path: Path, *rows: dict[str, object], name: str = "foreign.jsonl") -> tuple[Labelled, ...]:
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    return load_labelled(path)


def test_a_row_may_bring_its_question(tmp_path: Path) -> None:
    row = load(tmp_path, BROUGHT)[0]
    assert (row.question_id, row.question, row.group) == ("", BROUGHT["question"], "caches")


def test_a_question_without_a_topic_is_its_own_group(tmp_path: Path) -> None:
    assert load(tmp_path, BROUGHT | {"topic": ""})[0].group == BROUGHT["question"]


def test_a_row_of_the_bank_is_grouped_by_its_question(tmp_path: Path) -> None:
    assert load(tmp_path, {"id": "a", "question_id": "q01", "answer": "b", "overall": 2})[0].group == "q01"


def test_the_kind_is_the_rows_own_or_its_file(tmp_path: Path) -> None:
    rows = load(tmp_path, BROUGHT, BROUGHT | {"id": "f2", "kind": "terse"})
    assert [r.kind for r in rows] == ["foreign", "terse"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"overall": 9},
        {"overall": "Infinity"},
        {"answer": None},
        {"criteria": {"tradeoffs": "n/a"}},
        {"red_flags": "hype"},
        {"covered": [0]},
    ],
)
def test_a_label_off_the_scale_is_told_with_its_line(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"line 2 is no labelled answer: {next(iter(wrong))}"):
        load(tmp_path, BROUGHT, BROUGHT | {"id": "f2"} | wrong)


def test_an_id_that_stands_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 answers with the id 'f1'"):
        load(tmp_path, BROUGHT, BROUGHT)


def test_a_line_separator_within_an_answer_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text(json.dumps(BROUGHT | {"answer": "one\u2028two"}, ensure_ascii=False) + "\n\n", encoding="utf-8")
    assert load_labelled(path)[0].answer == "one\u2028two"


def test_a_question_without_a_reference_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"line 1.*reference"):
        load(tmp_path, {k: v for k, v in BROUGHT.items() if k != "reference"})


def test_a_brought_question_is_graded(tmp_path: Path) -> None:
    row = load(tmp_path, BROUGHT)[0]
    quote = (Evidence(quote="read again and again"),)
    judge = ScriptedJudge(lambda id: Judged(criterion_id=id, level=3, evidence=quote))
    report = grade_all(Coach(judge=judge, embedder=HashEmbedder()), [row.row])[0]
    assert (report.id, report.question, report.overall) == ("f1", BROUGHT["question"], 4)


def rows(questions: int, each: int) -> tuple[Labelled, ...]:
    return tuple(
        Labelled(f"q{q}-{n}", f"q{q}", "answer", 1, {}, frozenset(), frozenset(), None)
        for q in range(questions)
        for n in range(each)
    )


def test_a_few_answers_are_spread_over_all_questions() -> None:
    chosen = spread(rows(questions=5, each=8), 10)
    assert sorted(r.question_id for r in chosen) == [f"q{q}" for q in range(5) for _ in range(2)]


def test_they_keep_their_order_and_are_the_same_each_time() -> None:
    all_rows = rows(questions=3, each=7)
    chosen = spread(all_rows, 9)
    assert list(chosen) == [r for r in all_rows if r in chosen]
    assert chosen == spread(all_rows, 9)


@pytest.mark.parametrize("limit", [None, 21, 99])
def test_without_a_limit_in_reach_all_are_taken(limit: int | None) -> None:
    all_rows = rows(questions=3, each=7)
    assert spread(all_rows, limit) == all_rows


@pytest.mark.parametrize("limit", range(1, 21))
def test_as_many_as_asked_for_are_taken_once_each(limit: int) -> None:
    chosen = spread(rows(questions=3, each=7), limit)
    assert len({r.id for r in chosen}) == limit
