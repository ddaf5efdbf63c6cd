"""A grade as it is kept and written: the report's JSON without id, and the few facts a summary counts.

A report's line is put together from bytes, so that a grade found again is never parsed:

    {<carried columns>,"schema_version":1,"id":"a-17",<body>
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Any, NamedTuple, Protocol

from jiter import from_json

from coach.batch.rows import Row
from coach.judgement import Usage
from coach.render.json_ import escape_controls
from coach.report import SCHEMA_VERSION, FeedbackReport

_HEAD = frozenset({"schema_version", "id"})


class Facts(NamedTuple):
    """What a summary counts of a grade."""

    total: float | None
    overall: int | None
    levels: dict[str, int | None]
    """Criterion to level, None where it was not judged."""
    flags: Sequence[str]
    missing: Sequence[str]
    """Expert points that the answer lacks or contradicts."""
    used: Sequence[Any]
    """Calls; tokens of prompts, of those cached, of replies, of those spent on thinking; US dollars or None; calls whose
    tokens are estimated, which older journals do not have."""

    @property
    def usage(self) -> Usage:
        """What was used, by name."""
        return usage_of(self.used)


class Grade(NamedTuple):
    """A finished grade."""

    body: bytes
    """JSON of the report without its head, from `"status"` to the closing brace."""
    facts_json: str

    @property
    def facts(self) -> Facts:
        """The facts, parsed."""
        return parse_facts(self.facts_json)


class GradeBook(Protocol):
    """Where an engine keeps grades and finds them again; see `coach.batch.journal.Journal` for what each promises."""

    def found(self, keys: Sequence[bytes], *, since: float = 0.0) -> dict[bytes, Grade]:
        """Finished grades of those keys that have one."""

    def claim(self, keys: Sequence[bytes], *, since: float = 0.0) -> set[bytes]:
        """Those keys that are the caller's to grade from now on."""

    def keep(self, grades: Sequence[tuple[bytes, Grade]]) -> None:
        """Keep finished grades."""

    def fail(self, key: bytes, cause: str) -> None:
        """Note a failure."""


def grade_of(report: FeedbackReport) -> Grade:
    """A report as it is kept."""
    return Grade(body_of(report), facts_json(report))


def body_of(report: FeedbackReport) -> bytes:
    """JSON of a report after its id."""
    return escape_controls(report.model_dump_json(exclude=set(_HEAD))[1:]).encode("utf-8", "backslashreplace")


def report_of(id: str, body: bytes) -> FeedbackReport:
    """The report that a body and an id make."""
    return FeedbackReport.model_validate_json(_head(id) + body)


def line_of(row: Row, body: bytes) -> bytes:
    """A line of output: carried columns, then the report."""
    carried = row.carried
    head = _head(row.id)
    if carried:
        head = _json(carried)[:-1] + b"," + head[1:]
    return head + body + b"\n"


def _head(id: str) -> bytes:
    return b'{"schema_version":%d,"id":%s,' % (SCHEMA_VERSION, _json(id))


def _json(value: object) -> bytes:
    return escape_controls(json_of(value, (",", ":"))).encode("utf-8", "backslashreplace")


def json_of(value: object, separators: tuple[str, str] = (", ", ": ")) -> str:
    """JSON of a value from outside: null where a number is none or infinite, for which JSON has no word."""
    encode = _encoder(separators).encode
    try:
        return encode(value)
    except ValueError:
        return encode(_finite(value))


@cache
def _encoder(separators: tuple[str, str]) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, separators=separators, default=str, allow_nan=False)


def _finite(value: object) -> object:
    match value:
        case float() if not isfinite(value):
            return None
        case dict():
            return {k: _finite(v) for k, v in value.items()}
        case list() | tuple():
            return [_finite(v) for v in value]
        case _:
            return value


def facts_json(report: FeedbackReport) -> str:
    """The facts of a report, as short as JSON gets: a summary reads one for every row."""
    facts = [
        report.total,
        report.overall,
        {c.id: c.level for c in report.criteria},
        [f.id for f in report.red_flags],
        [p.id for p in report.points if report.points_judged and p.status in {"missing", "contradicted"}],
        numbers_of(report.usage),
    ]
    return json.dumps(facts, separators=(",", ":"))


def parse_facts(text: str) -> Facts:
    """The facts that `facts_json` wrote."""
    total, overall, levels, flags, missing, used = from_json(text.encode())
    return Facts(total, overall, levels, flags, missing, used)


def usage_of(used: Sequence[Any]) -> Usage:
    """Usage from numbers in the order in which facts hold them."""
    return Usage.model_validate(dict(zip(_USED, used, strict=False)))


def numbers_of(usage: Usage) -> list[float | None]:
    """Usage as facts hold it."""
    return [getattr(usage, name) for name in _USED]


_USED = (
    "calls",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "cost_usd",
    "estimated_calls",
)


def finished(report: FeedbackReport) -> bool:
    """Whether a grade is worth keeping: nothing is missing from it only because the endpoint or the money gave out."""
    return report.status == "ok" and report.incomplete is None
