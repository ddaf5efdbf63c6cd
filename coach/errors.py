"""Every error a caller of coach may meet.

    CoachError                    exit 1   our bug, unless a subclass says otherwise
    ├── InputError                exit 2   bad usage, bad answer file, unknown question
    │   ├── BankError             exit 2   a bank that cannot be used; carries every problem found
    │   └── JournalError          exit 2   a journal that is locked, damaged, full or none
    ├── ModelFilesError           exit 2   the embedding model is missing, altered or cannot be exported
    ├── CostCapReached            exit 5   the next call could pass --max-cost
    ├── AnswerPending             exit 3   asked through a provider's batch; the answer comes later
    └── JudgeError                exit 3   the judge gave no verdict
        ├── JudgeUnavailable      exit 3   not reached, rate limited, timed out, 5xx     (retryable)
        ├── JudgeRefused          exit 3   bad key, bad model, bad request, refusal
        ├── JudgeReplyInvalid     exit 3   a reply that cannot be read as a verdict
        └── JudgeTruncated        exit 3   replies cut off for want of room, also with more of it

The class says what to do: `exit_code`, `retryable`, `status` (the word a report uses) and a `hint` with the mend.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CoachError(Exception):
    """Root of all errors raised on purpose.

    Args:
        message: what happened and where.
        hint: what to do about it; falls back to the class's own hint.

    Attributes:
        usage: a `coach.judgement.Usage` of what was paid for before it came to this; None where nothing was.
        hopeless: the same would befall every other answer: a key that is rejected, a model that is not there.
    """

    usage: Any = None
    hopeless: bool = False
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False
    status: ClassVar[str] = "invalid"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class InputError(CoachError):
    """What the user gave cannot be used."""

    exit_code = 2


class BankError(InputError):
    """A bank of questions that cannot be used.

    Args:
        problems: one line per fault, each naming file, key and mend.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint or "Run `coach bank check` to see every problem of the bank at once.")
        self.problems = problems


class JournalError(InputError):
    """A journal of grades that cannot be used."""


class ModelFilesError(CoachError):
    """The embedding model is missing, altered or unusable."""

    exit_code = 2
    default_hint = "Run `coach doctor` to see what is wrong with the embedding model."


class CostCapReached(CoachError):
    """The next call could cost more than the cap allows."""

    exit_code = 5
    status = "over_budget"
    default_hint = "Raise --max-cost, or grade offline with --judge offline."


class AnswerPending(CoachError):
    """The judge was asked through a provider's batch, and the answer comes later. Neither a grade nor a failure."""

    exit_code = 3
    status = "unreachable"
    default_hint = "Run the same command again; it goes on waiting, and nothing is sent twice."


class JudgeError(CoachError):
    """The judge gave no verdict; never a grade."""

    exit_code = 3


class JudgeUnavailable(JudgeError):
    """The judge could not be reached, was too slow, or asked us to wait.

    Args:
        retry_after: seconds the endpoint asked us to wait, if it said so.
    """

    retryable = True
    status = "unreachable"
    default_hint = "Try again later, or grade offline with --judge offline."

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class JudgeRefused(JudgeError):
    """The endpoint or the model said no: bad key, unknown model, bad request, refusal."""

    status = "refused"
    default_hint = "Try another model, or grade offline with --judge offline."


class JudgeReplyInvalid(JudgeError):
    """The reply cannot be read as verdicts (cut off, not JSON, wrong shape, empty)."""

    status = "invalid"
    default_hint = "Try a stronger model, or run `coach doctor` to see what the endpoint supports."


class JudgeTruncated(JudgeError):
    """The model ran out of room before it had given its verdicts."""

    status = "truncated"
    default_hint = (
        "Ask for fewer at once with --criteria-per-call 2, or use a model that thinks less before it answers."
    )


_JUDGING = (JudgeUnavailable, JudgeRefused, JudgeReplyInvalid, JudgeTruncated, CostCapReached)


def exit_code_of(kind: str) -> int:
    """The exit code of a failed report's `error.kind`."""
    return next(
        (k.exit_code for k in (*_JUDGING, InputError, ModelFilesError) if k.__name__ == kind), JudgeError.exit_code
    )


def error_for(status: str, message: str) -> CoachError:
    """The error a failure of this status stands for, with its exit code and hint."""
    return next((k for k in _JUDGING if k.status == status), JudgeError)(message)
