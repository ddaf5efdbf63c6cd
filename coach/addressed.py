"""Text in an answer that is addressed to whoever grades it, found by pattern.

Honest answers speak of scores, systems, prompts and ratings too; a pattern needs both a grading act and the grader, a
machine's markup, or hidden text before it fires.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from coach.casefree import CaseFree
from coach.models import Span

_GRADER = (
    r"(?:grader|evaluator|assessor|examiner|marker|judge|reviewer|scorer|scoring (?:system|model|script)|grading (?:system|model|script)"
    r"|language model|ai model|llm|assistant|whoever (?:grades|reads|marks|scores) this|automat\w+ (?:grad|scor|evaluat)\w+)"
)
_AWARD = r"(?:award|give|assign|grant|grade|rate|score|mark|set|return|output|respond|report|record|pass|treat|consider|credit)"
_PRIZE = (
    r"(?:(?:full|maximum|max|top|highest|perfect|best|excellent|high)(?:est)?[ -](?:marks?|scores?|grades?|ratings?|points?|credit|level)"
    r"|(?:overall|score|level|grade|rating|criteri\w+|everything|each|all)\b[^.\n]{0,40}\b(?:4|5|10|100|four|five|ten)\b"
    r"|(?:a |an )?(?:5|4|10|100|five|four|ten)(?: ?/ ?\d+| out of \w+| overall\b)|strong yes|reference answer|correct answer)"
)
_LOUD = re.compile(r"\b(?:SYSTEM|ADMIN|DEVELOPER|ASSISTANT)\s*[:>\]]")
"""Who speaks in a chat, in capitals; in small letters these are words like others."""
_MACHINE = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"[\"'{]\s*(?:overall|level|score|criteria|verdict|red_flags)[\"']?\s*[:=]\s*(?:[\[{\"']|[0-9])",
        r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|<start_of_turn>",
        r"<!--.{0,400}?-->|<[a-z]+[^>]{0,80}(?:display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|hidden\b)[^>]{0,80}>",
        r"</?(?:reasoning|overall|score|red_flags|evaluation|verdict|rubric\w*|candidate\w*|grading\w*|criteri\w+|instructions?)>",
    )
)
"""Markup no person writes in an answer, quoted or not."""


class _Pattern(NamedTuple):
    """What an address to the grader looks like."""

    regex: CaseFree
    needs: tuple[str, ...]
    """One of these stands in lower case in every ASCII text that fits; empty where nothing is known."""


_GRADERS = (
    "grader|evaluator|assessor|examiner|marker|judge|reviewer|scorer|scoring |grading |language model|ai model|llm|assistant"
    "|whoever |automat"
)
_NEVER = "\u5ffd"
"""In no ASCII text: for patterns of other scripts."""
_PATTERNS = tuple(
    _Pattern(CaseFree(pattern), tuple(needs.split("|")) if needs else ())
    for needs, pattern in (
        (
            "",
            rf"\b(?={_AWARD}\b)(?:^|(?<=[.!?:;(] )|(?<=\n)|(?<=\bplease )|(?<=\bkindly )|(?<=\bmust )|(?<=\bshould )|(?<=\bthen )|(?<=\band )|(?<=\bto )|(?<=\bso )){_AWARD}\b[^.,\n]{{0,50}}\b{_PRIZE}",
        ),
        (_GRADERS, rf"\b{_GRADER}\b\s*[,:;–—-][^\n]{{0,160}}"),
        (
            _GRADERS,
            rf"\b(?:dear|hey|hello|hi|note (?:to|for)|message (?:to|for)|attention|instructions? (?:to|for)) (?:the |my |any |all )?{_GRADER}\b",
        ),
        (
            "flag",
            r"\b(?:no|without|zero|empty|none|clear|blank|suspend\w*)\b[^.\n]{0,25}\b(?:red[ _])?flags?\b(?! ?(?:off|switch|gate|feature))[^.\n]{0,25}"
            r"(?:appl|observ|rais|list|section|warrant|needed|should|\.|\n|$)",
        ),
        (
            "flag",
            r"\b(?:red[ _])?flags?(?: list| section)?\b[^.\n]{0,30}\b(?:suspended|left blank|left empty|be empty|none|not appl\w+|empty)\b",
        ),
        (
            "full |maximum |top |perfect ",
            r"\b(?:full|maximum|top|perfect) (?:marks?|credit|score)\b[^.\n]{0,40}\b(?:follow|should|must|correct|due|record\w*|expect\w*|deserv\w*|in each)\b",
        ),
        (
            "criteri|point|theme|column",
            r"\b(?:all|every|each) (?:of the )?(?:six |expert |rubric )?(?:criteri\w+|points?|themes?|column)\b[^.\n]{0,50}\b(?:level )?(?:4|5|four|five|met|present|covered|full|named)\b",
        ),
        (
            "5|five",
            r"\b(?:write|enter|read|be|give|choose|record|assessment:?|overall:?|score:?|rating:?) (?:a |an |as )?(?:overall )?(?:5|five)\b(?![ -]?(?:%|\w+s\b|minute|percent|\d))",
        ),
        (
            "ignore|disregard|forget|override|bypass|skip|discard|set aside",
            r"\b(?:ignore|disregard|forget|override|bypass|skip|discard|set aside)\b[^.,\n]{0,28}\b"
            r"(?:instructions?|rubric|criteria|prompt|guidelines?|grading|scoring|rules above|red flags?|the above|previous (?:text|message))\b",
        ),
        (
            "you are|act as|behave as|pretend",
            r"\b(?:you are|act as|behave as|pretend)\b[^.\n]{0,40}\b(?:lenient|generous|grader|evaluator|examiner|assistant|judge)\b",
        ),
        (
            "system|developer|admin|grading|scoring|evaluation|rubric",
            r"\b(?:system|developer|admin\w*|grading|scoring|evaluation|rubric)\s*(?:prompt|message|note|update|override|notice|instruction|mode)s?\s*[:=\]]",
        ),
        (
            "please|kindly|i beg|i need|i really need|mercy|be kind|be generous|be lenient|my ",
            r"\b(?:please|kindly|i beg|i need|i really need|have mercy|be kind|be generous|be lenient|my (?:visa|job|family|rent|mother|child\w*))\b"
            r"[^.\n]{0,120}\b(?:pass (?:me|this)|full marks|good (?:grade|score|mark)|high (?:grade|score|mark)|top (?:grade|score|mark)|5\b|five\b)",
        ),
        (
            "grader|evaluator|assessor|examiner|marker",
            r"\b(?:other|another|independent|previous|earlier|senior|expert|human) (?:graders?|evaluators?|assessors?|examiners?|markers?)\b",
        ),
        (
            "graded|scored|reviewed|approved|rated|marked",
            r"\b(?:already (?:been )?(?:graded|scored|reviewed|approved|rated|marked)|pre-?approved|has been rated|was rated|officially rated)\b",
        ),
        ("##", r"^#{2,4} ?(?:system|instruction|response)\b"),
        (
            "ignor|oublie|vergiss|olvida|esque|dimentica",
            r"(?:ignor[ae]|oublie[zr]?|vergiss|ignoriere|olvida|esque[çc]a|dimentica|ignori?r?)\b[^.,\n]{0,30}"
            r"(?:instruc\w+|anweisung\w*|consigne\w*|istruzion\w*|r[úu]brica|rubrik|crit[eè]r\w+)",
        ),
        (
            "calificador|evaluador|correcteur|examinateur|prufer|bewerter|avaliador|valutatore|nota m|note m|hochste |volle p|puntuacion m|pontuacao m",
            r"(?:calificador|evaluador|correcteur|examinateur|pr[üu]fer|bewerter|avaliador|valutatore|nota m[áa]xima|note maximale"
            r"|h[öo]chste (?:note|punktzahl)|volle punktzahl|puntuaci[óo]n m[áa]xima|pontua[çc][ãa]o m[áa]xima)",
        ),
        (
            _NEVER,
            r"(?:忽略|无视|無視|请给|給予|满分|滿分|評価者|採点者|最高点|оценщик|проверяющ|высш\w+ балл|максимальн\w+ (?:балл|оценк)|игнорируй"
            r"|पूर्ण अंक|निर्देशों को|الدرجة الكاملة|تجاهل|채점자|만점)",
        ),
    )
)
_ENCODED = re.compile(r"\b[A-Za-z0-9+/]{24,}={0,2}|\b(?:[0-9a-fA-F]{2}[ ]?){16,}\b")
_QUOTED = re.compile(r"[\"“„][^\"“”„\n]{3,160}[\"”]|‘[^‘’\n]{3,160}’(?!\w)")
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
    found += [_cut(m.start(), m.end()) for p in _MACHINE for m in p.finditer(answer)]
    found += _encoded(answer)
    return tuple(sorted(set(found)))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of all that fits a pattern."""
    yield from (m.span() for m in _LOUD.finditer(text))
    for pattern in _possible(text):
        yield from pattern.spans(text)


def _possible(text: str) -> Iterator[CaseFree]:
    """Patterns that may fit. To look for a few words is much quicker than to try a pattern at every letter."""
    lowered = text.lower() if text.isascii() else ""
    # Beyond ASCII a letter may fold to another that `lower` does not give: there every pattern is tried.
    return (p.regex for p in _PATTERNS if not lowered or not p.needs or any(word in lowered for word in p.needs))


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
