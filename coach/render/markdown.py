"""The report as Markdown, with everything a candidate or model wrote escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from coach.render.highlight import pieces
from coach.render.plain import (
    POINT_MARKS,
    answer_title,
    flag_lines,
    gain_words,
    headline,
    inert,
    judged_by,
    level_words,
    notes,
    opinions,
    point_status,
    point_words,
    shared_rationale,
    steps_title,
    title,
    used,
)
from coach.report import FeedbackReport

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>&~:@=$^])")


def escape(text: str) -> str:
    """Text on one line that Markdown, with or without HTML, shows as it is."""
    return _SPECIAL.sub(r"\\\1", inert(text))


def render(report: FeedbackReport, answer: str) -> str:
    """The report as a Markdown document."""
    lines = [f"# {escape(title(report))}".rstrip(), "", f"**{headline(report)}**", ""]
    lines += [" · ".join(filter(None, [escape(judged_by(report)), escape(used(report))])), ""]
    if report.error:
        lines += [f"**Not graded:** {escape(report.error.message)}", "", escape(report.error.hint), ""]
        if not report.criteria:
            return "\n".join(lines)
    lines += [*_criteria(report), *_flags(report)]
    lines += _list("Strong", report.strengths)
    lines += _list(steps_title(report), _steps(report), escaped=True)
    lines += [*_points(report, answer), *_answer(report, answer)]
    lines += _list("Expect to be asked next", [report.follow_up])
    lines += _list("Notes", notes(report))
    return "\n".join(lines)


def _criteria(report: FeedbackReport) -> list[str]:
    shared = shared_rationale(report)
    rows = [escape(shared), ""] if shared else []
    rows += ["| | Criterion | Level | Points | Why |", "|---|---|---|---|---|"]
    for number, c in enumerate(report.criteria, start=1):
        points = "–" if c.points is None else f"{c.points:g} of {c.weight:g}"
        name, why = (
            escape(c.title or c.id),
            escape(" ".join(filter(None, ["" if shared else c.rationale, opinions(c)]))),
        )
        rows.append(f"| {number} | {name} | {level_words(c.level, c.status)} | {points} | {why} |")
    return [*rows, ""]


def _flags(report: FeedbackReport) -> list[str]:
    told = [f"**{escape(f.titles)}**: {escape(f.words)} (total at most {f.cap:g})" for f in flag_lines(report)]
    return _list("Red flags", told, escaped=True)


def _answer(report: FeedbackReport, answer: str) -> list[str]:
    titles = {f.id: f.title or f.id for f in report.red_flags}
    marked = "".join(
        _marked(piece.text, bool(piece.criteria or piece.flags), [titles.get(e, e) for e in piece.ends])
        for piece in pieces(report, answer)
    )
    return [
        f"## {answer_title(report)}",
        "",
        *(f"> {line}".rstrip() for line in marked.rstrip().split("\n")),
        "",
    ]


def _marked(text: str, marked: bool, ends: Sequence[str]) -> str:
    """Bold where marked. Emphasis must not touch white space or cross lines, or Markdown shows the stars."""
    lines = []
    for line in text.split("\n"):
        core = line.strip()
        if marked and core:
            before, after = line[: len(line) - len(line.lstrip())], line[len(line.rstrip()) :]
            lines.append(f"{before}**{escape(core)}**{after}")
        else:
            lines.append(escape(line))
    note = f" \\[{', '.join(escape(e) for e in ends)}\\]" if ends else ""
    return "\n".join(lines) + note


def _points(report: FeedbackReport, answer: str) -> list[str]:
    return _list(
        "What an expert says here",
        [
            f"{POINT_MARKS[point_status(report, p)]} {escape(p.text)} *{escape(point_words(report, p, answer))}*"
            for p in report.points
        ],
        escaped=True,
    )


def _steps(report: FeedbackReport) -> list[str]:
    names = {c.id: c.title or c.id for c in report.criteria} | {f.id: f.title or f.id for f in report.red_flags}
    return [
        f"**{gain_words(s.gain)}** {escape(names.get(s.criterion, s.criterion))}: {escape(s.advice)}"
        for s in report.next_steps
    ]


def _list(title: str, entries: Iterable[str], *, escaped: bool = False) -> list[str]:
    shown = [entry if escaped else escape(entry) for entry in entries if entry]
    return [f"## {title}", "", *(f"- {entry}" for entry in shown), ""] if shown else []
