from __future__ import annotations

from builders import rubric

from coach.fingerprints import digest, digest_of, rubric_fingerprint
from coach.models import Question

QUESTION = Question(question="Which?", reference="This.")


def test_the_same_text_has_the_same_digest() -> None:
    assert digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_order_of_keys_does_not_matter() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_a_lone_surrogate_has_a_digest() -> None:
    assert len(digest("\ud800")) == 64


def test_another_weight_is_another_rubric() -> None:
    assert rubric_fingerprint(QUESTION, rubric(a=60, b=40)) != rubric_fingerprint(QUESTION, rubric(a=50, b=50))


def test_another_expert_answer_is_another_rubric() -> None:
    other = QUESTION.model_copy(update={"reference": "That."})
    assert rubric_fingerprint(QUESTION, rubric(a=100)) != rubric_fingerprint(other, rubric(a=100))
