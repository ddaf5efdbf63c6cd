"""Several judgements of one answer made one: median level, the spread as band, majorities for flags and points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median_low
from typing import NamedTuple

from coach.evidence import locate
from coach.judgement import (
    Abstained,
    Judged,
    Judgement,
    LeftOpen,
    Opinion,
    PointVerdict,
    RaisedFlag,
    Verdict,
    shortfall,
)
from coach.models import JudgeTask
from coach.pricing import sum_usage


class Named(NamedTuple):
    """A judgement and who made it."""

    judge: str
    judgement: Judgement


def combine(task: JudgeTask, parts: Sequence[Named], *, show_opinions: bool) -> Judgement:
    """One judgement out of several.

    A criterion gets the lower median of the levels it was given, with quotes and rationale of a judgement that gave just
    that level; it stays open where fewer than half of the judgements have a level for it.

    Args:
        task: what was judged.
        parts: one or more judgements.
        show_opinions: keep each judge's level with its name.
    """
    return Judgement(
        verdicts=tuple(_verdict(c.id, parts, show_opinions, task.answer) for c in task.rubric.criteria),
        red_flags=_flags(parts),
        points=_points(parts),
        usage=sum_usage(p.judgement.usage for p in parts),
        warnings=tuple(dict.fromkeys(w for p in parts for w in p.judgement.warnings)),
        lost=shortfall(p.judgement.incomplete for p in parts),
        left_open=_left_open(parts, named=show_opinions),
    )


def _left_open(parts: Sequence[Named], *, named: bool) -> tuple[LeftOpen, ...]:
    """What parts leave open, also where others fill it; with the names of their judges, or once where they are alike."""
    found = (
        part.model_copy(update={"what": f"{p.judge}: {part.what}"}) if named else part
        for p in parts
        for part in p.judgement.open_parts
    )
    return tuple(dict.fromkeys(found))


def _grounded(verdict: Judged, answer: str) -> bool:
    """Whether a quote of it stands in the answer: of judgements that agree, one that can show its words speaks for all."""
    return any(locate(e.quote, answer) for e in verdict.evidence)


def _verdict(id: str, parts: Sequence[Named], show_opinions: bool, answer: str) -> Verdict:
    given = [(p.judge, next(v for v in p.judgement.verdicts if v.criterion_id == id)) for p in parts]
    judged = [v for _, v in given if isinstance(v, Judged)]
    opinions = tuple(Opinion(judge=n, level=v.level if isinstance(v, Judged) else None) for n, v in given)
    shown = {"opinions": opinions if show_opinions else ()}
    if 2 * len(judged) < len(given):
        gap = next(v for _, v in given if isinstance(v, Abstained))
        return gap.model_copy(update=shown)
    levels = [v.level for v in judged]
    middle = median_low(levels)
    chosen = max((v for v in judged if v.level == middle), key=lambda v: _grounded(v, answer))
    return chosen.model_copy(update={"band": _band(judged, levels), **shown})


def _band(judged: Sequence[Judged], levels: Sequence[int]) -> tuple[float, float] | None:
    """From the lowest to the highest level given; what a single judgement assumed of itself where there is but one."""
    if len(levels) == 1:
        return judged[0].band
    return float(min(levels)), float(max(levels))


def _flags(parts: Sequence[Named]) -> tuple[RaisedFlag, ...]:
    """Flags that more than half of the judgements raise, with the quotes of all of them."""
    raised = Counter(f.id for p in parts for f in p.judgement.red_flags)
    quotes = {
        id: tuple(dict.fromkeys(e for p in parts for f in p.judgement.red_flags if f.id == id for e in f.evidence))
        for id in raised
    }
    return tuple(RaisedFlag(id=id, evidence=quotes[id]) for id, count in raised.items() if 2 * count > len(parts))


def _points(parts: Sequence[Named]) -> tuple[PointVerdict, ...]:
    """The commonest status of each point; the more cautious one where two are as common."""
    caution = {"contradicted": 0, "missing": 1, "partial": 2, "covered": 3}
    said: dict[str, list[PointVerdict]] = {}
    for part in parts:
        for point in part.judgement.points:
            said.setdefault(point.id, []).append(point)
    found = []
    for given in said.values():
        counts = Counter(p.status for p in given)
        status = min(counts, key=lambda s: (-counts[s], caution[s]))
        found.append(next(p for p in given if p.status == status))
    return tuple(found)
