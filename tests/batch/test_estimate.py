from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach.batch.estimate import SAMPLE, Estimate, Model, count, estimate
from coach.batch.journal import Journal
from coach.batch.keys import Keys
from coach.batch.records import Grade
from coach.batch.rows import Entry, rows_of
from coach.pipeline import Pipeline
from coach.pricing import REPLY_TOKENS, Price
from coach.settings import Settings

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes."
PIPELINE = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
PRICES = {"m": Price(prompt=1.0, completion=10.0)}


def estimated(
    *answers: str,
    models: tuple[Model, ...] = (Model("m", 1),),
    journal: Journal | None = None,
    pipeline: Pipeline = PIPELINE,
) -> Estimate:
    rows = rows_of({"question_id": "q01", "answer": a} for a in answers)
    return estimate(pipeline, rows, models=models, prices=PRICES, concurrency=2, journal=journal)


def test_rows_are_counted_by_what_has_to_be_done() -> None:
    found = estimated(ANSWER, ANSWER, ANSWER + " More.")
    assert (found.rows, found.same, found.to_judge, found.calls) == (3, 1, 2, 2)


def test_every_call_is_priced() -> None:
    one, two = estimated(ANSWER), estimated(ANSWER, models=(Model("m", 2),))
    assert (one.completion_tokens, two.completion_tokens) == (REPLY_TOKENS, 2 * REPLY_TOKENS)
    assert one.cost_usd == pytest.approx((one.prompt_tokens + 10 * REPLY_TOKENS) / 1e6)
    assert two.cost_usd == pytest.approx(2 * (one.cost_usd or 0))


def test_labelled_answers_that_are_sent_along_count(tmp_path: Path) -> None:
    shown = "An answer that is shown. " * 40
    row = {"question_id": "q01", "answer": shown, "criteria": {"tradeoffs": 2}}
    (tmp_path / "labelled.jsonl").write_text(json.dumps(row), encoding="utf-8")
    settings = Settings(few_shot=1, few_shot_file=tmp_path / "labelled.jsonl")
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder(), settings=settings)
    assert estimated(ANSWER, pipeline=pipeline).prompt_tokens > estimated(ANSWER).prompt_tokens + len(shown) / 5


def test_a_model_without_a_price_leaves_the_sum_open() -> None:
    assert estimated(ANSWER, models=(Model("unknown", 1),)).cost_usd is None


def test_what_a_check_decides_costs_no_call() -> None:
    assert estimated("Yes.").calls == 0


def test_a_local_judge_costs_nothing() -> None:
    found = estimated(ANSWER, models=())
    assert (found.calls, found.cost_usd) == (0, 0)


def test_what_the_journal_holds_is_not_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    journal.keep([(Keys(PIPELINE).key(Entry("q01", ANSWER)), Grade(b"}", "[]"))])
    found = estimated(ANSWER, ANSWER + " More.", journal=journal)
    journal.close()
    assert (found.found, found.to_judge) == (1, 1)


def test_the_sample_is_spread_over_all_rows() -> None:
    rows = rows_of({"question_id": "q01", "answer": f"{n}"} for n in range(1000))
    sample = [int(e.answer) for e in count(PIPELINE, rows, None, 0.0).sample]
    assert SAMPLE / 2 <= len(sample) <= SAMPLE
    assert sample[0] == 0
    assert sample[-1] >= 900
