"""Rationales that contradict their level: a judge that writes "absent" and gives a 3 is asked again."""

from __future__ import annotations

import re

from coach.judgement import Judged

_NOTHING = re.compile(
    r"\b(?:is|are|was|were|entirely|completely|wholly|totally|simply)?\s*(?:absent|missing entirely|not addressed|not mentioned|"
    r"never (?:mention|address|discuss)\w*|does not (?:mention|address|discuss|show|contain)\b[^.,;]{0,40}\b(?:any|at all)|"
    r"no (?:mention|evidence|sign|trace|discussion) of)\b",
    re.IGNORECASE,
)
"""Speaks against a high level wherever it stands."""
_LACKING = re.compile(
    r"\bno (?:\w+[ -]){1,4}(?:is|are|was|were) (?:\w+ly )?(?:named|discussed|mentioned|given|made|shown|addressed|weighed|considered|offered)\b"
    r"|\b(?:fails? to|does not|doesn't|did not|didn't) (?:mention|discuss|address|name|show|consider|weigh|say)\b"
    r"|\bnothing (?:is|was) said\b|\bsays nothing (?:about|of|on)\b|\b(?:ignores|lacks any|there (?:is|are) no|there (?:isn't|aren't) any)\b"
    r"|\b(?:is|are) (?:entirely |completely )?(?:missing|lacking)\b|\bnot (?:met|shown|present)\b|^\s*(?:completely |entirely )?missing\b",
    re.IGNORECASE,
)
"""Speaks against a high level only where nothing else is said: what is missing is often why a 3 is not a 4."""
_PRAISE = re.compile(
    r"\b(?:excellent|outstanding|exemplary|thorough(?:ly)?|comprehensive(?:ly)?|expert[- ]level|fully (?:covers|addresses|meets)|"
    r"everything (?:an|the) expert|(?:very )?strong answer)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|although|though|yet|while|except|apart from|only|lacks?|fails?|not|no|far from|hardly|barely|rather than|"
    r"which is|as it should|rightly|correctly|to its credit)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"(?:^|\b(?:gives?|given|award(?:s|ed)?|assign(?:s|ed)?|deserves?|merits?|earns?|is|at|so|hence|therefore|thus)\s+(?:an? )?)"
    r"level\s+(?:of\s+)?([0-4])\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|would need|needs?|for|short of|below|above|beyond|than|not|nor|between|or|reach\w*|next)\b", re.IGNORECASE
)
"""Says that a level is compared with or wished for, not given."""
HIGH, LOW = 3, 1


def contradiction(verdict: Judged) -> str | None:
    """What in a rationale speaks against its level, or None. Sentences that turn ("thorough, but ...") are passed over."""
    sentences = [s for s in re.split(r"(?<=[.!?;])\s+", verdict.rationale.strip()) if s]
    for sentence in sentences:
        named = _NAMED.search(sentence)
        if named and int(named[1]) != verdict.level and not _SUPPOSED.search(sentence):
            return f"its reasoning says “{named[0].strip()}”, its level is {verdict.level}"
    said = None
    if verdict.level >= HIGH:
        said = next(filter(None, (_plainly(_NOTHING, s) for s in sentences)), None) or _all_lacking(sentences)
    elif verdict.level <= LOW:
        said = next(filter(None, (_plainly(_PRAISE, s) for s in sentences)), None)
    return f"its reasoning says “{said}”, its level is {verdict.level}" if said else None


def _plainly(pattern: re.Pattern[str], sentence: str) -> str | None:
    """What the pattern finds in a sentence that does not turn."""
    found = pattern.search(sentence)
    if not found or _TURN.search(sentence[: found.start()]) or _TURN.search(sentence[found.end() :]):
        return None
    return found[0].strip()


def _all_lacking(sentences: list[str]) -> str | None:
    """What the first sentence says is lacking, where every sentence says that something is."""
    said = [_plainly(_LACKING, s) or _plainly(_NOTHING, s) for s in sentences]
    return said[0] if said and all(said) else None
