"""Which characters of the answer carry which verdicts: the one place that lays evidence over the text."""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

from coach.report import FeedbackReport

_WRAPPED = re.compile(r"(?<=[^\n]{60})\n(?=[^\W\d_]|[\"“‘(])")


class Piece(NamedTuple):
    """A run of the answer with the same marks: numbers of criteria as the report lists them, and ids of red flags."""

    text: str
    criteria: tuple[int, ...]
    flags: tuple[str, ...]
    ends: tuple[str, ...]
    """Labels of the evidence that ends with this piece, for a note behind it."""


def pieces(report: FeedbackReport, answer: str) -> tuple[Piece, ...]:
    """Cut the answer at every start and end of verified evidence; joined, the pieces are the answer again.

    Line breaks that an editor put in for width become spaces, one character for another, so that offsets hold.
    """
    answer = _WRAPPED.sub(" ", answer)
    marks = [
        (e.start, e.end, number, "")
        for number, criterion in enumerate(report.criteria, start=1)
        for e in criterion.evidence
        if e.start is not None and e.end is not None
    ]
    marks += [
        (e.start, e.end, 0, flag.id)
        for flag in report.red_flags
        for e in flag.evidence
        if e.start is not None and e.end is not None
    ]
    cuts = sorted({0, len(answer), *(p for s, e, _, _ in marks for p in (s, e) if 0 <= p <= len(answer))})
    found = []
    for start, end in itertools.pairwise(cuts):
        here = [m for m in marks if m[0] <= start and end <= m[1]]
        closing = [m for m in marks if m[1] == end and m[0] < end]
        found.append(
            Piece(
                text=answer[start:end],
                criteria=tuple(sorted({m[2] for m in here if m[2]})),
                flags=tuple(sorted({m[3] for m in here if m[3]})),
                ends=tuple(dict.fromkeys(m[3] or str(m[2]) for m in sorted(closing, key=lambda m: (m[3], m[2])))),
            )
        )
    return tuple(found)
