"""A run or a report card as one HTML page: no script, nothing loaded from anywhere, plots as inline SVG, all escaped.

Jinja2 escapes whatever goes in, in the plots too; this module only turns figures into coordinates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from coach.evaluation.figures import SIGNALS
from coach.render.plain import OVERALL_WORDS, inert

if TYPE_CHECKING:
    from jinja2 import Template

PLOT = 360
"""Width of the drawing area of a plot, in SVG units; text and labels lie outside it."""
KINDS_SHOWN = 30
RATES = {
    "same": ("flips", "flips"),
    "not_higher": ("rose", "rise"),
    "lower": ("fell", "fall"),
    "floor": ("above_floor", "stay above 2"),
}


class Cell(NamedTuple):
    """One cell of the confusion matrix."""

    x: int
    y: int
    answers: int
    share: float
    """Of the answers labelled so, 0..1: how dark it is."""
    exact: bool


_Figure = tuple[str, int, float | None, Sequence[float] | None]
"""Name, n, value, 95% interval."""


class Dot(NamedTuple):
    """A figure with its interval on a horizontal axis, in SVG units."""

    name: str
    n: int
    value: float | None
    interval: tuple[float, float] | None
    x: float | None
    low: float | None
    high: float | None


class Plot(NamedTuple):
    """Dots under each other on one axis."""

    id: str
    title: str
    told: str
    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, str], ...]
    zero: float | None
    """Where the axis has its 0, if a line should mark it."""
    form: str
    """How a value is written, a %-format."""


def render_page(document: Mapping[str, Any]) -> str:
    """A page for a run (`coach eval --html`) or a report card (`coach eval probe --html`)."""
    if "probes" in document:
        return _template("probe.html.j2").render(run=document, plots=probe_plots(document["probes"]), rates=RATES)
    figures = document["figures"]
    return _template("run.html.j2").render(
        run=document,
        figures=figures,
        cells=confusion_cells(figures["confusion"]),
        signals=[(v, OVERALL_WORDS[v]) for v in SIGNALS],
        plots=run_plots(figures),
        flags=[(name, found) for name, found in figures["red_flags"].items() if isinstance(found, Mapping)],
        worst=furthest_off(document["rows"]),
    )


def confusion_cells(matrix: Sequence[Sequence[int]]) -> tuple[Cell, ...]:
    """Cells row by row; a row is a labelled signal."""
    cells = []
    for y, line in enumerate(matrix):
        for x, count in enumerate(line):
            share = count / sum(line) if sum(line) else 0.0
            cells.append(Cell(x, y, count, round(share, 3), x == y))
    return tuple(cells)


def run_plots(figures: Mapping[str, Any]) -> tuple[Plot, ...]:
    """Agreement and bias per criterion and per kind, precision and recall per flag, labels inside the bands."""
    found = {"hiring signal": figures["overall"], **figures["criteria"]}
    plots = [
        _agreement("criteria", "Agreement by criterion", found),
        _bias("criteria-bias", "Lenient or strict, by criterion", found),
    ]
    for way, kinds in figures["kinds"].items():
        if len(kinds) > 1:
            shown = dict(list(kinds.items())[:KINDS_SHOWN])
            plots.append(_agreement(f"kinds-{way}", f"Hiring signal by {way}: agreement", shown))
            plots.append(_bias(f"kinds-{way}-bias", f"Hiring signal by {way}: lenient or strict", shown))
    plots += [_of_flags(figures["red_flags"], "precision"), _of_flags(figures["red_flags"], "recall")]
    return tuple(p for p in plots if p.dots)


def reliability_plot(levels: Sequence[Mapping[str, Any]]) -> Plot:
    """Share of labels inside the judge's bands, by the bands' width: wider bands should hold more."""
    dots = [
        (f"{f['width']:g} levels wide", f["n"], f["inside"], f["inside_95"])
        for f in sorted(levels, key=lambda f: f["width"])
    ]
    return _plot(
        "reliability",
        "Does doubt mean anything?",
        "Share of labels inside the band, by its width",
        dots,
        axis=(0.0, 1.0),
    )


def probe_plots(probes: Sequence[Mapping[str, Any]]) -> tuple[Plot, ...]:
    """Lift and rate of every probe."""
    lifts = [(p["title"], p["pairs"], p["lift"]["value"], _ends(p["lift"])) for p in probes]
    reach = _reach([5.0, *(abs(v) for _, _, _, ends in lifts if ends for v in ends)])
    rates = [
        (p["title"], p["pairs"], p[RATES[p["expect"]][0]]["value"], _ends(p[RATES[p["expect"]][0]])) for p in probes
    ]
    return (
        _plot(
            "lift",
            "Mean lift",
            "Points of the judge's own total, after less before",
            lifts,
            axis=(-reach, reach),
            form="%+.1f",
        ),
        _plot("rates", "Rates", "Share of answers whose signal did what the probe is about", rates, axis=(0.0, 1.0)),
    )


def furthest_off(rows: Sequence[Mapping[str, Any]], count: int = 10) -> tuple[Mapping[str, Any], ...]:
    """Answers graded furthest from their label, two steps or more."""
    off = [r for r in rows if r["overall"] is not None and abs(r["overall"] - r["labelled"]) > 1]
    return tuple(sorted(off, key=lambda r: -abs(r["overall"] - r["labelled"]))[:count])


def _agreement(id: str, title: str, found: Mapping[str, Any]) -> Plot:
    dots = [(name, f["n"], f["qwk"], f.get("qwk_95")) for name, f in found.items()]
    return _plot(id, title, "Quadratic weighted kappa, 95% interval", dots, axis=(0.0, 1.0))


def _bias(id: str, title: str, found: Mapping[str, Any]) -> Plot:
    dots = [(name, f["n"], f["bias"], f.get("bias_95")) for name, f in found.items()]
    reach = _reach([0.5, *(abs(v) for *_, ends in dots if ends for v in ends)])
    return _plot(id, title, "Found less labelled; right of 0 is lenient", dots, axis=(-reach, reach), form="%+.2f")


def _of_flags(flags: Mapping[str, Any], name: str) -> Plot:
    of = "raised" if name == "precision" else "labelled"
    dots = [(f, v[of], v[name], v[f"{name}_95"]) for f, v in flags.items() if isinstance(v, Mapping) and v[of]]
    told = {"precision": "Of those raised, labelled so", "recall": "Of those labelled, raised"}[name]
    return _plot(f"flags-{name}", f"Red flags: {name}", told, dots, axis=(0.0, 1.0))


def _reach(values: Sequence[float]) -> float:
    """The first round number that holds all values."""
    most = max(values)
    return next((r for r in (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 40.0, 60.0) if r >= most), 100.0)


def _ends(found: Mapping[str, Any]) -> list[float] | None:
    return None if found["low"] is None or found["high"] is None else [found["low"], found["high"]]


def _plot(
    id: str, title: str, told: str, dots: Sequence[_Figure], *, axis: tuple[float, float], form: str = "%.2f"
) -> Plot:
    least, most = axis

    def at(value: float) -> float:
        return round(PLOT * (min(max(value, least), most) - least) / (most - least), 1)

    drawn = tuple(
        Dot(
            name=name,
            n=n,
            value=value,
            interval=(ends[0], ends[1]) if ends else None,
            x=None if value is None else at(value),
            low=at(ends[0]) if ends else None,
            high=at(ends[1]) if ends else None,
        )
        for name, n, value, ends in dots
    )
    ticks = tuple((at(v), f"{v:g}") for v in (least + (most - least) * i / 4 for i in range(5)))
    return Plot(id, title, told, drawn, ticks, at(0.0) if least < 0 else None, form)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("coach.evaluation", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inert"] = lambda value: inert(str(value))
    environment.globals["reliability_plot"] = reliability_plot
    environment.globals["plot_width"] = PLOT
    return environment.get_template(name)
