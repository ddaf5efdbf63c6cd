r"""Answer text to segments with character offsets: sentences, bullets, headings, code.

   "# Plan\\n- first, ask why\\n\\nIt depends. See 3.5!"
-> heading "Plan" · bullet "first, ask why" · sentence "It depends." · sentence "See 3.5!"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from coach.models import Segment, SegmentKind

MAX_WORDS = 45
"""A longer sentence is cut at a clause boundary: the encoder's vector of a long run-on says little about its parts."""
MIN_CLAUSE_WORDS = 6
MAX_UNSPACED = 400
"""Characters after which a stretch without any boundary is cut anywhere."""
WRAP_CHARS = 60
"""A shorter line was ended on purpose; a longer one without a closing mark was probably wrapped by an editor."""
_CLOSING = frozenset(".!?:;。！？…|")

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})", re.MULTILINE)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+")
_BULLET = re.compile(r"[ \t]*(?:[-*+•‣◦–—]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])[ \t]+")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
# Looked for at the first mark of a row only: from each of a long row anew would take the square of its length.
_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’)\]»*_]*(?=\s|$)|[。！？｡؟।۔︒]+[」』”’）]*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|dr|mr|mrs|ms|prof|fig|eq|no|al|st)|\b[A-Za-z])\.$", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"[;:]\s+|\s[–—-]\s|,\s+(?=(?:and|but|because|so|which|while|whereas|then|or|if|since|although)\b)"
)
_SPACE = re.compile(r"\s")
_COMMA = re.compile(r"[,，、；]\s*")


def segment(text: str) -> tuple[Segment, ...]:
    """Cut a text into segments, in order, without overlap; each is a slice of the text, none is blank.

    Args:
        text: any text; linear in its length.
    """
    found: list[Segment] = []
    for start, end, code in _blocks(text):
        if code:
            found += _slice(text, start, end, "code")
        else:
            for first, last in _paragraphs(text, start, end):
                found += _paragraph(text, first, last)
    return tuple(found)


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """Stretches outside and inside of code fences; an open fence runs to the end."""
    position = 0
    fences = iter(_FENCE.finditer(text))
    for opening in fences:
        if opening.start() < position:
            continue
        closing = next((f for f in fences if f[1][0] == opening[1][0] and len(f[1]) >= len(opening[1])), None)
        end = len(text) if closing is None else closing.end()
        yield position, opening.start(), False
        yield opening.start(), end, True
        position = end
    yield position, len(text), False


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines that belong together: a hard-wrapped paragraph or bullet is one, a list of short lines is many."""
    first = last = None
    for line in _LINE.finditer(text, start, end):
        wrapped = first is not None and last is not None and _goes_on(text, last, line)
        if not wrapped and first is not None and last is not None:
            yield first.start(), last.end()
        first = first if wrapped else line
        last = line
    if first is not None and last is not None:
        yield first.start(), last.end()


def _goes_on(text: str, before: re.Match[str], line: re.Match[str]) -> bool:
    """Whether a line goes on where the one before was only broken for width."""
    if line.start() - before.end() > 1 or not line[0].strip():
        return False
    if len(before[0]) < WRAP_CHARS or before[0].rstrip()[-1:] in _CLOSING:
        return False
    return not any(p.match(text, line.start(), line.end()) for p in (_HEADING, _BULLET, _QUOTE))


def _paragraph(text: str, start: int, end: int) -> Iterator[Segment]:
    quote = _QUOTE.match(text, start, end)
    start = quote.end() if quote else start
    if heading := _HEADING.match(text, start, end):
        yield from _slice(text, heading.end(), end, "heading")
        return
    bullet = _BULLET.match(text, start, end)
    kind: SegmentKind = "bullet" if bullet else "sentence"
    for s, e in _sentences(text, bullet.end() if bullet else start, end):
        for piece_start, piece_end in _clauses(text, s, e):
            yield from _slice(text, piece_start, piece_end, kind)


def _slice(text: str, start: int, end: int, kind: SegmentKind) -> Iterator[Segment]:
    """The stretch without surrounding white space, if anything is left."""
    stretch = text[start:end]
    core = stretch.strip()
    if any(c.isalnum() for c in core) or (core and kind == "code") or _has_symbol(core):
        start += len(stretch) - len(stretch.lstrip())
        yield Segment(start, start + len(core), core, kind)


def _has_symbol(core: str) -> bool:
    """Emoji and the like are words of a sort; rows of dashes are not."""
    return any(unicodedata.category(c) in {"So", "Sk"} for c in core)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    for stop in _END.finditer(text, start, end):
        if text[stop.start()] == "." and _ABBREVIATION.search(text, max(position, stop.start() - 12), stop.start() + 1):
            continue
        yield position, stop.end()
        position = stop.end()
    if position < end:
        yield position, end


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence of more than MAX_WORDS words in pieces at clause boundaries, else as it is."""
    position = start
    while _long(text, position, end):
        cut = _cut(text, position, end)
        yield position, cut
        position = cut
    yield position, end


def _long(text: str, start: int, end: int) -> bool:
    return end - start > MAX_UNSPACED or (end - start > MAX_WORDS and len(text[start:end].split()) > MAX_WORDS)


def _cut(text: str, start: int, end: int) -> int:
    """Where to end the first piece: the last good boundary within reach, else the last space, else anywhere."""
    reach = _reach(text, start, end)
    least = start + 3 * MIN_CLAUSE_WORDS
    for pattern in (_CLAUSE, _COMMA):
        boundaries = [m.end() for m in pattern.finditer(text, least, reach)]
        if boundaries:
            return boundaries[-1]
    space = text.rfind(" ", least, reach)
    return space + 1 if space > 0 else reach


def _reach(text: str, start: int, end: int) -> int:
    position = start
    for _ in range(MAX_WORDS):
        following = _SPACE.search(text, position + 1, min(end, start + MAX_UNSPACED))
        if following is None:
            return min(end, start + MAX_UNSPACED)
        position = following.start()
    return position
