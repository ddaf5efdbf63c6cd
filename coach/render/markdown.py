"""The report as Markdown, with everything a candidate or model wrote escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from coach.render.highlight import pieces
from coach.render.plain import (
    POINT_MARKS,
    flag_words,
    gain_words,
    headline,
    inert,
    judged_by,
    level_words,
    notes,
    opinions,
    shared_rationale,
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
    lines += [*_criteria(report), *_flags(report), *_answer(report, answer), *_points(report)]
    lines += _list("Strong", report.strengths)
    lines += _list("Next steps, most to be won first", _steps(report), escaped=True)
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
    told = []
    for flag in report.red_flags:
        words = "; ".join(f"“{escape(w)}”" for w in flag_words(flag)) or "the answer as a whole"
        told.append(f"**{escape(flag.title or flag.id)}**: {words} (total at most {flag.cap:g})")
    return _list("Red flags", told, escaped=True)


def _answer(report: FeedbackReport, answer: str) -> list[str]:
    titles = {f.id: f.title or f.id for f in report.red_flags}
    marked = "".join(
        _marked(piece.text, bool(piece.criteria or piece.flags), [titles.get(e, e) for e in piece.ends])
        for piece in pieces(report, answer)
    )
    return [
        "## Your answer, with the words that counted",
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


def _points(report: FeedbackReport) -> list[str]:
    return _list(
        "What an expert says here",
        [f"{POINT_MARKS[p.status]} {escape(p.text)} *({p.status})*" for p in report.points],
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
