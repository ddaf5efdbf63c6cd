"""Text in an answer that is addressed to whoever grades it, found by pattern.

Looked for as written, with look-alike letters folded, and in what is hidden by an encoding.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator

from coach.address_patterns import LOUD, MACHINE, PATTERNS
from coach.casefree import CaseFree
from coach.models import Span

_ENCODED = re.compile(r"\b[A-Za-z0-9+/]{24,}={0,2}|\b(?:[0-9a-fA-F]{2}[ ]?){16,}\b")
_QUOTED = re.compile(r"[\"“„][^\"“”„\n]{3,160}[\"”]|(?<!\w)[‘'][^‘’'\n]{3,160}[’'](?!\w)")
"""What somebody is quoted as saying is a story about a grader more often than a word to one."""
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ .·_-]{1,4}){8,}[^\W_](?![^\W_])")
"""Letter and separator share no character: were `_` both, a row of them could be split in more ways than anybody can try."""
_LEET = str.maketrans("013457@$!", "oieastasi")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_LEET_CHARACTER = re.compile("[013457@$!]")
_TOLD = (
    "the",
    "and",
    "this",
    "answer",
    "score",
    "level",
    "every",
    "grader",
    "give",
    "full",
    "mark",
    "ignore",
    "instruction",
)
_CIPHER_WORDS = re.compile(rf"\b(?:(?:{'|'.join(_TOLD)})|marks|instructions)\b")
_TURNED_WORDS = tuple(codecs.encode(word, "rot13") for word in _TOLD)
_WORDS_SHOWN = 180


def addressed_spans(answer: str) -> tuple[Span, ...]:
    """Places where the answer speaks to its grader, in order; none for an honest answer.

    Looked at as written, with look-alike letters folded, and decoded where a stretch is base64, hex, rot13, leet or
    s p a c e d letters.
    """
    quoted = [Span(m.start(), m.end()) for m in _QUOTED.finditer(answer)]
    found = [
        _cut(start, end)
        for text in _views(answer)
        for start, end in _addresses(text)
        if not any(q.start <= start < q.end for q in quoted)
    ]
    found += [_cut(m.start(), m.end()) for p in MACHINE for m in p.finditer(answer)]
    found += _encoded(answer)
    return tuple(sorted(set(found)))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of all that fits a pattern."""
    yield from (m.span() for m in LOUD.finditer(text))
    for pattern in _possible(text):
        yield from pattern.spans(text)


def _possible(text: str) -> Iterator[CaseFree]:
    """Patterns that may fit. To look for a few words is much quicker than to try a pattern at every letter."""
    lowered = text.lower() if text.isascii() else ""
    # Beyond ASCII a letter may fold to another that `lower` does not give: there every pattern is tried.
    return (p.regex for p in PATTERNS if not lowered or not p.needs or any(word in lowered for word in p.needs))


def _cut(start: int, end: int) -> Span:
    return Span(start, min(end, start + _WORDS_SHOWN))


def _views(answer: str) -> tuple[str, ...]:
    """The answer and its reading with look-alikes folded, of the same length, so that offsets hold for both."""
    folded = _NOT_ASCII.sub(lambda m: _plain(m[0]), answer)
    leet = _LEET_CHARACTER.sub(
        lambda m: m[0] if m[0].isdigit() and _in_number(folded, m.start()) else m[0].translate(_LEET), folded
    )
    return tuple(dict.fromkeys((answer, folded, leet)))


def _in_number(text: str, position: int) -> bool:
    """Whether a digit stands beside no letter: 5 and 100 are numbers, sc0re is a word."""
    beside = text[max(0, position - 1) : position] + text[position + 1 : position + 2]
    return not any(c.isalpha() for c in beside)


_LOOKALIKES = str.maketrans(
    "аеорсухіѕԁһӏјԛԝАВЕКМНОРСТХαοεικρτυνΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxisdhljqwABEKMHOPCTXaoeikptuvABEZHIKMNOPTYX"
)


def _plain(character: str) -> str:
    single = unicodedata.normalize("NFKC", character)
    return (single if len(single) == 1 else character).translate(_LOOKALIKES)


def _encoded(answer: str) -> list[Span]:
    """Stretches that say something to the grader once they are decoded."""
    found = []
    for match in _ENCODED.finditer(answer):
        if any(_speaks(text) for text in _decodings(match[0])):
            found.append(_cut(match.start(), match.end()))
    for match in _SPACED.finditer(answer):
        if _speaks(re.sub(r"[ .·_-]", "", match[0])):
            found.append(_cut(match.start(), match.end()))
    if _may_be_turned(answer):
        for match in re.finditer(r"[^\n.!?]{20,}", codecs.encode(answer, "rot13")):
            if len(_CIPHER_WORDS.findall(match[0].lower())) >= 2:
                found.append(_cut(match.start(), match.end()))
    return found


def _may_be_turned(answer: str) -> bool:
    """Whether any of the cipher's words may stand in it; none does in most answers, and that is quickly seen in ASCII."""
    lowered = answer.lower()
    return not answer.isascii() or any(word in lowered for word in _TURNED_WORDS)


def _decodings(stretch: str) -> list[str]:
    readings = []
    compact = stretch.replace(" ", "")
    for decode in (
        lambda s: base64.b64decode(s + "=" * (-len(s) % 4), validate=True),
        bytes.fromhex,
    ):
        try:
            readings.append(decode(compact).decode("utf-8"))
        except (ValueError, binascii.Error):
            continue
    return readings


def _speaks(text: str) -> bool:
    lowered = text.lower()
    return any(
        w in lowered for w in ("grade", "score", "mark", "ignore", "instruction", "level", "overall", "rubric", "award")
    )
