"""What was strong, what to do next (red flags, then by points to be won), and a question to go on with.

Every sentence here is either fixed text, a text of the bank, or a quote found in the answer: nothing is invented.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from coach.judgement import Judged, RaisedFlag, Verdict
from coach.lexical import shorten
from coach.models import MAX_LEVEL, Question, RedFlag, Rubric
from coach.report import NextStep, PointReport
from coach.scoring import ScoreCard, gain_without_caps, gains

STRONG_LEVEL = 3
"""Level from which a criterion is told as a strength."""
NO_PRAISE_CAP = 30.0
"""A check or flag that caps the total this low leaves nothing to praise (copied, off topic, written at the grader)."""
MAX_POINTS_NAMED = 2
QUOTE_CHARS = 90

_ADVICE = {
    "product_framing": "Open with the user, the goal and what success means, before any technique.",
    "tradeoffs": "Name a real alternative, say what your choice gives up and when you would choose otherwise.",
    "long_term_metrics": "Say which long-term value you would watch, over which time, and what short-term number may fall.",
    "systems_thinking": "Follow it past launch: pipeline, feedback loops, monitoring, rollback and who owns them.",
    "communication": "Make one point a paragraph and carry it with an example, a number or a scenario.",
}
_TOP_ADVICE = {
    "product_framing": "Tie each choice that follows back to the goal, and say which goal you would give up first.",
    "tradeoffs": "Put a number on what it costs, and name the value at which you would switch.",
    "long_term_metrics": "Add a guard metric with its limit, and say how a short-term gain could mislead you.",
    "systems_thinking": "Name the failure you fear most, what would show it, and what you would go back to.",
    "communication": "Leave out what this listener does not need, and carry the main point with one vivid case.",
}
"""For an answer that is sound already: what separates level 4 from level 3."""
_FLAG_ADVICE = {
    "model_first": "Name the goal and the constraints before any model.",
    "short_term_metrics": "Make lasting value the goal; clicks are a signal beside it.",
    "offline_is_enough": "Let an online experiment decide; offline metrics only choose what goes into it.",
    "engagement_is_truth": "Say why people click without being satisfied, and what you would measure besides.",
    "absolutes": "Say under which conditions this is the right choice, and what it costs.",
    "no_exploration": "Leave room for what the model does not know yet, and say how much and for whom.",
    "no_monitoring": "Say what you watch after launch, who is told, and how you go back.",
    "one_time_fix": "Say how you keep measuring and correcting it; it comes back.",
    "panic_response": "Diagnose first: say what you would check, in which order, before you act.",
    "blame_or_ego": "Say what your own part was and what you learned.",
    "jargon_first": "Say it in the words of your audience; bring terms in only where they help.",
    "hype": "Give a reason of your own and something concrete in place of praise and trends.",
    "off_topic": "Answer the question that was asked; begin with its own words.",
    "gaming": "Write to an interviewer, in sentences; leave out lists of terms and whatever is meant for the grader.",
}
_FOLLOW_UPS = {
    "product_framing": "Who is this for, and how would you know that it helped them?",
    "tradeoffs": "What would you give up by doing it this way, and when would you choose otherwise?",
    "long_term_metrics": "Which number would tell you after three months that this was right?",
    "systems_thinking": "It has been live for half a year: what can have gone wrong, and who notices?",
    "expert_coverage": "What have you left out that somebody who has done this would bring up first?",
    "communication": "Can you put that into one concrete example?",
}


class Feedback(NamedTuple):
    """The coaching part of a report."""

    strengths: tuple[str, ...]
    next_steps: tuple[NextStep, ...]
    follow_up: str


def build_feedback(
    question: Question,
    rubric: Rubric,
    verdicts: Sequence[Verdict],
    *,
    card: ScoreCard,
    points: Sequence[PointReport],
    flags: Sequence[RaisedFlag],
    caps: Mapping[str, float],
) -> Feedback:
    """Put together strengths, next steps and the follow-up question.

    Args:
        question: what was asked.
        rubric: what it was graded on.
        verdicts: as credited, evidence verified.
        card: their score.
        points: expert points with their status.
        flags: red flags that stand.
        caps: red flag or check id to the highest total it leaves.
    """
    return Feedback(
        strengths=_strengths(rubric, verdicts, points, caps),
        next_steps=_next_steps(rubric, card, points, flags, caps),
        follow_up=follow_up(question, card, points),
    )


def _strengths(
    rubric: Rubric, verdicts: Sequence[Verdict], points: Sequence[PointReport], caps: Mapping[str, float]
) -> tuple[str, ...]:
    if min(caps.values(), default=100.0) <= NO_PRAISE_CAP:
        return ()
    titles = {c.id: c.criterion.title for c in rubric.criteria}
    by_quote: dict[str, list[str]] = {}
    for v in sorted(verdicts, key=lambda v: -v.level if isinstance(v, Judged) else 0):
        if isinstance(v, Judged) and v.level >= STRONG_LEVEL:
            quote = next((e.quote for e in v.evidence if e.verified), "")
            if quote:
                by_quote.setdefault(quote, []).append(titles[v.criterion_id])
    strong = [f"{', '.join(shown)}: “{shorten(quote, QUOTE_CHARS)}”" for quote, shown in by_quote.items()]
    return (*strong, *_points_made(points))


def _points_made(points: Sequence[PointReport]) -> tuple[str, ...]:
    covered = [p.text for p in points if p.status == "covered"]
    if not covered:
        return ()
    if len(covered) == len(points):
        return ("Makes every expert point.",)
    among = ", among them" if len(covered) > 1 else ""
    return (f"Makes {len(covered)} of {len(points)} expert points{among}: {covered[0]}",)


def _next_steps(
    rubric: Rubric,
    card: ScoreCard,
    points: Sequence[PointReport],
    flags: Sequence[RaisedFlag],
    caps: Mapping[str, float],
) -> tuple[NextStep, ...]:
    lifted = _lift_caps(rubric, card, flags, caps)
    if lifted and _nothing_else_to_win(card, min(caps.values())):
        return lifted
    weighted = {c.id: c.criterion for c in rubric.criteria}
    steps = []
    for gain in gains(card):
        target = weighted[gain.criterion_id].levels[gain.to_level].descriptor
        if gain.criterion_id == "expert_coverage":
            own = _missing_advice(points)
        else:
            own = (_TOP_ADVICE if gain.to_level == MAX_LEVEL else _ADVICE).get(gain.criterion_id, "")
        advice = f"{own} Level {gain.to_level}: {target}".strip()
        steps.append(NextStep(criterion=gain.criterion_id, advice=advice, gain=gain.points))
    return (*lifted, *sorted(steps, key=lambda step: -step.gain))


def _nothing_else_to_win(card: ScoreCard, cap: float) -> bool:
    return card.uncapped is not None and cap <= min(card.uncapped, NO_PRAISE_CAP)


def _lift_caps(
    rubric: Rubric, card: ScoreCard, flags: Sequence[RaisedFlag], caps: Mapping[str, float]
) -> tuple[NextStep, ...]:
    """One step per red flag. The tightest cap carries what all caps together cost; the others gain nothing by themselves."""
    known = {f.id: f for f in rubric.red_flags}
    ordered = sorted((f for f in flags if f.id in known), key=lambda f: caps.get(f.id, 100.0))
    cost = gain_without_caps(card)
    return tuple(
        NextStep(
            criterion=flag.id,
            advice=f"{_flag_advice(known[flag.id].flag)} {_cap_advice(caps.get(flag.id, known[flag.id].flag.cap), card)}",
            gain=cost if position == 0 else 0.0,
        )
        for position, flag in enumerate(ordered)
    )


def _cap_advice(cap: float, card: ScoreCard) -> str:
    if card.uncapped is not None and card.uncapped <= cap:
        return f"Not binding yet: at most {cap:g} while it stands."
    return f"This red flag holds the total at {cap:g} or below."


def _flag_advice(flag: RedFlag) -> str:
    return _FLAG_ADVICE.get(flag.id, f"Take out what raises it: {flag.description.rstrip('.')}.")


def _missing_advice(points: Sequence[PointReport]) -> str:
    said = [(p.status, p.text.rstrip(".")) for p in points]
    told = []
    left = MAX_POINTS_NAMED
    for status, words in (
        ("contradicted", "You argue against"),
        ("missing", "Still to be said"),
        ("partial", "Say more fully"),
    ):
        named = [text for s, text in said if s == status][:left]
        left -= len(named)
        if named:
            told.append(f"{words}: {'; '.join(named)}.")
    if points and not told:
        return "All points are made; give for each the reason an expert gives."
    return " ".join(told)


def follow_up(question: Question, card: ScoreCard, points: Sequence[PointReport]) -> str:
    """The question's follow-up nearest to what is missing; for a question brought along, one aimed at the widest gap."""
    if question.follow_ups:
        gap = _words(" ".join(p.text for p in points if p.status != "covered"))
        return max(question.follow_ups, key=lambda text: len(_words(text) & gap))
    widest = gains(card)
    return _FOLLOW_UPS.get(widest[0].criterion_id, "") if widest else ""


@lru_cache(512)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w{5,}", text.lower()))
