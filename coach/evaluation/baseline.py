"""Before and after: what a change of rubric, prompt, judge or model did to the same answers, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coach.render.plain import inert


class RowChange(NamedTuple):
    """One answer whose grade is another now."""

    id: str
    what: tuple[str, ...]
    """In words, e.g. `tradeoffs 2 -> 3`."""


class BeforeAfter(NamedTuple):
    """Two runs over the same answers, laid side by side."""

    changed_inputs: tuple[str, ...]
    """What is another now: rubric, prompt, judge, model."""
    changes: tuple[RowChange, ...]
    same: int
    added: tuple[str, ...]
    dropped: tuple[str, ...]


def before_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> BeforeAfter:
    """Compare two runs, as `coach eval --out` writes them, answer by answer."""
    old = {r["id"]: r for r in before["rows"]}
    new = {r["id"]: r for r in after["rows"]}
    shared = [id for id in new if id in old]
    changes = [RowChange(id, what) for id in shared if (what := _row_changes(old[id], new[id]))]
    return BeforeAfter(
        changed_inputs=tuple(_inputs(before, after, [(old[id], new[id]) for id in shared])),
        changes=tuple(changes),
        same=len(shared) - len(changes),
        added=tuple(id for id in new if id not in old),
        dropped=tuple(id for id in old if id not in new),
    )


def _inputs(before: Mapping[str, Any], after: Mapping[str, Any], shared: Sequence[tuple[Any, Any]]) -> list[str]:
    found = ["rubric"] if any(_other_rubric(*pair) for pair in shared) else []
    found += ["prompt"] if before.get("prompt") != after.get("prompt") else []
    old, new = before.get("judge", {}), after.get("judge", {})
    if old.get("fingerprint") != new.get("fingerprint"):
        found.append("judge")
    if old.get("model") != new.get("model"):
        found.append(f"model ({old.get('model')} -> {new.get('model')})")
    return found


def _other_rubric(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Of an answer that failed none is known."""
    return bool(old.get("rubric") and new.get("rubric") and old["rubric"] != new["rubric"])


def _row_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    told = [
        f"{key} {_said(old.get(key))} -> {_said(new.get(key))}"
        for key in ("overall", "total")
        if _differ(old, new, key)
    ]
    levels = dict.fromkeys((*old["levels"], *new["levels"]))
    told += [
        f"{c} {_said(old['levels'].get(c))} -> {_said(new['levels'].get(c))}"
        for c in levels
        if old["levels"].get(c) != new["levels"].get(c)
    ]
    told += [f"+{flag}" for flag in sorted({*new["red_flags"]} - {*old["red_flags"]})]
    told += [f"-{flag}" for flag in sorted({*old["red_flags"]} - {*new["red_flags"]})]
    return tuple(told)


def _differ(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    return bool(old.get(key) != new.get(key))


def _said(value: Any) -> str:
    return "open" if value is None else f"{value:g}"


def told_lines(found: BeforeAfter) -> Sequence[str]:
    """Lines for a terminal or a log."""
    inputs = ", ".join(found.changed_inputs) or "nothing"
    lines = [f"Changed since the baseline: {inputs}. {len(found.changes)} grades differ, {found.same} do not."]
    lines += [f"  {change.id}: {', '.join(change.what)}" for change in found.changes]
    lines += [f"  {id}: new" for id in found.added]
    lines += [f"  {id}: no longer there" for id in found.dropped]
    return [inert(line) for line in lines]
