"""Pins: named behaviours a judge must keep to, each with its answer, what is expected, and what was found.

pins:
- name: a list of terms is capped
question_id: q03
answer: NDCG, saves, diversity, ...
expect: {overall_at_most: 2, flags: [gaming], total_at_most: 25, no_flags: [hype], judged_by: screen}
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from coach.bank import read_model
from coach.grading import Coach
from coach.models import Frozen, Text
from coach.report import FeedbackReport


class Expectation(Frozen):
    """What a report must show; what is left out is not looked at."""

    overall_at_least: int | None = Field(default=None, ge=1, le=5)
    overall_at_most: int | None = Field(default=None, ge=1, le=5)
    total_at_most: float | None = None
    flags: tuple[str, ...] = ()
    no_flags: tuple[str, ...] = ()
    judged_by: str | None = None
    no_total: bool = False


class Pin(Frozen):
    """One behaviour."""

    name: Text
    question_id: Text
    answer: Text
    expect: Expectation


class PinFile(Frozen):
    """`pins.yaml`."""

    pins: tuple[Pin, ...]


class Broken(NamedTuple):
    """A pin that does not hold."""

    pin: Pin
    found: str


def load_pins(path: Path) -> tuple[Pin, ...]:
    """Read pins.

    Raises:
        BankError: the file cannot be used; carries one line per problem.
    """
    return read_model(path, PinFile).pins


def check_pins(pins: Sequence[Pin], coach: Coach) -> tuple[Broken, ...]:
    """Grade every pin's answer; the pins that do not hold, with what was found."""
    graded = [(pin, coach.grade(pin.question_id, pin.answer, id=pin.name)) for pin in pins]
    return tuple(Broken(pin, found) for pin, report in graded if (found := _broken(pin.expect, report)))


def _broken(expect: Expectation, report: FeedbackReport) -> str:
    flags = {f.id for f in report.red_flags}
    overall, total = report.overall, report.total
    faults = [
        (expect.overall_at_least is not None and (overall or 0) < expect.overall_at_least, f"overall {overall}"),
        (expect.overall_at_most is not None and (overall or 9) > expect.overall_at_most, f"overall {overall}"),
        (expect.total_at_most is not None and (total is None or total > expect.total_at_most), f"total {total}"),
        (not flags >= set(expect.flags), f"flags {sorted(flags)}"),
        (bool(flags & set(expect.no_flags)), f"flags {sorted(flags)}"),
        (expect.judged_by is not None and report.judge.kind != expect.judged_by, f"judged by {report.judge.kind}"),
        (expect.no_total and total is not None, f"total {total}"),
    ]
    return ", ".join(dict.fromkeys(told for wrong, told in faults if wrong))
