"""The card's figures as Markdown tables: `evals/figures.md`, written by `make train`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from coach.judges import ESCALATE_MARGIN

MARGINS = (0, 8, 10, 12, 14)
_SETS = {
    "held_out_questions": "Questions not seen",
    "held_out_answers": "The bank's, answers not seen",
    "fresh_questions": "New questions",
    "foreign_questions": "Other fields",
    "practice_answers": "The bank's, new answers",
}
_HEAD = "Written by `make train` from `coach/judges/data/card.json`; `README.md` says how to read it.\n"


def render(card: dict[str, Any]) -> str:
    """All tables of a card, held-out questions first."""
    held = card["held_out_questions"]
    sets = [card[name] for name in _SETS]
    parts = [
        f"# The offline judge in figures\n\n{_HEAD}\n{_told(card)}",
        f"## The hiring signal\n\n{_overall(sets)}",
        f"## Criteria\n\n{_criteria([s['criteria'] for s in sets])}",
        f"## Answers that must not pass\n\n{_worst(held['above_two'])}",
        f"## How sure it is\n\n{_reliability(held['reliability'])}",
        f"## Red flags\n\n{_flags(held['red_flags'])}",
        f"## Expert points\n\n{_points(held['points'])}",
        f"## Far from every step\n\n{_margins(held['by_margin'])}",
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _told(card: dict[str, Any]) -> str:
    held = card["held_out_questions"]
    given, n = held["overall"]["n"], held["overall"]["n"] + held["abstained"] + held["failed"]
    return (
        f"The network was trained on {len(card['network']['answers']):,} answers of `answers/`, {card['network']['trained_at']}; "
        f"the decision behind it on what it reads of {len(card['decision']['answers']):,} of `held-out/`, which it never saw, "
        f"{card['decision']['trained_at']}. The first two columns are of these, each fold of questions graded by a decision "
        f"fitted without it; the other sets nothing was fitted on. On questions not seen {given} of {n} answers got a total, "
        f"{held['abstained']} none ({held['abstained'] / n:.0%}, the judge being too unsure), {held['failed']} failed."
    )


def _overall(sets: Sequence[dict[str, Any]]) -> str:
    overall, twins = [s["overall"] for s in sets], sets[0]["twins"]
    told = f"{twins['within_one']:.0%} of {twins['pairs']} pairs"
    rows = [
        ("kappa (quadratic)", *(_interval(o, "qwk") for o in overall), "0.85"),
        ("Spearman", *(_interval(o, "spearman") for o in overall), "0.85"),
        ("Spearman of the total", *(f"{s['total_spearman']:.2f}" for s in sets), ""),
        ("exact", *(f"{o['exact']:.0%}" for o in overall), ""),
        ("within one", *(f"{o['within_one']:.0%}" for o in overall), "95%"),
        ("twins within one of each other", told, *[""] * (len(sets) - 1), "95%"),
        ("red flags, micro-F1", *(f"{s['red_flags']['micro_f1']:.2f}" for s in sets), "0.70"),
        ("answers with a total", *(o["n"] for o in overall), ""),
    ]
    return _table(["", *_SETS.values(), "Aimed at"], rows)


def _interval(figures: dict[str, Any], name: str) -> str:
    told = f"{figures[name]:.2f}"
    low_high = figures.get(f"{name}_95")
    return f"{told} ({low_high[0]:.2f} to {low_high[1]:.2f})" if low_high else told


def _criteria(sets: Sequence[dict[str, Any]]) -> str:
    rows = [(f"`{c}`", *(f"{s[c]['qwk']:.2f}" for s in sets)) for c in sets[0]]
    return "Kappa; aimed at are 0.70.\n\n" + _table(["Criterion", *_SETS.values()], rows)


def _worst(above: dict[str, Any]) -> str:
    rows = [(kind, f["n"], f["above_two"], f["open"]) for kind, f in above.items()]
    return _table(["Labelled 2 or below", "With a total", "Of these above 2", "Without a total"], rows)


def _reliability(bins: Sequence[dict[str, float]]) -> str:
    rows = [(f"{b['expected_error']:.2f}", f"{b['actual_error']:.2f}", f"{b['within_one']:.0%}") for b in bins]
    return "Errors in levels, over all criteria.\n\n" + _table(["Expected error", "Actual", "Within one"], rows)


def _flags(flags: dict[str, Any]) -> str:
    told = f"Micro-F1 {flags['micro_f1']:.2f}, precision {flags['micro_precision']:.2f}, recall {flags['micro_recall']:.2f}; "
    rows = [(f"`{k}`", f["labelled"], f["raised"], f["right"]) for k, f in flags.items() if isinstance(f, dict)]
    return f"{told}aimed at is an F1 of 0.70.\n\n" + _table(["Flag", "Labelled", "Raised", "Right"], rows)


def _points(points: dict[str, float]) -> str:
    return (
        f"Of the points called covered {points['covered_holds']:.0%} are labelled as made, of those called missing "
        f"{points['missing_yet_labelled_covered']:.0%}. Base rate {points['labelled_covered']:.0%}, area under the curve "
        f"{points['auc']:.2f}."
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"


def _margins(margins: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            f"**{m['margin']:g} (used by `escalate`)**" if m["margin"] == ESCALATE_MARGIN else f"{m['margin']:g}",
            f"{m['share']:.0%}",
            _percent(m["exact"]),
            _percent(m["within_one"]),
        )
        for m in margins
        if m["margin"] in MARGINS
    ]
    head = ["Points from the nearest step, at least", "Share kept offline", "Exact", "Within one"]
    return _table(head, rows)
