"""Digests that tell whether two grades were made from the same things."""

from __future__ import annotations

import hashlib
import json

from coach.models import Question, Rubric


def digest(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hex. A lone surrogate counts as its escape."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def digest_of(value: object) -> str:
    """SHA-256 of a value's JSON with sorted keys."""
    return digest(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))


def rubric_fingerprint(question: Question, rubric: Rubric, constants: object = None) -> str:
    """Digest of the question, what it is graded on, and the constants that turn levels into numbers."""
    return digest_of(
        {
            "question": question.model_dump(mode="json"),
            "rubric": rubric.model_dump(mode="json"),
            "constants": constants,
        }
    )
