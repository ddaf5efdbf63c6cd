"""Pins: named behaviours a judge must keep to. Exact expectations for single answers, floors for labelled sets.

    pins:
      - name: a list of terms is capped
        question_id: q03
        answer: NDCG, saves, diversity, ...
        judges: [offline, llm]     # left out: whoever judges
        expect: {overall_at_most: 2, flags: [gaming], total_at_most: 25, no_flags: [hype], judged_by: screen}
    floors:
      - name: the offline judge follows the labels
        judges: [offline]
        set: answers/part-2.jsonl  # beside this file
        limit: 60
        at_least: {overall.qwk: 0.7, red_flags.micro_precision: 0.6}
        at_most: {failed: 0}
      - name: text to the grader does not pay
        set: answers/part-6.jsonl
        where: {flag: gaming}
        expect: {overall_at_most: 2}
        share: 0.9                 # of the answers chosen, at least
Every answer is also held to `invariants`: they need no line here. A reply that is cut off or cannot be read is an honest
failure and breaks a pin only where it asks for a grade; a judge that is not reached, or not paid, breaks it always.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from coach.answer import clean_answer
from coach.bank import read_model
from coach.evaluation.figures import further_figures
from coach.evaluation.grade import GradedRow, beside_label, grade_all
from coach.evaluation.invariants import broken_rules
from coach.evaluation.labels import Labelled, load_labelled, spread
from coach.evaluation.metrics import agreement
from coach.grading import Coach
from coach.models import Frozen, LevelValue, Text
from coach.report import FeedbackReport, JudgeKind


class Expectation(Frozen):
    """What a report must show; what is left out is not looked at."""

    overall_at_least: int | None = Field(default=None, ge=1, le=5)
    overall_at_most: int | None = Field(default=None, ge=1, le=5)
    total_at_most: float | None = None
    levels: dict[str, LevelValue | None] = Field(default_factory=dict, description="criterion id to its exact level")
    flags: tuple[str, ...] = ()
    no_flags: tuple[str, ...] = ()
    judged_by: JudgeKind | None = None
    no_total: bool = False
    graded: bool = Field(default=False, description="a total must be given; without it none is above no bound")


class Pin(Frozen):
    """One behaviour on one answer."""

    name: Text
    question_id: Text
    answer: Text
    expect: Expectation = Expectation()
    judges: tuple[JudgeKind, ...] = Field(default=(), description="kinds of judge it is meant for; all where empty")


class Where(Frozen):
    """Which answers of a set; what is left out is not looked at."""

    kind: str | None = None
    flag: str | None = None
    labelled_at_least: int | None = None
    labelled_at_most: int | None = None

    def takes(self, row: Labelled) -> bool:
        """Whether a labelled answer is among them."""
        return (
            self.kind in {None, row.kind}
            and (self.flag is None or self.flag in row.red_flags)
            and (self.labelled_at_least is None or row.overall >= self.labelled_at_least)
            and (self.labelled_at_most is None or row.overall <= self.labelled_at_most)
        )


class Floor(Frozen):
    """What must hold over answers of a labelled set."""

    name: Text
    set: Path = Field(description="JSONL file or folder, beside the file of pins")
    judges: tuple[JudgeKind, ...] = ()
    where: Where = Where()
    limit: int | None = Field(default=None, ge=1, description="so many answers, at even distances")
    at_least: dict[str, float] = Field(default_factory=dict, description="figure by its path, e.g. overall.qwk")
    at_most: dict[str, float] = Field(default_factory=dict)
    expect: Expectation | None = None
    share: float = Field(default=1.0, gt=0, le=1, description="of the answers, that must be as expected")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not (self.at_least or self.at_most or self.expect):
            raise ValueError("a floor needs at_least, at_most or expect")
        return self


class PinFile(Frozen):
    """`pins.yaml`."""

    pins: tuple[Pin, ...] = ()
    floors: tuple[Floor, ...] = ()

    def meant_for(self, kind: JudgeKind) -> PinFile:
        """Those that a judge of this kind must keep to."""
        return PinFile(
            pins=tuple(p for p in self.pins if not p.judges or kind in p.judges),
            floors=tuple(f for f in self.floors if not f.judges or kind in f.judges),
        )


class Broken(NamedTuple):
    """Something that does not hold, with all one needs to see why."""

    name: str
    answer: str
    expected: str
    found: str


class Checked(NamedTuple):
    """What became of pins."""

    reports: tuple[FeedbackReport, ...]
    """One a pin, in order; their id is the pin's name."""
    broken: tuple[Broken, ...]


def load_pin_file(path: Path) -> PinFile:
    """Read pins and floors; sets are found beside the file.

    Raises:
        BankError: the file cannot be used; carries one line per problem.
    """
    file = read_model(path, PinFile)
    return file.model_copy(
        update={"floors": tuple(f.model_copy(update={"set": path.parent / f.set}) for f in file.floors)}
    )


def load_pins(path: Path) -> tuple[Pin, ...]:
    """Read the pins of a file; see `load_pin_file`."""
    return load_pin_file(path).pins


def grade_pins(pins: Sequence[Pin], coach: Coach, *, concurrency: int = 4) -> Checked:
    """Grade every pin's answer and compare with what is expected; a judge that fails breaks the pin."""
    return check_file(PinFile(pins=tuple(pins)), coach, concurrency=concurrency)[0]


def check_pins(pins: Sequence[Pin], coach: Coach) -> tuple[Broken, ...]:
    """The pins that do not hold, with what was found."""
    return grade_pins(pins, coach).broken


def check_floors(floors: Sequence[Floor], coach: Coach, *, concurrency: int = 4) -> tuple[Broken, ...]:
    """The floors that do not hold; each answer is graded once, however many floors look at it.

    Raises:
        InputError: a set cannot be read.
    """
    return check_file(PinFile(floors=tuple(floors)), coach, concurrency=concurrency)[1]


def check_file(file: PinFile, coach: Coach, *, concurrency: int = 4) -> tuple[Checked, tuple[Broken, ...]]:
    """Pins and floors in one go, under one cost cap: what became of the pins, and the floors that do not hold.

    Raises:
        InputError: a set cannot be read.
    """
    pinned = [{"id": p.name, "question_id": p.question_id, "answer": p.answer} for p in file.pins]
    chosen = [spread(tuple(r for r in load_labelled(f.set) if f.where.takes(r)), f.limit) for f in file.floors]
    rows = {(r.group, r.id, r.answer): r for rows in chosen for r in rows}
    reports = grade_all(coach, [*pinned, *(r.row for r in rows.values())], concurrency=concurrency)
    of_pins, of_rows = tuple(reports[: len(pinned)]), reports[len(pinned) :]
    wrong = (_checked(p.name, p.answer, p.expect, r) for p, r in zip(file.pins, of_pins, strict=True))
    graded = {
        key: beside_label(row, report, coach.bank) for (key, row), report in zip(rows.items(), of_rows, strict=True)
    }
    floors = tuple(
        broken
        for floor, rows_of in zip(file.floors, chosen, strict=True)
        for broken in _check_floor(floor, [graded[r.group, r.id, r.answer] for r in rows_of])
    )
    return Checked(of_pins, tuple(b for b in wrong if b)), floors


def _check_floor(floor: Floor, rows: Sequence[GradedRow]) -> list[Broken]:
    if not rows:
        return [Broken(floor.name, "", f"answers in {floor.set}", "none that `where` takes")]
    broken = []
    figures = agreement(rows) | further_figures(rows) if floor.at_least or floor.at_most else {}
    for bounds, word in ((floor.at_least, "at least"), (floor.at_most, "at most")):
        for path, bound in bounds.items():
            value = figure(figures, path)
            holds = value is not None and (value >= bound if word == "at least" else value <= bound)
            if not holds:
                broken.append(Broken(floor.name, f"{len(rows)} answers", f"{path} {word} {bound:g}", f"{value}"))
    if floor.expect:
        missed = [b for r in rows if (b := _checked(r.label.id, r.label.answer, floor.expect, r.report))]
        if len(rows) - len(missed) < math.ceil(floor.share * len(rows) - 1e-9):
            kept = f"{len(rows) - len(missed)} of {len(rows)} are; at least {floor.share:.0%} must be"
            broken += [b._replace(name=f"{floor.name}: {b.name}", found=f"{b.found} ({kept})") for b in missed]
    return broken


def figure(figures: Mapping[str, Any], path: str) -> float | None:
    """A figure by its path, e.g. `overall.qwk`; None where there is none."""
    value: Any = figures
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def _checked(name: str, answer: str, expect: Expectation, report: FeedbackReport) -> Broken | None:
    found = _found(expect, report)
    if report.criteria:
        found += broken_rules(report, clean_answer(answer).text)
    if not found:
        return None
    expected = ", ".join(f"{k} {v}" for k, v in expect.model_dump(mode="json", exclude_defaults=True).items())
    return Broken(name, answer, expected or "an honest report", ", ".join(dict.fromkeys(found)))


def _found(expect: Expectation, report: FeedbackReport) -> tuple[str, ...]:
    unreached = [c.rationale for c in report.criteria if c.status in {"unreachable", "over_budget"}]
    if unreached or (report.error is not None and not report.criteria):
        why = f"{report.error.message}. {report.error.hint}" if report.error else unreached[0]
        return (f"failed: {why}".strip(),)
    flags = {f.id for f in report.red_flags}
    levels = {c.id: c.level for c in report.criteria}
    overall, total = report.overall, report.total
    faults = [
        (expect.overall_at_least is not None and (overall or 0) < expect.overall_at_least, f"overall {overall}"),
        (expect.overall_at_most is not None and (overall or 0) > expect.overall_at_most, f"overall {overall}"),
        (expect.total_at_most is not None and (total or 0) > expect.total_at_most, f"total {total}"),
        (any(levels.get(c, -1) != v for c, v in expect.levels.items()), f"levels {levels}"),
        (not flags >= set(expect.flags), f"flags {sorted(flags)}"),
        (bool(flags & set(expect.no_flags)), f"flags {sorted(flags)}"),
        (expect.judged_by is not None and report.judge.kind != expect.judged_by, f"judged by {report.judge.kind}"),
        (expect.no_total and total is not None, f"total {total}"),
        (expect.graded and total is None, f"no total: {report.error.message}" if report.error else "no total"),
    ]
    return tuple(told for wrong, told in faults if wrong)
