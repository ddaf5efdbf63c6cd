"""Untrusted text made inert for a terminal, and small pieces of wording that several renderings share."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from coach.lexical import shorten
from coach.models import BROUGHT
from coach.report import CriterionReport, FeedbackReport, FlagReport, PointReport

OVERALL_WORDS = {1: "strong no", 2: "no", 3: "borderline", 4: "yes", 5: "strong yes"}
POINT_MARKS = {"covered": "✓", "partial": "~", "missing": "·", "contradicted": "✗", "not judged": "?"}
POINT_QUOTE = 80
"""Characters of the passage nearest to an expert point."""
FLAG_QUOTE = 200
"""Characters of a quote in the list of red flags."""
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width (non-)joiners shape emoji and several scripts; alone among format characters they stay."""


def inert(text: str, *, keep_lines: bool = False) -> str:
    """Text that cannot move a cursor, colour a line or reorder letters: unsafe characters are shown as ⟨U+001B⟩.

    Args:
        text: anything a candidate, a model or a server wrote.
        keep_lines: leave line feeds and tabs; else they become spaces.
    """
    return "".join(_shown(c, keep_lines) for c in text)


def _shown(character: str, keep_lines: bool) -> str:
    if character in "\n\t":
        return character if keep_lines else " "
    if character in _JOINERS or unicodedata.category(character) not in _UNSAFE:
        return character
    return f"⟨U+{ord(character):04X}⟩"


def title(report: FeedbackReport) -> str:
    """The question, behind its id where it has one of its own."""
    named = report.question_id if report.question_id != BROUGHT else ""
    return f"{named}  {report.question}".strip()


def headline(report: FeedbackReport) -> str:
    """The grade in words: total, hiring signal, band."""
    if report.status == "failed":
        return "not graded"
    if report.total is None or report.overall is None:
        return "no total: too little could be judged"
    signal = f"{report.total:g} / 100 · {report.overall} of 5, {OVERALL_WORDS[report.overall]}"
    if report.band and report.band[0] != report.band[1]:
        signal += f" · could be {report.band[0]:g} to {report.band[1]:g}"
    return signal + (" · second look advised" if report.second_look else "")


def judged_by(report: FeedbackReport) -> str:
    """Who judged, in words."""
    judge = report.judge
    if judge.kind == "screen":
        return "decided by a check in code; no judge was asked"
    if judge.kind == "offline":
        return f"judged offline by {judge.name}: a small model, no LLM"
    recorded = " (a recorded reply)" if judge.kind == "replay" else ""
    return f"judged by {inert(judge.model or judge.name)}{recorded}"


def used(report: FeedbackReport) -> str:
    """Calls, tokens and money in words; empty where no call was made."""
    usage = report.usage
    if not usage.calls:
        return ""
    money = "price unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    money += " (estimated: the endpoint counted no tokens)" if usage.estimated_calls else ""
    calls = "1 call" if usage.calls == 1 else f"{usage.calls} calls"
    return f"{calls}, {usage.prompt_tokens} + {usage.completion_tokens} tokens, {money}"


def level_words(level: int | None, status: str) -> str:
    """`level 3 of 4`, or why there is none."""
    return f"level {level} of 4" if level is not None else status.replace("_", " ")


def opinions(criterion: CriterionReport) -> str:
    """What each of several judges said; empty where one judged."""
    said = [f"{inert(o.judge)} {'open' if o.level is None else o.level}" for o in criterion.opinions]
    return f"Judges: {', '.join(said)}." if said else ""


class FlagLine(NamedTuple):
    """Red flags that the same words raise."""

    titles: str
    words: str
    cap: float


def flag_lines(report: FeedbackReport) -> tuple[FlagLine, ...]:
    """The red flags, those that rest on the same words on one line under the lower cap."""
    by_words: dict[str, list[FlagReport]] = {}
    for flag in report.red_flags:
        by_words.setdefault(_flag_words(flag), []).append(flag)
    return tuple(
        FlagLine(", ".join(f.title or f.id for f in flags), words, min(f.cap for f in flags))
        for words, flags in by_words.items()
    )


def _flag_words(flag: FlagReport) -> str:
    """The words that raised a flag, long ones cut: the answer stands in full below."""
    return "; ".join(f"“{shorten(e.quote, FLAG_QUOTE)}”" for e in flag.evidence[:3]) or "the answer as a whole"


def answer_title(report: FeedbackReport) -> str:
    """Heading of the answer itself; what its marks mean, if it has any."""
    numbered = any(e.verified for c in report.criteria for e in c.evidence)
    marked = numbered or any(e.verified for f in report.red_flags for e in f.evidence)
    return f"Your answer{', with the words that counted' * marked}{' (numbers: the criteria above)' * numbered}"


def steps_title(report: FeedbackReport) -> str:
    """Heading of the next steps: red flags stand before what is sorted by points."""
    flags = {f.id for f in report.red_flags}
    kinds = {step.criterion in flags for step in report.next_steps}
    told = ["red flags"] * (True in kinds) + ["most to be won first"] * (False in kinds)
    return f"Next steps: {', then '.join(told)}"


def point_status(report: FeedbackReport, point: PointReport) -> str:
    """Its status, or that nobody judged it."""
    return point.status if report.points_judged else "not judged"


def point_words(report: FeedbackReport, point: PointReport, answer: str) -> str:
    """Its status, and for a point that the answer speaks of the passage nearest to it."""
    status = point_status(report, point)
    if status in {"missing", "not judged"} or not point.passages:
        return f"({status})"
    nearest = point.passages[0]
    return f"({status}; nearest: “{shorten(answer[nearest.start : nearest.end], POINT_QUOTE)}”)"


def gain_words(gain: float) -> str:
    """`+9.5`, or `!` for a step that wins nothing by itself but lifts a cap."""
    return f"+{gain:g}" if gain else "!"


def shared_rationale(report: FeedbackReport) -> str:
    """What is said of all criteria alike, by a check in code or a judge that abstains; empty where each has words of its own."""
    said = {c.rationale for c in report.criteria}
    alike = len(said) == 1 and (report.judge.kind == "screen" or len(report.criteria) > 1)
    return said.pop() if alike else ""


def notes(report: FeedbackReport) -> tuple[str, ...]:
    """The report's warnings without what is told at the top already."""
    return tuple(w for w in report.warnings if w != shared_rationale(report))
