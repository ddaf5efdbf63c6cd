"""Red flags that a sentence can show by its wording, for the offline judge.

Only patterns that were right in two cases of three or more on the labelled answers stand here; the others need meaning.
A sentence that turns or denies ("but", "not", "instead of") mostly warns against the fault, and is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coach.models import Segment, Span

_SHORT = r"(?:clicks?|ctr|click[- ]through(?: rates?)?|watch[- ]time|engagement|impressions?|session length|taps)"
_TURN = re.compile(
    r"\b(?:not|never|no longer|rather than|instead of|without|trap|mistake|wrong|danger\w*|mislead\w*|fool\w*|bait|but|however|"
    r"although|than|used to|once|avoid|warn\w*|stop\w*|against|alone|only tells?)\b|n't\b",
    re.IGNORECASE,
)
_SENTENCES = {
    "short_term_metrics": (
        rf"(?:objective|goal|target|optimi[sz]\w+|maximi[sz]\w+|success|north star|kpi|what (?:counts|matters)|decid\w+|reward)\b"
        rf"[^.;]{{0,50}}\b{_SHORT}|{_SHORT}\b[^.;]{{0,40}}\b(?:is|are|as|was) (?:the|our|my|what) "
        rf"(?:main |primary |only |key |best |single |right )*(?:metric|goal|objective|target|kpi|measure|number|signal)|"
        rf"(?:more|higher|raise|increase|lift|boost|drive|grow)\w*\b[^.;]{{0,20}}\b{_SHORT}"
    ),
    "engagement_is_truth": (
        r"\b(?:clicks?|engagement|taps?|behaviou?r|every click)\b[^.;]{0,50}\b(?:ground truth|truth|clean label|reliable|honest|"
        r"means? (?:that )?(?:they|the user|people)|tells? us (?:exactly|what)|prove[sn]?|never lies?|"
        r"shows? (?:what|that) (?:they|people|users)|is a vote|clearest)"
    ),
    "panic_response": (
        r"\b(?:immediately|at once|right away|first thing|straight away|instantly|without delay)\b[^.;]{0,50}"
        r"\b(?:roll\w*|revert\w*|restore|turn\w* off)|(?:roll\w* back|revert)\b[^.;]{0,40}"
        r"\b(?:immediately|at once|first|right away|everything|all|instantly|and ask)"
    ),
}
_COUNTED = {
    "hype": (
        r"\b(?:revolution\w*|cutting[- ]edge|world[- ]class|game[- ]chang\w*|unlock\w*|empower\w*|incredibl\w*|amazing|"
        r"unlimited|paradigm|synerg\w*|passionate|thrill\w*|next[- ]gen\w*|limitless|visionary)\b",
        3,
    ),
}
"""Flags that a single word does not show: pattern, and how many words of it do."""
RULES = (_TURN.pattern, _SENTENCES, _COUNTED)
"""All that decides here; enters the judge's fingerprint."""
_COMPILED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _SENTENCES.items()}
_COMPILED_COUNTED = {name: (re.compile(p, re.IGNORECASE), n) for name, (p, n) in _COUNTED.items()}


def flags_by_wording(segments: Sequence[Segment]) -> dict[str, Span]:
    """Flags the wording shows, each with the first segment that does."""
    found: dict[str, Span] = {}
    for segment in segments:
        for name, pattern in _COMPILED.items():
            if name not in found and pattern.search(segment.text) and not _TURN.search(segment.text):
                found[name] = Span(segment.start, segment.end)
    for name, (pattern, least) in _COMPILED_COUNTED.items():
        hits = [(s, len(pattern.findall(s.text))) for s in segments]
        if sum(n for _, n in hits) >= least:
            best = max(hits, key=lambda hit: hit[1])[0]
            found[name] = Span(best.start, best.end)
    return found
