"""What the judge's endpoint replies, for each form a library asks in. Written by hand; the level is always 1.

A library that judges met or unmet is told that all criteria are met, which its adapter gives as 1 too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from bench.server import CRITERIA, verdicts

LEVEL = 1
"""What every library must have read for every criterion."""
WHY = "The answer names a goal in passing and then turns to the model."


def _json(value: object) -> dict[str, object]:
    return {"content": json.dumps(value)}


def _one_shot() -> dict[str, object]:
    entries = [
        {"criterion_number": n, "criterion_status": "MET", "explanation": WHY} for n in range(1, len(CRITERIA) + 1)
    ]
    return _json({"criteria_evaluations": entries})


def _per_item() -> dict[str, object]:
    entries = [
        {"criterion_id": f"c{n}", "criterion_status": None, "selected_option": LEVEL + 1, "explanation": WHY}
        for n in range(len(CRITERIA))
    ]
    return _json({"judgments": entries})


def _tool_call() -> dict[str, object]:
    arguments = json.dumps({"reasons": WHY, "choice": str(LEVEL)})
    call = {"id": "1", "type": "function", "function": {"name": "select_choice", "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


REPLIES: Mapping[str, dict[str, object]] = {
    "coach": {"content": verdicts(CRITERIA)},
    "rubric-one-shot": _one_shot(),
    "rubric-per-criterion": _json({"criterion_status": "MET", "explanation": WHY}),
    "autorubric-per-item": _per_item(),
    "autorubric-per-criterion": _json({"selected_option": LEVEL + 1, "explanation": WHY}),
    "autoevals": _tool_call(),
    "openevals": _json({"reasoning": WHY, "score": float(LEVEL)}),
    "inspect": {"content": f"{WHY}\n\nGRADE: {LEVEL}"},
    "deepeval": _json({"reason": WHY, "score": LEVEL}),
}
"""Form, which is the first part of the path, to the message of the reply."""
