"""Many answers prepared at once; `test_grading.py` has the stages one by one."""

from __future__ import annotations

from fakes import HashEmbedder, ScriptedJudge

from coach.errors import CoachError, InputError
from coach.models import Question
from coach.pipeline import Asked, Brought, Pipeline

ANSWER = "A cache pays off where the same reads repeat often. You pay with invalidation when the truth changes."
OWN = Brought("When does a cache pay?", "A cache pays where reads repeat. The cost is invalidation.")


def test_many_answers_cost_one_call_of_the_encoder() -> None:
    embedder = HashEmbedder()
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=embedder)
    pipeline.prepare(OWN, ANSWER)
    embedder.calls.clear()
    pipeline.prepare_many([(OWN, ANSWER + f" Number {n}.") for n in range(5)])
    assert len(embedder.calls) == 1


def test_many_at_once_are_prepared_as_one_by_one() -> None:
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
    answers: list[tuple[Asked, str]] = [(OWN, ANSWER), ("q01", ANSWER + " More."), (OWN, "Yes.")]
    together = pipeline.prepare_many(answers)
    for found, (asked, answer) in zip(together, answers, strict=True):
        alone = pipeline.prepare(asked, answer)
        assert not isinstance(found, CoachError)
        assert found.task._replace(matches=found.task.matches._replace(vectors=None)) == alone.task._replace(
            matches=alone.task.matches._replace(vectors=None)
        )


def test_what_cannot_be_graded_gives_its_error_in_its_place() -> None:
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
    first, second, third = pipeline.prepare_many([(OWN, ANSWER), ("q99", ANSWER), (OWN, " ")])
    assert not isinstance(first, CoachError)
    assert isinstance(second, InputError)
    assert isinstance(third, InputError)


def test_a_question_is_made_ready_once() -> None:
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
    assert pipeline.ready(Brought("W?", "R.")) is pipeline.ready(Brought("W?", "R."))


def test_a_question_of_ones_own_is_known_by_its_content() -> None:
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
    first, second = (Question(question="W?", reference="R.", weights={"tradeoffs": w}) for w in (60.0, 100.0))
    assert pipeline.ready(first).fingerprint != pipeline.ready(second).fingerprint


def test_the_encoder_is_named_without_being_loaded() -> None:
    assert Pipeline(judge=ScriptedJudge()).embedder_name.startswith("all-MiniLM-L6-v2@")


def test_half_a_surrogate_pair_in_a_question_spoils_its_own_answer_only() -> None:
    pipeline = Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder())
    broken, whole = pipeline.prepare_many([(Brought("Why \ud800?", "So."), ANSWER), (OWN, ANSWER)])
    assert isinstance(broken, InputError)
    assert not isinstance(whole, CoachError)
