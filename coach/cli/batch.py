"""`coach batch`: grade a file of answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coach.cli import options

if TYPE_CHECKING:
    from coach.batch.run import BatchSummary

EXIT_FAILED_ROWS = 4
EXIT_COST_CAP = 5


def batch(
    source: Annotated[Path, typer.Argument(metavar="IN", help="JSONL, one answer a line.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="JSONL, one report a line, in order.")],
    bank: options.BankOption = None,
    judge: options.JudgeOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
    replay_file: options.ReplayOption = None,
    samples: options.SamplesOption = None,
    criteria_per_call: options.PerCallOption = None,
    repair_calls: options.RepairOption = None,
    max_cost: options.MaxCostOption = None,
    few_shot: options.FewShotOption = None,
    few_shot_file: options.FewShotFileOption = None,
    no_cache: options.NoCacheOption = False,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, max=256, help="Answers graded at once.")] = 8,
) -> None:
    """Grade every row of a file. A row has `question_id` and `answer`, or `question`, `reference` and `answer`.

    A row that cannot be graded becomes a report with status "failed", never a grade, and the exit code is 4.
    """
    from coach.batch.run import grade_file

    settings = options.settings_from(
        bank=bank,
        model=model,
        base_url=base_url,
        replay_file=replay_file,
        samples=samples,
        per_call=criteria_per_call,
        repair_calls=repair_calls,
        max_cost=max_cost,
        few_shot=few_shot,
        few_shot_file=few_shot_file,
        use_cache=False if no_cache else None,
    )
    judges = options.chosen(judge)
    coach = options.make_coach(settings, judges)
    options.say_if_offline(settings, judges)

    async def work() -> BatchSummary:
        try:
            return await grade_file(coach, source, out, concurrency=concurrency, progress=_progress)
        finally:
            await coach.aclose()

    try:
        summary = asyncio.run(work())
    except KeyboardInterrupt:
        typer.echo(f"What was graded so far stands in {out}.part.", err=True)
        raise
    typer.echo(_told(summary, out), err=True)
    if summary.stopped:
        raise typer.Exit(EXIT_COST_CAP)
    if summary.failed:
        raise typer.Exit(EXIT_FAILED_ROWS)


def _progress(done: int) -> None:
    if done % 100 == 0:
        typer.echo(f"{done} answers graded", err=True)


def _told(summary: BatchSummary, out: Path) -> str:
    from coach.render.plain import inert

    lines = [
        f"Wrote {out}: {summary.rows} rows, {summary.judged} judged, {summary.abstained} without a total, "
        f"{summary.failed} failed."
    ]
    lines += [f"  {count} x {inert(cause)}" for cause, count in summary.causes.most_common(10)]
    return "\n".join(lines)
