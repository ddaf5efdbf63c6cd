"""Answers prepared without a judge, one and many at once."""

from __future__ import annotations

import asyncio
import time

import pytest
from fakes import HashEmbedder

from coach.asked import Asked, Brought, Questions
from coach.bank import load_bank
from coach.embed import Embedder
from coach.errors import CoachError, InputError
from coach.prepare import Preparer
from coach.settings import Settings

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes."
OWN = Brought("When does a cache pay?", "A cache pays where reads repeat. The cost is invalidation.")
QUESTIONS = Questions(load_bank())


def make_preparer(embedder: Embedder | None) -> Preparer:
    return Preparer(QUESTIONS, Settings.from_environment(), embedder)


def test_many_answers_cost_one_call_of_the_encoder() -> None:
    embedder = HashEmbedder()
    preparer = make_preparer(embedder)
    preparer.prepare(OWN, ANSWER)
    embedder.calls.clear()
    preparer.prepare_many([(OWN, ANSWER + f" Number {n}.") for n in range(5)])
    assert len(embedder.calls) == 1


def test_many_at_once_are_prepared_as_one_by_one() -> None:
    preparer = make_preparer(HashEmbedder())
    answers: list[tuple[Asked, str]] = [(OWN, ANSWER), ("q01", ANSWER + " More."), (OWN, "Yes.")]
    together = preparer.prepare_many(answers)
    for found, (asked, answer) in zip(together, answers, strict=True):
        alone = preparer.prepare(asked, answer)
        assert not isinstance(found, CoachError)
        assert found.task._replace(matches=found.task.matches._replace(vectors=None)) == alone.task._replace(
            matches=alone.task.matches._replace(vectors=None)
        )


def test_what_cannot_be_graded_gives_its_error_in_its_place() -> None:
    preparer = make_preparer(HashEmbedder())
    first, second, third = preparer.prepare_many([(OWN, ANSWER), ("q99", ANSWER), (OWN, " ")])
    assert not isinstance(first, CoachError)
    assert isinstance(second, InputError)
    assert isinstance(third, InputError)


def test_the_encoder_is_named_without_being_loaded() -> None:
    assert make_preparer(None).embedder_name.startswith("all-MiniLM-L6-v2@")


def test_half_a_surrogate_pair_in_a_question_spoils_its_own_answer_only() -> None:
    preparer = make_preparer(HashEmbedder())
    broken, whole = preparer.prepare_many([(Brought("Why \ud800?", "So."), ANSWER), (OWN, ANSWER)])
    assert isinstance(broken, InputError)
    assert not isinstance(whole, CoachError)


def test_many_first_answers_at_once_load_one_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[HashEmbedder] = []

    def slow(cache_dir: object) -> HashEmbedder:
        time.sleep(0.02)
        made.append(HashEmbedder())
        return made[-1]

    monkeypatch.setattr("coach.embed.default_embedder", slow)
    preparer = make_preparer(None)

    async def work() -> None:
        await asyncio.gather(*(asyncio.to_thread(preparer.prepare, OWN, ANSWER) for _ in range(6)))

    asyncio.run(work())
    assert len(made) == 1
