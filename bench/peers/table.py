"""One Markdown table of what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bench.peers.jobs import Took

HEAD = (
    "Library and mode",
    "Requests an answer",
    "Prompt characters an answer",
    "200 at 50 ms, s",
    "times coach",
    "times coach, vectors known",
    "2,000 at 10 ms, answers/s",
    "CPU s (200)",
    "Memory MB",
    "Import s",
    "Most requests at once",
)


class Figures(NamedTuple):
    """What was measured of one mode."""

    requests: float
    characters: float
    at_once: int
    few: Took
    rate: float | str
    """Answers a second, or why there is no such figure."""


class Base(NamedTuple):
    """Names of the rows the others are compared with."""

    ours: str
    known: str


def render(found: Mapping[str, Figures | str], base: Base) -> str:
    """A row for each name; text in place of figures tells why there are none."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---" + "|---:" * (len(HEAD) - 1) + "|"]
    for name, figures in found.items():
        if isinstance(figures, str):
            cells = [name, f"not measured: {figures}".replace("|", "/"), *[""] * (len(HEAD) - 2)]
        else:
            cells = [name, *_cells(figures, found, base)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(figures: Figures, found: Mapping[str, Figures | str], base: Base) -> list[str]:
    return [
        f"{figures.requests:g}",
        f"{figures.characters:,.0f}",
        _seconds(figures.few),
        _ratio(figures, found.get(base.ours)),
        _ratio(figures, found.get(base.known)),
        figures.rate if isinstance(figures.rate, str) else f"{figures.rate:.0f}",
        f"{figures.few.cpu:.1f}",
        f"{figures.few.megabytes:.0f}",
        f"{figures.few.imported:.1f}",
        str(figures.at_once),
    ]


def _seconds(few: Took) -> str:
    runs = {1: " (one run)", 2: " (two runs)"}
    return f"{few.seconds:.2f}{runs.get(few.runs, '')}"


def _ratio(figures: Figures, to: Figures | str | None) -> str:
    return f"{figures.few.seconds / to.few.seconds:.1f}x" if isinstance(to, Figures) else "-"
