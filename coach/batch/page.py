"""The HTML report of a run: one page with plots, lists of a thousand rows each, and a page for every row.

    report.html
    report_rows/0/1.html ... report_rows/0/index.html, report_rows/1/1000.html ...

Nothing is loaded from anywhere, there is no script, and everything from rows is escaped by Jinja2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from coach.answer import clean_answer
from coach.batch.outcome import Outcome
from coach.batch.rows import Row
from coach.batch.summary import Summary
from coach.errors import CoachError, InputError
from coach.files import write_text
from coach.pipeline import Pipeline
from coach.render import html
from coach.render.plain import headline
from coach.report import FeedbackReport

LIST_ROWS = 1000
"""Rows of one list; more would make a page that no browser likes."""


class Line(NamedTuple):
    """A row in a list."""

    href: str
    id: str
    question_id: str
    headline: str
    flags: str


class Listing(NamedTuple):
    """A list on a page of its own."""

    href: str
    first: int
    last: int


class Bar(NamedTuple):
    """A bar of a plot."""

    label: str
    rows: int
    share: float
    """Of the longest bar, 0..1."""


class Pages:
    """Writes row pages as outcomes come, and the page of the run at the end. Use as a context manager.

    Args:
        path: of the page of the run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.with_name(f"{path.stem}_rows")
        self._lines: list[Line] = []
        self._listings: list[Listing] = []
        self._count = 0

    def __enter__(self) -> Pages:
        """Make the folder.

        Raises:
            InputError: it cannot be made.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{self._folder} cannot be made: {error.strerror}", hint="Name another --report."
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open."""

    def add(self, outcome: Outcome) -> None:
        """Write the page of a row; see `add_report`."""
        self.add_report(outcome.report, answer_in(outcome.row))

    def add_report(self, report: FeedbackReport, answer: str) -> None:
        """Write the page of a row.

        Args:
            report: what became of it.
            answer: as `answer_in` gives it.

        Raises:
            InputError: it cannot be written.
        """
        if len(self._lines) == LIST_ROWS:
            self._write_list()
        self._count += 1
        part = str((self._count - 1) // LIST_ROWS)
        name = f"{self._count}.html"
        (self._folder / part).mkdir(exist_ok=True)
        write_text(self._folder / part / name, html.render(report, answer))
        told = report.error.message if report.error else headline(report)
        flags = ", ".join(f.title or f.id for f in report.red_flags)
        self._lines.append(Line(f"{self._folder.name}/{part}/{name}", report.id, report.question_id, told, flags))

    def finish(self, summary: Summary, pipeline: Pipeline) -> None:
        """Write the page of the run.

        Raises:
            InputError: it cannot be written.
        """
        lines: Sequence[Line] = self._lines
        if self._listings:
            self._write_list()
            lines = ()
        flags = {f.id: f.title for f in pipeline.bank.red_flags.values()}
        page = html.template("batch.html.j2").render(
            summary=summary,
            totals=bars([(f"{10 * n}", count) for n, count in enumerate(summary.totals)]),
            flags=bars([(flags.get(id, id), count) for id, count in summary.flags]),
            titles={c.id: c.title for c in pipeline.bank.criteria.values()},
            lines=lines,
            listings=self._listings,
            judge=pipeline.judge.model or pipeline.judge.name,
        )
        write_text(self._path, page)

    def _write_list(self) -> None:
        part = len(self._listings)
        lines = [line._replace(href=line.href.rpartition("/")[2]) for line in self._lines]
        page = html.template("batch_list.html.j2").render(lines=lines, back=f"../../{self._path.name}")
        write_text(self._folder / str(part) / "index.html", page)
        first = part * LIST_ROWS + 1
        self._listings.append(Listing(f"{self._folder.name}/{part}/index.html", first, first + len(self._lines) - 1))
        self._lines = []


def answer_in(row: Row) -> str:
    """The answer as it was graded; nothing where there is none."""
    content = row.content
    answer = None if isinstance(content, InputError) else content.get("answer")
    try:
        return clean_answer(answer).text if isinstance(answer, str) else ""
    except CoachError:
        return ""


def bars(counts: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    """Bars in the order of the counts, the longest of length 1."""
    longest = max((count for _, count in counts), default=0) or 1
    return tuple(Bar(label, count, count / longest) for label, count in counts)
