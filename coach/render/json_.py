"""The report as JSON, by the contract of `schema_version` 1."""

from __future__ import annotations

import json
import re

from coach.report import FeedbackReport

_CONTROLS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def render(report: FeedbackReport, answer: str = "") -> str:
    """One indented JSON object. The answer itself is not in it; offsets point into the text that was graded."""
    return escape_controls(report.model_dump_json(indent=2)) + "\n"


def escape_controls(document: str) -> str:
    """A JSON document of the same value, with control and reordering characters of its strings written as escapes."""
    if document.isascii() and "\x7f" not in document:
        return document
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def schema() -> str:
    """The JSON Schema of the report, as committed in `docs/report.schema.json`."""
    return json.dumps(FeedbackReport.model_json_schema(mode="serialization"), indent=2, sort_keys=True) + "\n"
