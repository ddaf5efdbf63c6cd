"""The report as one HTML page: no script, nothing loaded from anywhere, everything untrusted escaped by Jinja2."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from jinja2 import Template


def render(report: FeedbackReport, answer: str) -> str:
    """A self-contained page that reads on a phone, on paper, and in dark mode."""
    names = {c.id: c.title or c.id for c in report.criteria} | {f.id: f.title or f.id for f in report.red_flags}
    return template("report.html.j2").render(
        report=report,
        answer=answer,
        flags=flag_lines(report),
        pieces=pieces(report, answer),
        title=title(report),
        notes=notes(report),
        headline=headline(report),
        judged_by=judged_by(report),
        used=used(report),
        names=names,
        shared=shared_rationale(report),
    )


@cache
def template(name: str) -> Template:
    """A page's template: escaping is on, and an unknown variable is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("coach.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = inert
    environment.filters["inert_lines"] = lambda text: inert(text, keep_lines=True)
    environment.globals["level_words"] = level_words
    environment.globals["point_status"] = point_status
    environment.globals["point_words"] = point_words
    environment.globals["answer_title"] = answer_title
    environment.globals["steps_title"] = steps_title
    environment.globals["gain_words"] = gain_words
    environment.globals["opinions"] = opinions
    environment.globals["point_marks"] = POINT_MARKS
    return environment.get_template(name)
