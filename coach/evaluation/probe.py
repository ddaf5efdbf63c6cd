"""Judge QA: the same answers graded again after changes that should not matter, or should. Any judge, whole pipeline.

Lifts are measured before red flags and checks cap the total, so that a cap does not hide what the judge itself was moved
by; flips are those of the hiring signal a user sees, caps included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from coach.answer import clean_answer
from coach.errors import InputError
from coach.evaluation import edits
from coach.evaluation.grade import agrade_all
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import total_before_caps
from coach.grading import Coach
from coach.models import Span
from coach.report import FeedbackReport

Expect = Literal["same", "not_higher", "lower", "floor"]
FLOOR = 2
"""Hiring signal at or below which an answer to another question belongs."""


class Case(NamedTuple):
    """An answer that got a grade, and all a probe needs to change it."""

    number: int
    label: Labelled
    answer: str
    """As graded: spans of evidence count in it."""
    report: FeedbackReport
    other: Labelled | None
    """An answer to another question, whose question is asked instead."""


class Probe(NamedTuple):
    """One way to change an answer, and what a sound judge makes of it."""

    name: str
    title: str
    does: str
    expect: Expect
    change: Callable[[Case], dict[str, str] | None]
    """The row to grade instead; None where this probe has nothing to do."""


class Pair(NamedTuple):
    """One answer before and after, both with a total."""

    id: str
    group: str
    before: FeedbackReport
    after: FeedbackReport

    @property
    def lift(self) -> float:
        """Points of the total before caps, after less before."""
        return (total_before_caps(self.after) or 0.0) - (total_before_caps(self.before) or 0.0)

    @property
    def step(self) -> int:
        """Steps of the hiring signal, after less before."""
        return (self.after.overall or 0) - (self.before.overall or 0)


class Probed(NamedTuple):
    """What came of one probe."""

    probe: Probe
    pairs: tuple[Pair, ...]
    skipped: int
    """Answers the probe has nothing to change in."""
    lost: int
    """Answers that failed or got no total once changed."""


class ProbeRun(NamedTuple):
    """What came of all probes on one judge."""

    answers: int
    graded: int
    """Answers that got a total as they are; only these are probed."""
    probed: tuple[Probed, ...]
    reports: tuple[FeedbackReport, ...] = ()
    """Of the answers as they are."""


def _edited(edit: Callable[[str], str | None]) -> Callable[[Case], dict[str, str] | None]:
    def change(case: Case) -> dict[str, str] | None:
        text = edit(case.answer)
        return None if text is None else case.label.row | {"answer": text}

    return change


def _instructed(case: Case) -> dict[str, str]:
    return case.label.row | {"answer": edits.append_instruction(case.answer, case.number)}


def _without_evidence(case: Case) -> dict[str, str] | None:
    quoted = [e for c in case.report.criteria if c.level for e in c.evidence]
    spans = [Span(e.start, e.end) for e in quoted if e.start is not None and e.end is not None]
    text = edits.remove(case.answer, spans)
    return None if text is None else case.label.row | {"answer": text}


def _other_question(case: Case) -> dict[str, str] | None:
    if case.other is None or (case.report.overall or 0) <= FLOOR:
        return None
    return case.other.row | {"id": case.label.id, "answer": case.answer}


PROBES = (
    Probe("repeat", "Repeated call", "the same answer once more", "same", _edited(lambda answer: answer)),
    Probe(
        "reword", "Rewording", "contractions, function words, spelling, small letters", "same", _edited(edits.reword)
    ),
    Probe("pad", "Padding", "seventy words that say nothing", "same", _edited(edits.pad)),
    Probe("reorder", "Reordering", "neighbouring sentences change places", "same", _edited(edits.reorder)),
    Probe("instruct", "Appended instruction", "a line that asks for the highest grade", "not_higher", _instructed),
    Probe("unsupport", "Removed evidence", "the sentences quoted for levels taken out", "lower", _without_evidence),
    Probe("swap", "Swapped question", "the answer under another question", "floor", _other_question),
)


def chosen_probes(names: Sequence[str]) -> tuple[Probe, ...]:
    """The probes of these names, in the order of the report card; all where none is named.

    Raises:
        InputError: there is no such probe.
    """
    known = [p.name for p in PROBES]
    unknown = [n for n in names if n not in known]
    if unknown:
        raise InputError(f"no probe {unknown[0]!r}", hint=f"There are {', '.join(known)}.")
    return tuple(p for p in PROBES if not names or p.name in names)


async def run_probes(
    coach: Coach, rows: Sequence[Labelled], *, probes: Sequence[Probe] = PROBES, concurrency: int = 8
) -> ProbeRun:
    """Grade the answers as they are, then changed by each probe.

    Answers without a grade are left out: what a judge does not grade it cannot be moved on. The judge stays open.

    Args:
        coach: should keep no verdicts (`Settings.use_cache` off), or a repeated call is none.
        rows: answers; their labels are not looked at.
        probes: which, in the order of the report card.
        concurrency: answers graded at once.
    """
    reports = await agrade_all(coach, [r.row for r in rows], concurrency=concurrency)
    cases = [
        Case(n, row, clean_answer(row.answer).text, report, _elsewhere(rows, n))
        for n, (row, report) in enumerate(zip(rows, reports, strict=True))
        if report.overall is not None
    ]
    probed = [await _probed(coach, cases, probe, concurrency) for probe in probes]
    return ProbeRun(len(rows), len(cases), tuple(probed), tuple(reports))


async def _probed(coach: Coach, cases: Sequence[Case], probe: Probe, concurrency: int) -> Probed:
    wanted = [(case, row) for case in cases if (row := probe.change(case)) is not None]
    reports = await agrade_all(coach, [row for _, row in wanted], concurrency=concurrency)
    pairs = tuple(
        Pair(case.label.id, case.label.group, case.report, report)
        for (case, _), report in zip(wanted, reports, strict=True)
        if report.overall is not None
    )
    return Probed(probe, pairs, skipped=len(cases) - len(wanted), lost=len(wanted) - len(pairs))


def _elsewhere(rows: Sequence[Labelled], number: int) -> Labelled | None:
    """The first answer to another question from half a set further on."""
    turned: list[Any] = [rows[(number + len(rows) // 2 + i) % len(rows)] for i in range(len(rows))]
    return next((r for r in turned if r.group != rows[number].group), None)
