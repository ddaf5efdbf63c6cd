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

from coach.judgement import Evidence, Judged, PointStatus, PointVerdict, RaisedFlag
from coach.models import MAX_LEVEL

SCHEMA_NAME = "verdicts"
MAX_QUOTES = 6
MAX_QUOTE_CHARS = 600
MAX_REASONING_CHARS = 1200
MAX_REPLY_CHARS = 400_000
MAX_OBJECTS = 200
"""Braces at which an object is tried; a reply with more is no reply to our question."""

_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_POINT_STATUSES = frozenset(get_args(PointStatus))
_DECODER = json.JSONDecoder()


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
    broken: bool = False
    """Whether no whole object with criteria came: a reply that was cut off, garbled, or no JSON at all."""


def reply_schema(criteria: Sequence[str], points: Sequence[str], flags: Sequence[str]) -> dict[str, object]:
    """The strict JSON Schema of a reply. Quotes come before reasoning and reasoning before the level."""
    quotes = {"type": "array", "items": {"type": "string"}}
    criterion = _object(
        id={"type": "string", "enum": list(criteria)},
        quotes=quotes,
        reasoning={"type": "string"},
        level={"type": ["integer", "null"], "enum": [*range(MAX_LEVEL + 1), None]},
    )
    parts: dict[str, object] = {"criteria": {"type": "array", "items": criterion}} if criteria else {}
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
    planted = _planted(answer)
    objects = _own_objects(text, answer, planted)
    whole = _whole_reply(objects, criteria, planted)
    found = whole or _loose_entries(objects)
    if not found:
        told = dict.fromkeys(criteria, "the reply held no JSON object with criteria")
        return ParsedReply((), (), told, (), (), broken=True)
    judged: dict[str, Judged] = {}
    declined: dict[str, Declined] = {}
    problems: dict[str, str] = {}
    for id in criteria:
        entries = [e for e in _entries(found.get("criteria")) if e.get("id") == id and e not in planted]
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
        broken=whole is None,
    )


def partial_verdicts(text: str, criteria: Sequence[str]) -> tuple[Judged, ...]:
    """Verdicts whose entries are complete in a reply that is still coming in; none where it does not start with JSON."""
    from jiter import from_json

    text = _spoken(text)
    start = text.find("{")
    try:
        found = from_json(text[start:].encode("utf-8", "replace"), partial_mode=True) if start >= 0 else {}
    except ValueError:
        return ()
    entries = [e for e in _entries(found.get("criteria") if isinstance(found, dict) else None) if "id" in e]
    outcomes = (_criterion(str(e["id"]), [e]) for e in entries if e["id"] in criteria)
    return tuple(o for o in outcomes if isinstance(o, Judged))


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


def _spoken(text: str) -> str:
    """A reply without what the model thought aloud, and not beyond what is read."""
    return _THINKING.sub("", text[:MAX_REPLY_CHARS]) if "<" in text else text[:MAX_REPLY_CHARS]


def _planted(answer: str) -> list[object]:
    """JSON that the candidate wrote: a reply that repeats it, in whatever layout, says nothing of its own."""
    objects = [found for _, found in _objects(answer)]
    return [
        *objects,
        *(e for o in objects for value in o.values() for e in _entries(value)),
        *(v for o in objects for v in o.values() if isinstance(v, dict)),
    ]


def _own_objects(text: str, answer: str, planted: Sequence[object]) -> list[dict[str, Any]]:
    """The JSON objects the model wrote itself, in order; what stands in the answer to the letter was copied from there."""
    text = _spoken(text)
    told = _folded(answer)
    return [found for raw, found in _objects(text) if not (told and _folded(raw) in told) and found not in planted]


def _whole_reply(
    objects: Sequence[dict[str, Any]], criteria: Sequence[str], planted: Sequence[object]
) -> dict[str, Any] | None:
    """The last object that has entries on what was asked; else the last that at least has the form of a reply."""
    shaped = [s for s in (_shaped(o, criteria) for o in objects) if s is not None and s not in planted]
    fitting = [s for s in shaped if any(e.get("id") in criteria for e in _entries(s["criteria"]))]
    found = fitting or shaped
    return found[-1] if found else None


def _shaped(found: dict[str, Any], criteria: Sequence[str]) -> dict[str, Any] | None:
    """An object as a reply. Where no schema holds them to it, models wrap it once, or leave `criteria` out."""
    if "criteria" in found or (not criteria and found.keys() & {"points", "red_flags"}):
        return {"criteria": [], **found}
    for inner in found.values():
        if isinstance(inner, dict) and "criteria" in inner:
            return inner
    bare = {id: found[id] for id in criteria if isinstance(found.get(id), dict) and "level" in found[id]}
    return {**found, "criteria": bare} if bare else None


def _loose_entries(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Entries that are whole by themselves, out of a reply that is not: one that lost its end costs no other."""
    found = {
        "criteria": [o for o in objects if "level" in o],
        "points": [o for o in objects if "status" in o],
        "red_flags": [o for o in objects if "quotes" in o and "level" not in o],
    }
    return {name: entries for name, entries in found.items() if entries}


def _objects(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Complete JSON objects of a text, outermost only, with the characters they were read from."""
    position = text.find("{")
    for _ in range(MAX_OBJECTS):
        if position < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("{", position + 1)
            continue
        if isinstance(found, dict):
            yield text[position:end], found
        position = text.find("{", end)


def _folded(text: str) -> str:
    return "".join(text.replace("\u200b", "").split()).casefold()
