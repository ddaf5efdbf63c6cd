"""A run in words, for the terminal: plain lines, with everything from rows made inert."""

from __future__ import annotations

from collections.abc import Sequence

from coach.batch.estimate import CALL_SECONDS, Estimate
from coach.batch.summary import SHOWN, Cause, Summary
from coach.judgement import Usage
from coach.pricing import REPLY_TOKENS
from coach.render.plain import inert

CAUSES_SHOWN = 10
_BLOCKS = " ▁▂▃▄▅▆▇█"


def summary_lines(summary: Summary, wrote: str) -> list[str]:
    """The summary, most wanted first."""
    s = summary
    lines = [f"{inert(wrote)}: {s.rows} rows, {s.judged} judged, {s.abstained} without a total, {s.failed} failed."]
    if s.incomplete:
        lines[0] += f" {s.incomplete} grades are incomplete."
    if s.again:
        lines.append(f"  {s.again} found again or the same as another row; they cost nothing{_saved(s.saved)}.")
    if s.judged and s.mean is not None:
        lines.append(f"  totals 0 {sparkline(s.totals)} 100, mean {s.mean:.1f}")
        lines.append(
            "  mean levels: " + ", ".join(f"{c.criterion} {c.mean:.1f}" for c in s.criteria if c.mean is not None)
        )
    if s.flags:
        lines.append("  red flags: " + ", ".join(f"{id} {count}" for id, count in s.flags[:SHOWN]))
    if s.gaps:
        lines.append("  most often missing:")
        lines += [f"    {count} x {inert(text)}" for text, count in s.gaps[:SHOWN]]
    if s.usage.calls:
        lines.append(f"  {_used(s)}")
    lines += _causes("failures by cause", s.causes)
    lines += _causes("missing from incomplete grades", s.left_open)
    return lines


def _causes(title: str, causes: Sequence[Cause]) -> list[str]:
    """The commonest causes, each with what to do about it, where that is known."""
    lines = [f"  {title}:"] if causes else []
    for cause in causes[:CAUSES_SHOWN]:
        lines.append(f"    {cause.rows} x {inert(cause.cause)} (first at {inert(cause.first)})")
        if cause.hint:
            lines.append(f"      -> {inert(cause.hint)}")
    if len(causes) > CAUSES_SHOWN:
        rest = causes[CAUSES_SHOWN:]
        lines.append(f"    {sum(c.rows for c in rest)} x {len(rest)} other causes")
    return lines


def sparkline(counts: tuple[int, ...]) -> str:
    """Counts as bars one character high; a count above 0 always shows."""
    longest = max(counts, default=0) or 1
    return "".join(_BLOCKS[-(-8 * count // longest)] for count in counts)


def estimate_lines(found: Estimate) -> list[str]:
    """The estimate, with what it assumes."""
    lines = [
        f"{found.rows} rows: {found.to_judge} to grade, {found.found} in the journal, {found.same} the same as another, "
        f"{found.bad} that cannot be graded"
    ]
    if found.calls:
        money = "price unknown" if found.cost_usd is None else f"about ${found.cost_usd:.2f}"
        lines.append(
            f"about {found.calls} calls, {found.prompt_tokens} prompt and {found.completion_tokens} completion tokens, {money}"
        )
        lines.append(
            f"assumed: {REPLY_TOKENS} tokens a reply, {CALL_SECONDS:g} s a call, nothing from the provider's cache"
        )
    else:
        lines.append("no calls: nothing to pay")
    lines.append(f"about {duration(found.seconds)}")
    return lines


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _used(s: Summary) -> str:
    money = "price unknown" if s.usage.cost_usd is None else f"${s.usage.cost_usd:.4f}"
    cached = f" ({s.cached_share:.0%} from the provider's cache)" if s.cached_share is not None else ""
    prompt = f"{s.usage.prompt_tokens} prompt{cached}"
    return (
        f"{s.usage.calls} calls, {prompt} and {s.usage.completion_tokens} completion tokens, {money}{_guessed(s.usage)}"
    )


def _guessed(usage: Usage) -> str:
    """For how much of it tokens and money are estimates."""
    few = f"{usage.estimated_calls} of the calls" if usage.estimated_calls < usage.calls else "all calls"
    return f"; estimated for {few}, whose tokens the endpoint did not count" if usage.estimated_calls else ""


def _saved(usage: Usage) -> str:
    return f", where they had cost ${usage.cost_usd:.4f}" if usage.cost_usd else ""
