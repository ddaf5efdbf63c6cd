"""The report as JSON, by the contract of `schema_version` 1."""

from __future__ import annotations

import json

from coach.report import FeedbackReport


def render(report: FeedbackReport, answer: str = "") -> str:
    """One indented JSON object. The answer itself is not in it; offsets point into the text that was graded."""
    return report.model_dump_json(indent=2) + "\n"


def schema() -> str:
    """The JSON Schema of the report, as committed in `docs/report.schema.json`."""
    return json.dumps(FeedbackReport.model_json_schema(mode="serialization"), indent=2, sort_keys=True) + "\n"
