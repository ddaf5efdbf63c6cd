"""Candidate text made inert for a prompt: it can neither close its fence nor pose as part of the conversation.

Characters are only put in, never taken out or exchanged, and `evidence.locate` passes over those put in: a quote a judge
copies from the prompt is still found in the answer.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import NamedTuple

BREAK = "\u200b"
"""Put inside what must not be read as one token; invisible, and dropped when quotes are looked for."""

_TEMPLATE_TOKENS = re.compile(
    r"<\|[^|>\n]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:system|user|assistant|human|instructions?|answer|rubric|verdict)\b[^>\n]{0,40}>"
    r"|<start_of_turn>|<end_of_turn>|<bos>|<eos>|\[/?(?:SYSTEM|AVAILABLE)[A-Z_]*\]|<think>|</think>|<[|｜][^>\n]{0,40}[|｜]>",
    re.IGNORECASE,
)
_ROLE_LINE = re.compile(
    r"^([ \t>#*_-]{0,8})(system|user|assistant|human|developer|instructions?|grader|judge)([ \t*_]{0,4}[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_FENCES = re.compile(r"[<＜‹«]{2,}|[>＞›»]{2,}|`{3,}|~{3,}|={4,}|-{4,}|#{3,}")
_MAY_FENCE = re.compile(r"[<＜‹«>＞›»]|```|~~~|====|----|###")
"""Stands in every text that `_FENCES` fits; a class and plain words are looked for much quicker than runs."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_KEPT = frozenset("\n\t\u200c\u200d")


class Fence(NamedTuple):
    """The lines around the answer. The nonce follows from the answer, which therefore cannot contain it."""

    nonce: str
    open: str
    close: str


def fence_for(answer: str) -> Fence:
    """The fence of an answer.

    The nonce is a digest of the whole answer: to write it into the answer, its writer would have to find a text that
    holds a piece of its own SHA-256. The same answer always gets the same prompt, so caches and recorded replies hold.
    """
    nonce = hashlib.sha256(answer.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    while nonce in answer:
        nonce = hashlib.sha256(nonce.encode()).hexdigest()[:16]
    return Fence(nonce, f"<<<{nonce}", f"{nonce}>>>")


def neutralize(text: str) -> str:
    """The text with hidden characters shown as ⟨U+200B⟩, and fences, template tokens and role names broken up."""
    shown = "\n".join(line if line.isprintable() else "".join(map(_visible, line)) for line in text.split("\n"))
    # No pattern fits without these characters, and most answers hold none of them.
    if "<" in shown or "[" in shown:
        shown = _TEMPLATE_TOKENS.sub(lambda m: BREAK.join(m[0]), shown)
    if ":" in shown or "：" in shown:
        shown = _ROLE_LINE.sub(lambda m: f"{m[1]}{m[2][0]}{BREAK}{m[2][1:]}{m[3]}", shown)
    return _FENCES.sub(lambda m: BREAK.join(m[0]), shown) if _MAY_FENCE.search(shown) else shown


def _visible(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"⟨U+{ord(character):04X}⟩"
