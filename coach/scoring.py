"""The only place that makes numbers: points, total, caps, hiring signal, bands and gains.

Levels come from a judge. What an unverified quote does to a level is one named policy, here.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from coach.judgement import Abstained, Judged, Verdict
from coach.models import MAX_LEVEL, Rubric, WeightedCriterion

COVERAGE_FLOOR = 0.6
"""Share of the weight that must be judged before a total is shown."""

OVERALL_CUTS = (16.0, 39.0, 61.0, 85.0)
"""Totals at which the hiring signal rises to 2, 3, 4, 5. Chosen on the labelled answers' own levels, see evals/README.md."""

DECISION_CUT = OVERALL_CUTS[2]
"""Total from which the signal is a yes."""

ERROR_CORRELATION = 0.6
"""How far a judge that is wrong on one criterion is wrong the same way on another, 0..1: with 0 the errors of six criteria
mostly cancel out in the total, with 1 they never do. Chosen so that the offline judge's range holds the labels' total in four of
five answers, see evals/README.md; taken over for other judges."""

UnverifiedPolicy = Literal["zero", "abstain"]
UNVERIFIED_POLICY: UnverifiedPolicy = "zero"
"""What a level above 0 becomes when none of its quotes stands in the answer.

`zero`: level 0, and the rationale says so. `abstain` would let an invented quote raise the total, because an abstained
criterion leaves the denominator.
"""
CONSTANTS = (COVERAGE_FLOOR, OVERALL_CUTS, ERROR_CORRELATION, UNVERIFIED_POLICY)
"""All that turns levels into numbers besides the rubric; enters the fingerprint."""


class CriterionScore(NamedTuple):
    """What one criterion won. `points` is in 0..weight, None where it was not judged."""

    criterion_id: str
    level: int | None
    weight: float
    points: float | None


class ScoreCard(NamedTuple):
    """Numbers of one answer. `total` and `band` in 0..100, `overall` 1..5; None where too little was judged."""

    criteria: tuple[CriterionScore, ...]
    coverage: float
    """Share of the weight that was judged, 0..1."""
    uncapped: float | None
    total: float | None
    overall: int | None
    band: tuple[float, float] | None

    @property
    def second_look(self) -> bool:
        """Whether the band lies on both sides of the step from borderline to yes: a person should look."""
        return self.band is not None and self.band[0] < DECISION_CUT <= self.band[1]


class Gain(NamedTuple):
    """Points of the total to be won by bringing one criterion to a level."""

    criterion_id: str
    to_level: int
    points: float


def points_for(level: float, weight: float) -> float:
    """Points a level wins of a weight: linear in the level, 0..weight."""
    return level / MAX_LEVEL * weight


def apply_caps(total: float, caps: Iterable[float]) -> float:
    """Lower `total` to the smallest cap; caps never raise it."""
    return min([total, *caps])


def overall_signal(total: float) -> int:
    """Hiring signal 1..5 for a total in 0..100."""
    return 1 + bisect_right(OVERALL_CUTS, total)


def credit(verdict: Verdict, *, policy: UnverifiedPolicy = UNVERIFIED_POLICY) -> Verdict:
    """The verdict as it counts: a level above 0 needs at least one quote that stands in the answer.

    Args:
        verdict: a verdict whose evidence has been through `evidence.verify`.
        policy: what a level without verified evidence becomes.
    """
    if not isinstance(verdict, Judged) or verdict.level == 0 or any(e.verified for e in verdict.evidence):
        return verdict
    told = "none of its quotes stands in the answer" if verdict.evidence else "it quotes nothing from the answer"
    reason = f"The judge gave level {verdict.level}, but {told}."
    if policy == "abstain":
        return Abstained(criterion_id=verdict.criterion_id, reason=reason)
    rationale = f"{reason} It counts as level 0. The judge's words: {verdict.rationale}"
    return verdict.model_copy(update={"level": 0, "rationale": rationale, "band": None})


def score(rubric: Rubric, verdicts: Sequence[Verdict], *, caps: Iterable[float] = ()) -> ScoreCard:
    """Score one answer.

    The total is the mean of the judged criteria, weighted; a criterion without a level leaves the denominator.

    Args:
        rubric: weights sum to 100.
        verdicts: one per criterion of the rubric, in any order, already through `credit`.
        caps: highest totals that red flags and checks leave, each 0..100.

    Raises:
        ValueError: if a criterion of the rubric has no verdict or two.
    """
    by_id = {v.criterion_id: v for v in verdicts}
    if len(by_id) != len(verdicts) or by_id.keys() != {c.id for c in rubric.criteria}:
        raise ValueError(f"verdicts for {sorted(v.criterion_id for v in verdicts)} do not fit the rubric")
    scores = tuple(_criterion_score(c, by_id[c.id]) for c in rubric.criteria)
    judged = sum(s.weight for s in scores if s.points is not None)
    coverage = judged / sum(s.weight for s in scores)
    if coverage < COVERAGE_FLOOR:
        return ScoreCard(scores, coverage, None, None, None, None)
    caps = tuple(caps)
    uncapped = 100 * sum(s.points for s in scores if s.points is not None) / judged
    total = round(apply_caps(uncapped, caps), 1)
    return ScoreCard(scores, coverage, uncapped, total, overall_signal(total), _band(rubric, by_id, uncapped, caps))


def nearest_cut(rubric: Rubric, verdicts: Sequence[Verdict]) -> float | None:
    """Points between the total, before caps, and the nearest step of the hiring signal; None without a total."""
    card = score(rubric, verdicts)
    return None if card.total is None else min(abs(card.total - cut) for cut in OVERALL_CUTS)


def _criterion_score(criterion: WeightedCriterion, verdict: Verdict) -> CriterionScore:
    if isinstance(verdict, Judged):
        points = round(points_for(verdict.level, criterion.weight), 2)
        return CriterionScore(criterion.id, verdict.level, criterion.weight, points)
    return CriterionScore(criterion.id, None, criterion.weight, None)


def _band(
    rubric: Rubric, verdicts: dict[str, Verdict], uncapped: float, caps: tuple[float, ...]
) -> tuple[float, float] | None:
    """Totals that the verdicts' bands leave open; None where none of them leaves anything.

    A criterion that was not judged spans all its levels. See `ERROR_CORRELATION` for how the bands add up.
    """
    falls, rises = [], []
    for criterion in rubric.criteria:
        verdict = verdicts[criterion.id]
        level, (bottom, top) = uncapped / 100 * MAX_LEVEL, (0.0, float(MAX_LEVEL))
        if isinstance(verdict, Judged):
            level, (bottom, top) = verdict.level, verdict.band or (float(verdict.level), float(verdict.level))
        falls.append(points_for(level - bottom, criterion.weight))
        rises.append(points_for(top - level, criterion.weight))
    if not any((*falls, *rises)):
        return None
    weight = sum(c.weight for c in rubric.criteria)
    low = max(0.0, uncapped - 100 * _joint(falls) / weight)
    high = min(100.0, uncapped + 100 * _joint(rises) / weight)
    return round(apply_caps(low, caps), 1), round(apply_caps(high, caps), 1)


def _joint(widths: Sequence[float]) -> float:
    """Width of a sum whose parts have these widths: between their sum and the root of their squares' sum."""
    together, apart = sum(widths) ** 2, sum(w * w for w in widths)
    return math.sqrt(ERROR_CORRELATION * together + (1 - ERROR_CORRELATION) * apart)


def gains(card: ScoreCard) -> tuple[Gain, ...]:
    """What each judged criterion below the top could add to the total, most first.

    Each is brought to level 3 (clear and mostly complete), or one level up where it is there already. Caps
    that stand are left out of the sum, so a gain is what the criterion itself is worth once they are lifted.
    """
    judged = sum(s.weight for s in card.criteria if s.points is not None)
    found = []
    for s in card.criteria:
        if s.level is None or s.points is None or s.level == MAX_LEVEL:
            continue
        target = min(MAX_LEVEL, max(3, s.level + 1))
        won = 100 * (points_for(target, s.weight) - s.points) / judged
        found.append(Gain(s.criterion_id, target, round(won, 1)))
    return tuple(sorted(found, key=lambda g: -g.points))


def gain_without_caps(card: ScoreCard) -> float:
    """Points of the total that the caps cost, 0..100."""
    if card.uncapped is None or card.total is None:
        return 0.0
    return round(max(0.0, card.uncapped - card.total), 1)
