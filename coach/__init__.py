"""Grade written answers to ML interview questions, and coach the writer to a better one.

Example:
    >>> from coach import Coach
    >>> report = Coach(judge="offline").grade("q01", "I would first ask what the feed is for ...")
    >>> print(report.total, report.next_steps[0].advice)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coach.bank import QuestionBank, load_bank
    from coach.errors import CoachError, InputError, JudgeError
    from coach.grading import Coach
    from coach.models import ExpertPoint, Question
    from coach.report import FeedbackReport
    from coach.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "Coach": "coach.grading",
    "CoachError": "coach.errors",
    "ExpertPoint": "coach.models",
    "FeedbackReport": "coach.report",
    "InputError": "coach.errors",
    "JudgeError": "coach.errors",
    "Question": "coach.models",
    "QuestionBank": "coach.bank",
    "Settings": "coach.settings",
    "load_bank": "coach.bank",
}

__all__ = [
    "Coach",
    "CoachError",
    "ExpertPoint",
    "FeedbackReport",
    "InputError",
    "JudgeError",
    "Question",
    "QuestionBank",
    "Settings",
    "load_bank",
]


def __getattr__(name: str) -> object:
    """Import a public name at its first use: `coach --help` needs none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'coach' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
