"""The report for a terminal: grade, a bar per criterion, the answer with its evidence marked in place, next steps."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO
from typing import TYPE_CHECKING

from coach.render.highlight import pieces
from coach.render.plain import (
    POINT_MARKS,
    FlagLine,
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
from coach.report import CriterionReport, FeedbackReport

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDTH = 88
BAR_CELLS = 16
TITLE_CELLS = 28
"""A criterion's number and title."""
WORDS_CELLS = 34
"""Two spaces and the longest words for level and points."""
CRITERION_STYLES = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan")
FLAG_STYLE = "bold red"


def render(report: FeedbackReport, answer: str, *, width: int = WIDTH, color: bool = False) -> str:
    """The report as lines of at most `width` cells, with ANSI colours where `color` is set.

    Everything a candidate or model wrote goes through `inert` first. Without colours evidence stands in «angle quotes»,
    followed in both cases by the number of its criterion or the name of its flag.
    """
    from rich.console import Console

    out = StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    _head(console, report)
    if report.error:
        _section(console, "Not graded", [report.error.message, report.error.hint])
        if not report.criteria:
            return _trimmed(out)
        console.print()
    shared = shared_rationale(report)
    if shared:
        console.print(_text(shared))
        console.print()
    for number, criterion in enumerate(report.criteria, start=1):
        _criterion(console, number, criterion, told="" if shared else criterion.rationale)
    if report.red_flags:
        _title(console, "Red flags")
        for flag in flag_lines(report):
            _flag(console, flag)
    _section(console, "Strong", report.strengths)
    _next_steps(console, report)
    _points(console, report, answer)
    _title(console, answer_title(report))
    console.print(_indented(_marked(report, answer, color)))
    _section(console, "Expect to be asked next", [report.follow_up])
    _section(console, "Notes", notes(report))
    return _trimmed(out)


def _trimmed(out: StringIO) -> str:
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _text(content: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(inert(content), style=style)


def _indented(content: Text, left: int = 2) -> object:
    from rich.padding import Padding

    return Padding(content, (0, 0, 0, left))


def _title(console: Console, title: str) -> None:
    console.print()
    console.print(_text(title, "bold"))


def _section(console: Console, title: str, lines: Iterable[str]) -> None:
    shown = [line for line in lines if line]
    if not shown:
        return
    _title(console, title)
    for line in shown:
        _hanging(console, "-", _text(line))


def _hanging(console: Console, mark: str, content: Text, *, cells: int = 2, style: str = "") -> None:
    """A mark, then text that wraps under itself."""
    from rich.table import Table

    grid = Table.grid(padding=0)
    grid.add_column(width=2 + cells)
    grid.add_column(ratio=1)
    grid.add_row(_text(f"  {mark}", style), content)
    console.print(grid)


def _head(console: Console, report: FeedbackReport) -> None:
    console.print(_text(title(report), "bold"))
    bar = _bar(report.total / 100, 2 * BAR_CELLS) if report.total is not None else ""
    line = f"{bar}  {headline(report)}".strip()
    for part in [line] if len(line) <= console.width else [bar, headline(report)]:
        console.print(_text(part, "bold"))
    console.print(_text(" · ".join(filter(None, [judged_by(report), used(report)])), "dim"))
    console.print()


def _bar(share: float, cells: int = BAR_CELLS) -> str:
    full = round(max(0.0, min(1.0, share)) * cells)
    return "█" * full + "░" * (cells - full)


def _bar_cells(width: int) -> int:
    """Cells of a criterion's bar: what its title and the words behind the bar leave; none on a narrow screen."""
    return max(0, min(BAR_CELLS, width - TITLE_CELLS - WORDS_CELLS))


def _criterion(console: Console, number: int, criterion: CriterionReport, *, told: str) -> None:
    style = CRITERION_STYLES[(number - 1) % len(CRITERION_STYLES)]
    line = _text(f"{f'{number} {criterion.title or criterion.id}':<{TITLE_CELLS}}", style)
    cells = _bar_cells(console.width)
    gap = "  " if cells else ""
    if criterion.level is None:
        line += _text(f"{'?' * cells}{gap}{level_words(None, criterion.status)}", "dim")
    else:
        won = f"{criterion.points:g} of {criterion.weight:g} points"
        bar = _bar(criterion.level / 4, cells)
        line += _text(f"{bar}{gap}{level_words(criterion.level, criterion.status)}, {won}")
    console.print(line)
    words = " ".join(filter(None, [told, opinions(criterion)]))
    if words:
        console.print(_indented(_text(words, "dim")))


def _flag(console: Console, flag: FlagLine) -> None:
    line = _text(f"{flag.titles}: ", FLAG_STYLE)
    line += _text(f"{flag.words} (total at most {flag.cap:g})")
    _hanging(console, "!", line, style=FLAG_STYLE)


def _marked(report: FeedbackReport, answer: str, color: bool) -> Text:
    from rich.text import Text

    titles = {f.id: f.title or f.id for f in report.red_flags}
    text = Text()
    open_mark = False
    for piece in pieces(report, answer):
        marked = bool(piece.criteria or piece.flags)
        style = FLAG_STYLE if piece.flags else CRITERION_STYLES[(piece.criteria[0] - 1) % 6] if piece.criteria else ""
        if not color and marked and not open_mark:
            text.append("«")
        text.append(inert(piece.text, keep_lines=True), f"{style} underline" if style else "")
        open_mark = marked
        if piece.ends:
            text.append(inert(f"{'' if color else '»'}[{', '.join(titles.get(e, e) for e in piece.ends)}]"), "dim")
            open_mark = False
    text.rstrip()
    return text


def _points(console: Console, report: FeedbackReport, answer: str) -> None:
    if not report.points:
        return
    _title(console, "What an expert says here")
    for point in report.points:
        status = point_status(report, point)
        style = {"covered": "green", "contradicted": "red"}.get(status, "dim")
        line = _text(f"{point.text} ") + _text(point_words(report, point, answer), "dim")
        _hanging(console, POINT_MARKS[status], line, style=style)


def _next_steps(console: Console, report: FeedbackReport) -> None:
    if not report.next_steps:
        return
    _title(console, steps_title(report))
    names = {c.id: c.title or c.id for c in report.criteria} | {f.id: f.title or f.id for f in report.red_flags}
    for step in report.next_steps:
        line = _text(f"{names.get(step.criterion, step.criterion)}. ", "bold") + _text(step.advice)
        _hanging(console, gain_words(step.gain), line, cells=6, style="bold green")
