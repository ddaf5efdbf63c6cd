"""A model's reply to verdicts: every entry is read by itself, and none is ever made up.

A reply looks like
    {"criteria": [{"id": "tradeoffs", "quotes": ["it costs 8 ms"], "reasoning": "Names a price.", "level": 3}],
     "points": [{"id": "q01.1", "status": "covered"}], "red_flags": [{"id": "absolutes", "quotes": ["always"]}]}
but may come inside of prose, code fences or after a model's thinking aloud, be cut off, or hold anything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, get_args

from coach.models import MAX_LEVEL, Evidence, Judged, PointStatus, PointVerdict, RaisedFlag

SCHEMA_NAME = "verdicts"
MAX_QUOTES = 6
MAX_QUOTE_CHARS = 600
MAX_REASONING_CHARS = 1200
MAX_REPLY_CHARS = 400_000
MAX_OBJECTS = 200
"""Braces at which an object is tried; a reply with more is no reply to our question."""

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_POINT_STATUSES = frozenset(get_args(PointStatus))


class Declined(NamedTuple):
    """A criterion the model left open, with its reason."""

    criterion_id: str
    reason: str


class ParsedReply(NamedTuple):
    """What a reply holds: what can be used, and per criterion what is wrong with the rest."""

    judged: tuple[Judged, ...]
    declined: tuple[Declined, ...]
    problems: dict[str, str]
    points: tuple[PointVerdict, ...]
    red_flags: tuple[RaisedFlag, ...]


def reply_schema(criteria: Sequence[str], points: Sequence[str], flags: Sequence[str]) -> dict[str, object]:
    """The strict JSON Schema of a reply. Quotes come before reasoning and reasoning before the level."""
    quotes = {"type": "array", "items": {"type": "string"}}
    criterion = _object(
        id={"type": "string", "enum": list(criteria)},
        quotes=quotes,
        reasoning={"type": "string"},
        level={"type": ["integer", "null"], "enum": [*range(MAX_LEVEL + 1), None]},
    )
    parts: dict[str, object] = {"criteria": {"type": "array", "items": criterion}}
    if points:
        status = {"type": "string", "enum": sorted(_POINT_STATUSES)}
        point = _object(id={"type": "string", "enum": list(points)}, status=status)
        parts["points"] = {"type": "array", "items": point}
    if flags:
        flag = _object(id={"type": "string", "enum": list(flags)}, quotes=quotes)
        parts["red_flags"] = {"type": "array", "items": flag}
    return _object(**parts)


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse_reply(
    text: str, *, criteria: Sequence[str], points: Sequence[str] = (), flags: Sequence[str] = (), answer: str = ""
) -> ParsedReply:
    """Read a reply.

    Args:
        text: anything.
        criteria: ids asked for; each ends up judged, declined, or among the problems.
        points: ids of expert points.
        flags: ids of red flags.
        answer: an object whose very text stands in the answer was copied from there, and is passed over.
    """
    found = _reply_object(text, answer) or _cut_object(text, answer)
    if found is None:
        return ParsedReply((), (), dict.fromkeys(criteria, "the reply held no JSON object with criteria"), (), ())
    judged: dict[str, Judged] = {}
    declined: dict[str, Declined] = {}
    problems: dict[str, str] = {}
    for id in criteria:
        entries = [e for e in _entries(found.get("criteria")) if e.get("id") == id]
        outcome = _criterion(id, entries)
        if isinstance(outcome, Judged):
            judged[id] = outcome
        elif isinstance(outcome, Declined):
            declined[id] = outcome
        else:
            problems[id] = outcome
    return ParsedReply(
        judged=tuple(judged.values()),
        declined=tuple(declined.values()),
        problems=problems,
        points=_points(found.get("points"), points),
        red_flags=_flags(found.get("red_flags"), flags),
    )


def partial_verdicts(text: str, criteria: Sequence[str]) -> tuple[Judged, ...]:
    """Verdicts whose entries are complete in a reply that is still coming in; none where it does not start with JSON."""
    found = _cut_object(text, "") or {}
    entries = [e for e in _entries(found.get("criteria")) if e.get("id") in criteria]
    outcomes = (_criterion(str(e["id"]), [e]) for e in entries)
    return tuple(o for o in outcomes if isinstance(o, Judged))


def _cut_object(text: str, answer: str) -> dict[str, Any] | None:
    """What is complete of an object that was cut off: an entry that lost its end must not cost those before it."""
    from jiter import from_json

    text = _THINKING.sub("", text[:MAX_REPLY_CHARS])
    start = text.find("{")
    if start < 0 or (answer and _folded(text[start:]) in _folded(answer)):
        return None
    try:
        found = from_json(text[start:].encode("utf-8", "replace"), partial_mode=True)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "criteria" in found else None


def _criterion(id: str, entries: list[dict[str, Any]]) -> Judged | Declined | str:
    """One criterion's entry as a verdict, or what is wrong with it."""
    if not entries:
        return "its entry is missing"
    if len(entries) > 1 and any(e.get("level") != entries[0].get("level") for e in entries):
        return "it has several entries that differ"
    entry = entries[0]
    if "level" not in entry:
        return "its level is missing"
    level, reasoning = entry["level"], _text(entry.get("reasoning"), MAX_REASONING_CHARS)
    if level is None:
        return Declined(id, reasoning or "The judge gave no reason.")
    # Only a plain whole number is a level: 3.5, true or "3" are guesses at what the model meant.
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= MAX_LEVEL:
        return f"its level {str(level)[:40]!r} is no whole number from 0 to {MAX_LEVEL}"
    return Judged(criterion_id=id, level=level, evidence=_quotes(entry.get("quotes")), rationale=reasoning)


def _points(value: object, ids: Sequence[str]) -> tuple[PointVerdict, ...]:
    said = {e["id"]: e.get("status") for e in _entries(value) if isinstance(e.get("id"), str)}
    return tuple(
        PointVerdict(id=i, status=said[i]) for i in ids if isinstance(said.get(i), str) and said[i] in _POINT_STATUSES
    )


def _flags(value: object, ids: Sequence[str]) -> tuple[RaisedFlag, ...]:
    said = {e["id"]: e.get("quotes") for e in _entries(value) if isinstance(e.get("id"), str)}
    return tuple(RaisedFlag(id=i, evidence=_quotes(said[i])) for i in ids if i in said)


def _entries(value: object) -> list[dict[str, Any]]:
    """Entries of a list, or of an object keyed by id, which some models write instead."""
    if isinstance(value, dict):
        value = [{"id": k, **v} for k, v in value.items() if isinstance(v, dict)]
    return [e for e in value if isinstance(e, dict)] if isinstance(value, list) else []


def _quotes(value: object) -> tuple[Evidence, ...]:
    listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    kept = dict.fromkeys(_text(q, MAX_QUOTE_CHARS) for q in listed)
    return tuple(Evidence(quote=q) for q in list(kept)[:MAX_QUOTES] if q)


def _text(value: object, limit: int) -> str:
    return value.strip()[:limit].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _reply_object(text: str, answer: str) -> dict[str, Any] | None:
    """The last complete object with criteria that the model wrote itself."""
    text = _THINKING.sub("", text[:MAX_REPLY_CHARS])
    told = _folded(answer)
    best = None
    for raw, found in _objects(text):
        if "criteria" in found and not (told and _folded(raw) in told):
            best = found
    return best


def _objects(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Complete JSON objects of a text, outermost only, with the characters they were read from."""
    decoder = json.JSONDecoder()
    position = text.find("{")
    for _ in range(MAX_OBJECTS):
        if position < 0:
            return
        try:
            found, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(found, dict):
            yield text[position:end], found
        position = text.find("{", end)


def _folded(text: str) -> str:
    return re.sub(r"[\s\u200b]+", "", text).casefold()
