from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from builders import report

from coach.evaluation.figures import further_figures
from coach.evaluation.grade import GradedRow
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import agreement
from coach.evaluation.page import PLOT, confusion_cells, render_page, run_plots
from coach.evaluation.probe import PROBES, Pair, Probed, ProbeRun
from coach.evaluation.probe_card import report_card
from coach.evaluation.text import card_lines, run_lines

EVIL = '<script>alert("x")</script>'


def run(name: str = "part-1") -> dict[str, Any]:
    rows = [
        GradedRow(
            Labelled(
                f"{name}{n}", f"q{n % 12}", "a", 1 + n % 5, {"product_framing": 3}, frozenset({name}), frozenset(), None,
                kind=name,
            ),
            report(points=(), overall=1 + n % 4, total=30.0),
        )
        for n in range(24)
    ]  # fmt: skip
    return {
        "judge": {"kind": "llm", "name": "llm", "model": name, "fingerprint": "f" * 64},
        "prompt": "p" * 64,
        "rubric": "r" * 64,
        "date": "2026-11-25",
        "set": name,
        "figures": agreement(rows) | further_figures(rows),
        "rows": [
            {"id": r.label.id, "group": r.label.group, "overall": 2, "labelled": r.label.overall, "red_flags": [],
             "labelled_flags": [name], "error": None}
            for r in rows
        ],
    }  # fmt: skip


def probed() -> dict[str, Any]:
    pair = Pair("a", "q01", report(), report(overall=5))
    card = report_card(ProbeRun(12, 12, tuple(Probed(p, (pair,) * 12, 0, 1) for p in PROBES)))
    about = {k: v for k, v in run(EVIL).items() if k not in {"figures", "rows"}}
    return {**about, "probes": card.model_dump(mode="json")["results"], **card.counts}


PAGES = {"run": render_page(run()), "probe": render_page(probed()), "evil": render_page(run(EVIL))}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_self_contained_and_without_script(name: str) -> None:
    page = PAGES[name]
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not any(word in page for word in ("http://", "https://", "@import", "url("))


@pytest.mark.parametrize("name", PAGES)
def test_every_element_is_closed(name: str) -> None:
    body = PAGES[name].split("<body>")[1].split("</body>")[0]
    ET.fromstring(f"<body>{body}</body>")  # raises where something is not well-formed


@pytest.mark.parametrize("name", PAGES)
def test_every_plot_has_a_name_a_description_and_a_table(name: str) -> None:
    body = ET.fromstring(f"<body>{PAGES[name].split('<body>')[1].split('</body>')[0]}</body>")
    ids = [e.get("id") for e in body.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    plots = list(body.iter("svg"))
    assert len(plots) >= 2
    for plot in plots:
        assert plot.get("role") == "img"
        assert {plot.get("aria-labelledby"), plot.get("aria-describedby")} <= set(ids)
    assert len(list(body.iter("details"))) == len(plots)


def test_names_from_files_are_escaped() -> None:
    assert "&lt;script&gt;" in PAGES["evil"]


def test_the_confusion_knows_its_diagonal() -> None:
    cells = confusion_cells([[1, 3], [0, 4]])
    assert [(c.answers, c.share, c.exact) for c in cells] == [
        (1, 0.25, True), (3, 0.75, False), (0, 0.0, False), (4, 1.0, True),
    ]  # fmt: skip


def test_dots_stay_within_their_plot() -> None:
    dots = [d for plot in run_plots(run()["figures"]) for d in plot.dots]
    assert all(0 <= x <= PLOT for d in dots for x in (d.x, d.low, d.high) if x is not None)


def test_a_run_where_nothing_was_judged_has_a_page() -> None:
    rows = [
        GradedRow(Labelled("a", "q01", "a", 1, {}, frozenset(), frozenset(), None), report(overall=None, total=None))
    ]
    document = run() | {"figures": agreement(rows) | further_figures(rows), "rows": []}
    assert "without a total" in render_page(document)


def test_the_terminal_names_the_counts_and_the_intervals() -> None:
    told = "\n".join(run_lines(run()))
    assert "24 judged, 0 without a total, 0 failed" in told
    assert " to " in next(line for line in told.splitlines() if line.startswith("overall"))


def test_failures_are_told_with_their_reason() -> None:
    document = run()
    document["rows"][0]["error"] = "no route\x1b[31m"
    assert "  1x no route⟨U+001B⟩[31m" in run_lines(document)


def test_the_card_names_every_probe_and_its_finding() -> None:
    pair = Pair("a", "q01", report(), report(overall=5))
    lines = card_lines(report_card(ProbeRun(12, 12, tuple(Probed(p, (pair,) * 12, 0, 1) for p in PROBES))))
    for probe in PROBES:
        assert any(line.startswith(probe.title) for line in lines)
    assert "FLIPS (1 lost)" in next(line for line in lines if line.startswith("Repeated call"))
