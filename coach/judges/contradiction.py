"""Rationales that contradict their level: a judge that writes "absent" and gives a 3 is asked again."""

from __future__ import annotations

import re

from coach.models import Judged

_NOTHING = re.compile(
    r"\b(?:is|are|was|were|entirely|completely|wholly|totally|simply)?\s*(?:absent|missing entirely|not addressed|not mentioned|"
    r"never (?:mention|address|discuss)\w*|does not (?:mention|address|discuss|show|contain)\b[^.,;]{0,40}\b(?:any|at all)|"
    r"no (?:mention|evidence|sign|trace|discussion) of)\b",
    re.IGNORECASE,
)
_PRAISE = re.compile(
    r"\b(?:excellent|outstanding|exemplary|thorough(?:ly)?|comprehensive(?:ly)?|expert[- ]level|fully (?:covers|addresses|meets)|"
    r"everything (?:an|the) expert)\b",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|although|though|yet|while|except|apart from|only|lacks?|fails?|not)\b", re.IGNORECASE
)
HIGH, LOW = 3, 1


def contradiction(verdict: Judged) -> str | None:
    """What in a rationale speaks against its level, or None. Sentences that turn ("thorough, but ...") are passed over."""
    pattern = _NOTHING if verdict.level >= HIGH else _PRAISE if verdict.level <= LOW else None
    if pattern is None:
        return None
    for sentence in re.split(r"(?<=[.!?;])\s+", verdict.rationale):
        found = pattern.search(sentence)
        if found and not (_TURN.search(sentence[: found.start()]) or _TURN.search(sentence[found.end() :])):
            return f"its reasoning says “{found[0].strip()}”, its level is {verdict.level}"
    return None
