"""Runs, comparisons and report cards as lines for a terminal or a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coach.evaluation.compare import CORRECTION, Change
from coach.evaluation.metrics import STATISTICS
from coach.evaluation.pins import Broken
from coach.evaluation.probe_card import Lift, ProbeResult, Rate, ReportCard
from coach.render.plain import inert

_HEADS = {"qwk": "QWK", "spearman": "Spearman", "exact": "exact", "within_one": "in one", "bias": "bias"}
_WIDTH = 22


def run_lines(run: Mapping[str, Any]) -> list[str]:
    """The main figures of a run; the documents hold more."""
    figures = run["figures"]
    lines = [f"{figures['judged']} judged, {figures['abstained']} without a total, {figures['failed']} failed"]
    lines += _counts_of_failures(run["rows"])
    heads = "".join(f"{_HEADS[s]:>{_wide(s)}}" for s in STATISTICS)
    lines += ["", f"{'':<{_WIDTH}}{'n':>5}{heads}"]
    lines += [_line("overall", figures["overall"]), *(_line(c, f) for c, f in figures["criteria"].items())]
    for way, kinds in figures.get("kinds", {}).items():
        if way != "question" and len(kinds) > 1:
            lines += ["", f"hiring signal by {way}", *(_line(name, found) for name, found in kinds.items())]
    lines += ["", *_flag_lines(figures["red_flags"]), *_further(figures)]
    return lines


def _counts_of_failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    counts: dict[str, int] = {}
    for row in rows:
        if row.get("error"):
            counts[row["error"]] = counts.get(row["error"], 0) + 1
    worst = sorted(counts.items(), key=lambda c: -c[1])[:3]
    return [f"  {count}x {inert(message)}" for message, count in worst]


def _wide(statistic: str) -> int:
    return 23 if statistic in {"qwk", "spearman"} else 8


def _line(name: str, found: Mapping[str, Any]) -> str:
    cells = "".join(f"{_cell(found, s):>{_wide(s)}}" for s in STATISTICS)
    return f"{inert(name)[: _WIDTH - 1]:<{_WIDTH}}{found['n']:>5}{cells}"


def _cell(found: Mapping[str, Any], statistic: str) -> str:
    value, interval = found.get(statistic), found.get(f"{statistic}_95")
    if value is None:
        return "-"
    if _wide(statistic) < 10 or not interval:
        return f"{value:.2f}"
    return f"{value:.2f} {_interval(*interval)}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"({low:.2f} to {high:.2f})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _flag_lines(flags: Mapping[str, Any]) -> list[str]:
    told = ", ".join(
        f"{name} {_share(flags[f'micro_{key}'])} {_interval(*(flags[f'micro_{key}_95'] or (None, None)))}"
        for key, name in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
    )
    lines = [f"red flags: {told}"]
    for name, found in flags.items():
        if isinstance(found, Mapping):
            lines.append(
                f"  {inert(name):<22}{found['labelled']:>4} labelled,{found['raised']:>4} raised,{found['right']:>4} right"
            )
    return lines


def _further(figures: Mapping[str, Any]) -> list[str]:
    lines = []
    quotes, bands, twins = (figures.get(k) for k in ("quotes", "reliability", "twins"))
    if quotes and quotes["of"]:
        lines.append(f"quotes: {quotes['count']} of {quotes['of']} stand in the answer")
    if bands and bands["all_levels"]["n"]:
        inside = bands["all_levels"]
        lines.append(
            f"bands: {inside['inside']:.0%} of {inside['n']} labels lie inside {_interval(*inside['inside_95'])}"
        )
    if twins and twins["pairs"]:
        lines.append(f"twins: {twins['within_one']:.0%} of {twins['pairs']} pairs lie within one")
    if "abstention" in figures:
        gaps = figures["abstention"]["criteria"]
        lines.append(f"open: {gaps['count']} of {gaps['of']} criteria have no level")
    return lines


def broken_lines(broken: Sequence[Broken]) -> list[str]:
    """Each broken pin with its answer, what was expected and what was found."""
    lines = []
    for b in broken:
        lines.append(f"BROKEN  {inert(b.name)}")
        lines += [f"  answer:   {inert(b.answer)}"] if b.answer else []
        lines += [f"  expected: {inert(b.expected)}", f"  found:    {inert(b.found)}"]
    return lines


def change_lines(changes: Sequence[Change], *, only_before: int = 0, only_after: int = 0) -> list[str]:
    """Every comparison with its interval, and what counts as noise.

    Args:
        changes: what was compared.
        only_before: answers that only the first run has, and so were left out.
        only_after: those that only the second has.
    """
    left_out = [
        f"{n} answers only in the {run} run" for n, run in ((only_before, "first"), (only_after, "second")) if n
    ]
    lines = [f"Left out: {', '.join(left_out)}."] if left_out else []
    lines += [f"{'':<{_WIDTH}}{'n':>5}{'before':>9}{'after':>8}{'change':>9}  {'95% interval':<18}{'p':>7}"]
    for c in changes:
        split = f"  +{c.split[0]} -{c.split[1]}" if c.split and any(c.split) else ""
        mark = "  CHANGED BEYOND NOISE" if c.beyond_noise else ""
        interval = "" if c.low is None or c.high is None else f"{c.low:+.2f} to {c.high:+.2f}"
        lines.append(
            f"{inert(c.what)[: _WIDTH - 1]:<{_WIDTH}}{c.n:>5}{c.before:>9.2f}{c.after:>8.2f}{c.difference:>+9.2f}  "
            f"{interval:<18}{c.probability:>7.3f}{split}{mark}"
        )
    count = sum(c.beyond_noise for c in changes)
    lines.append(f"{count} of {len(changes)} comparisons changed beyond noise." if count else "Nothing beyond noise.")
    return [*lines, CORRECTION]


def card_lines(card: ReportCard) -> list[str]:
    """The report card: one line a probe, then what the words mean."""
    lines = [f"{card.graded} of {card.answers} answers have a total as they are and were probed", ""]
    lines.append(
        f"{'':<{_WIDTH}}{'n':>4}  {'signal flips':<22}{'lift, points':<24}{'sees lifts of':>14}{'flips of':>10}  verdict"
    )
    lines += [_result_line(r) for r in card.results]
    lines += ["", *(f"{r.title}: {r.does}. {_wanted(r)}" for r in card.results)]
    return [
        *lines,
        "Lifts are the judge's own points before caps. Intervals: 95%, Wilson for rates, bootstrap by question for lifts; "
        "lifts count when p < 0.05 after Benjamini and Hochberg's correction for the number of probes, and from one point.",
    ]


def _result_line(r: ProbeResult) -> str:
    sees = "-" if r.detectable_lift is None else f"{r.detectable_lift:.1f}"
    verdict = ", ".join(r.findings).upper() or r.verdict
    lost = f" ({r.lost} lost)" if r.lost else ""
    return (
        f"{r.title:<{_WIDTH}}{r.pairs:>4}  {rate_words(shown_rate(r)):<22}{lift_words(r.lift):<24}{sees:>14}"
        f"{r.detectable_rate:>10.0%}  {verdict}{lost}"
    )


def shown_rate(r: ProbeResult) -> Rate:
    """The rate that the probe is about: upward flips, answers that stay up, answers that fall, or any flip."""
    return {"same": r.flips, "not_higher": r.rose, "lower": r.fell, "floor": r.above_floor}[r.expect]


def rate_words(rate: Rate) -> str:
    """`12% (6% to 22%)`."""
    if rate.value is None or rate.low is None or rate.high is None:
        return "-"
    return f"{rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%})"


def lift_words(lift: Lift) -> str:
    """`+1.2 (-0.4 to +2.9)`."""
    if lift.value is None:
        return "-"
    interval = "" if lift.low is None or lift.high is None else f" ({lift.low:+.1f} to {lift.high:+.1f})"
    return f"{lift.value:+.1f}{interval}"


def _wanted(r: ProbeResult) -> str:
    return {
        "same": "Nothing should change.",
        "not_higher": "It must not pay; the rate counts signals that rose.",
        "lower": "The grade should fall; the rate counts signals that fell.",
        "floor": "The grade should fall to the floor; the rate counts signals still above 2.",
    }[r.expect]
