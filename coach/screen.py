"""Checks in code with authority over any judge. What needs no judge never costs a call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from coach.addressed import addressed_spans
from coach.evidence import merge_spans
from coach.lexical import content_stems, words
from coach.models import Finding, Matches, Question, Segment, Span

MIN_WORDS = 8
"""Fewer words are no answer to an interview question, whatever they say."""
COPY_SHARE = 0.6
"""Share of the answer's five-word runs that stand in a text of the bank; honest answers stay far below."""
COPY_RUN = 5
MIN_COPY_RUNS = 4
LIST_FUNCTION_SHARE = 0.24
"""Share of function words below which a text that is mostly commas is a list of terms. Prose has 0.35 and more."""
LIST_ITEM_WORDS = 2.2
"""Words between two separators up to which such a text is a list. Of the labelled answers with so few function words, nine in ten
lists lie below, and 88 of 90 notes that say something above: terse, dense, and most of them excellent."""
BARE_FUNCTION_SHARE = 0.05
"""Share of function words below which even items full of numbers say nothing about each other."""
LIST_DIGIT_SHARE = 0.03
"""Numbers a word, above which it is terse notes and no list: lists of terms hold hardly any."""
MIN_LIST_WORDS = 12
GIBBERISH_SHARE = 0.5
"""Share of words that no language builds, by their letters."""
REPEATED_SHARE = 0.5
"""Share of the words that the most frequent one makes up."""
OFF_TOPIC_TOPICALITY = 0.19
OFF_TOPIC_SIMILARITY = 0.15
"""Cosines below which, both together, an answer is about something else. Low on purpose: of the labelled answers, short
honest stories from other trades lie at 0.2 and above, so a check with authority can only take what lies below all of
them. Most off-topic answers talk about the same field and are left to the judge."""

CAP_EMPTY = 0.0
CAP_COPIED = 10.0
CAP_GAMING = 25.0
CAP_OFF_TOPIC = 15.0
NO_CAP = 100.0

_FUNCTION = frozenset(
    """a an the this that these those i you he she it we they me him her us them my your his its our their is are
    was were be been being am do does did have has had will would can could should may might must of in on at to
    for with from by as into about over under than then so if when while because since although but and or nor not
    no what which who how why there here it's i'd i'm don't isn't can't won't that's what's we'd you'd they're
    let's""".split()
)
_ENGLISH = frozenset("""the and to of is it that i we a in for would not be with they on what this""".split())
_SEPARATOR = re.compile(r"[,;:.|/•·#+&→\n\t]|->|\s[-*–—]+\s|\b(?:and|vs|versus|or)\b")
_VOWELS = re.compile(r"[aeiouyàâäáãåæèéêëìíîïòóôöõøœùúûü]")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}")
_KEYBOARD = re.compile(r"asdf|qwer|zxcv|hjkl|sdfg|dfgh|jkl;|uiop|xcvb|wert")


def screen_text(answer: str, question: Question, segments: Sequence[Segment]) -> tuple[Finding, ...]:
    """Checks that need nothing but the text, the weightiest first.

    Args:
        answer: cleaned, not empty.
        question: with its points.
        segments: of the answer.
    """
    said = words(answer)
    whole = _whole(answer)
    checks = (
        _not_language(said, whole),
        _too_short(said, whole),
        _copied(said, question, whole),
        _keyword_list(answer, said, whole),
        _addressed(answer),
    )
    found = tuple(finding for finding in checks if finding)
    # A bare list has no function words of any language: it is told as a list, not as a foreign text.
    return found or tuple(filter(None, [_other_language(said, segments)]))


def screen_matches(matches: Matches, question: Question, segments: Sequence[Segment]) -> tuple[Finding, ...]:
    """The check that needs vectors: is this about the question at all? It speaks up only where words agree with vectors."""
    far = matches.topicality < OFF_TOPIC_TOPICALITY and matches.similarity < OFF_TOPIC_SIMILARITY
    if not far or not segments:
        return ()
    span = Span(segments[0].start, segments[0].end)
    message = "The answer is about something else: nothing in it comes near the question or its expert answer."
    return (Finding("off_topic", message, (span,), CAP_OFF_TOPIC, "off_topic", decides=True),)


def _whole(answer: str) -> tuple[Span, ...]:
    start = len(answer) - len(answer.lstrip())
    return (Span(start, len(answer.rstrip())),)


def _too_short(said: list[str], whole: tuple[Span, ...]) -> Finding | None:
    # Scripts without spaces put a whole sentence into one word.
    size = sum(max(1, len(w) // 3) if not w.isascii() else 1 for w in said)
    if size >= MIN_WORDS or not said:  # without a word it is no language
        return None
    message = f"The answer has {len(said)} word{'' if len(said) == 1 else 's'}: too short to be judged."
    return Finding("too_short", message, whole, CAP_EMPTY, decides=True)


def _not_language(said: list[str], whole: tuple[Span, ...]) -> Finding | None:
    message = "The answer is no language: random letters or one word over and over."
    if not said:
        return Finding("not_language", "The answer holds no words.", whole, CAP_EMPTY, decides=True)
    latin = [w for w in said if w.isascii() and w.isalpha()]
    odd = sum(_unpronounceable(w) for w in latin)
    repeated = len(said) >= MIN_WORDS and Counter(said).most_common(1)[0][1] / len(said) > REPEATED_SHARE
    function = sum(w in _FUNCTION for w in said) / len(said)
    mashed = len(latin) >= 3 and odd / len(said) > GIBBERISH_SHARE
    scrambled = len(latin) >= MIN_WORDS and function < 0.05 and odd / len(said) > GIBBERISH_SHARE / 2
    if repeated or mashed or scrambled:
        return Finding("not_language", message, whole, CAP_EMPTY, "off_topic", decides=True)
    return None


@lru_cache(16_384)
def _unpronounceable(word: str) -> bool:
    if len(word) < 4:
        return False
    return bool(_KEYBOARD.search(word) or _CONSONANTS.search(word) or not _VOWELS.search(word))


def _copied(said: list[str], question: Question, whole: tuple[Span, ...]) -> Finding | None:
    runs = _runs(said)
    if len(runs) < MIN_COPY_RUNS:
        return None
    expert = "\n".join((question.reference, question.example, *(p.text for p in question.points)))
    for name, text, flag in (
        ("copied_question", f"{question.question}\n{question.why}", "off_topic"),
        ("copied_reference", expert, "gaming"),
    ):
        source = _source_runs(text)
        if len(runs & source) / len(runs) >= COPY_SHARE:
            what = "the question" if name == "copied_question" else "the expert answer"
            message = f"The answer is {what} pasted back: there is nothing of the candidate's own to judge."
            return Finding(name, message, whole, CAP_COPIED, flag, decides=True)
    return None


@lru_cache(512)
def _source_runs(text: str) -> frozenset[tuple[str, ...]]:
    """The runs of a text of the question's, which many answers are compared with."""
    return _runs(words(text))


def _runs(said: list[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(zip(*(said[i:] for i in range(COPY_RUN)), strict=False))


def _keyword_list(answer: str, said: list[str], whole: tuple[Span, ...]) -> Finding | None:
    if len(said) < MIN_LIST_WORDS:
        return None
    function = sum(w in _FUNCTION for w in said) / len(said)
    if function >= LIST_FUNCTION_SHARE:
        return None
    numbers = sum(any(c.isdigit() for c in w) for w in said) / len(said)
    items = [item for item in _SEPARATOR.split(answer) if words(item)]
    terse = len(said) / max(1, len(items)) <= LIST_ITEM_WORDS
    if not terse or not (function < BARE_FUNCTION_SHARE or numbers <= LIST_DIGIT_SHARE):
        return None
    message = "The answer is a list of terms without a sentence that says anything about them."
    return Finding("keyword_list", message, whole, CAP_GAMING, "gaming")


def _addressed(answer: str) -> Finding | None:
    spans = merge_spans(addressed_spans(answer))
    if not spans:
        return None
    message = "The answer holds text addressed to the grader; it was not followed, and the total is capped for it."
    return Finding("addressed_to_grader", message, spans, CAP_GAMING + 5, "gaming")


def _other_language(said: list[str], segments: Sequence[Segment]) -> Finding | None:
    """Another language is no fault: a note for the reader, since the offline judge and the encoder read English best."""
    if len(said) < 2 * MIN_WORDS or sum(w in _ENGLISH for w in said) / len(said) >= 0.06:
        return None
    if sum(w in _FUNCTION for w in said) / len(said) >= 0.12 or not any(content_stems(s.text) for s in segments):
        return None
    message = "The answer seems not to be in English: an offline judge reads it poorly; ask an LLM judge."
    return Finding("other_language", message, (), NO_CAP)
