"""What a status means, and what is shown of a server's words."""

from __future__ import annotations

import pytest

from coach.errors import JudgeError, JudgeRefused, JudgeUnavailable
from coach.judges.faults import Place, clean_words, refusal

PLACE = Place("m", "http://127.0.0.1/v1", "sk-secret")


@pytest.mark.parametrize("told", ["context length exceeded", "the model found this prompt too long", "flagged"])
def test_what_may_be_the_fault_of_one_answer_is_not_hopeless(told: str) -> None:
    error = refusal(400, told, PLACE)
    assert (type(error), error.hopeless) == (JudgeRefused, False)


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (401, "bad key", None),
        (404, "no such path", None),
        (400, "x is not a valid model ID", None),
        (422, "sorry", "model_not_found"),
        (429, "pay first", "insufficient_quota"),
    ],
)
def test_what_every_answer_would_meet_is_hopeless(status: int, words: str, code: str | None) -> None:
    assert refusal(status, words, PLACE, code=code).hopeless


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_what_may_pass_is_worth_another_try(status: int) -> None:
    assert refusal(status, "busy", PLACE).retryable


def test_the_wait_that_was_asked_for_is_passed_on() -> None:
    error: JudgeError = refusal(429, "slow down", PLACE, wait=7.0)
    assert isinstance(error, JudgeUnavailable)
    assert error.retry_after == 7.0


def test_an_error_names_model_and_endpoint() -> None:
    assert "the model 'm' at http://127.0.0.1/v1" in refusal(503, "busy", PLACE).message


def test_the_key_is_not_shown() -> None:
    assert "bad key [key]" in refusal(401, "bad key sk-secret", PLACE).message


def test_words_are_shown_on_one_line_without_control_characters() -> None:
    assert clean_words("a\x1b[31m\nb\u202ec") == "a [31m b c"


def test_long_words_are_cut() -> None:
    assert clean_words("a" * 9000).endswith("a…")


def test_a_key_is_left_out_also_where_words_are_cut() -> None:
    place = Place("m", "http://127.0.0.1", "sk-secret-0123456789")
    assert "sk-sec" not in place.quoted("x" * 292 + " sk-secret-0123456789")
