"""`coach eval`: a judge against labelled answers, against pins, or against an earlier run."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coach.cli import options
from coach.errors import InputError
from coach.files import write_text

if TYPE_CHECKING:
    from coach.settings import Settings

EXIT_CHANGED = 1


def evaluate(
    labelled: Annotated[
        Path | None,
        typer.Option("--set", metavar="PATH", help="Labelled answers: a JSONL file, or a folder of part-*.jsonl."),
    ] = None,
    pins: Annotated[
        Path | None, typer.Option("--pins", metavar="FILE", help="Named behaviours that must hold.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option("--compare", metavar="A B", help="Two runs written by --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the run as JSON.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Grade only so many answers, spread evenly.")
    ] = None,
    judge: options.JudgeOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
    replay_file: options.ReplayOption = None,
    samples: options.SamplesOption = None,
    max_cost: options.MaxCostOption = None,
) -> None:
    """Measure a judge. Exit code 1: a pin is broken, or two runs differ beyond noise."""
    if find_spec("sklearn") is None or find_spec("scipy") is None:
        raise InputError("`coach eval` needs scikit-learn and scipy", hint="pip install 'coach[eval]'")
    settings = options.settings_from(
        model=model, base_url=base_url, replay_file=replay_file, samples=samples, max_cost=max_cost
    )
    if compare:
        _compare(*compare)
    elif pins:
        _pins(pins, settings, options.chosen(judge))
    elif labelled:
        _measure(labelled, settings, options.chosen(judge), limit, out)
    else:
        raise InputError("what is to be measured?", hint="Give --set PATH, --pins FILE, or --compare A B.")


def _measure(path: Path, settings: Settings, judge: list[str], limit: int | None, out: Path | None) -> None:
    from coach.evaluation.labels import load_labelled
    from coach.evaluation.run import evaluate as run_judge
    from coach.judges import make_judge
    from coach.judges.decision import trained_on

    rows = load_labelled(path)
    rows = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows
    run = run_judge(make_judge(judge, settings), rows, settings)
    if run["judge"]["kind"] == "offline" and trained_on([r.answer for r in rows]):
        typer.echo(
            "Note: the offline judge was trained on these answers, so these figures flatter it. Its card holds those on "
            "questions it had not seen.",
            err=True,
        )
    typer.echo(_told(run))
    if out:
        write_text(out, json.dumps(run, indent=1) + "\n")
        typer.echo(f"Wrote {out}", err=True)


def _told(run: dict[str, Any]) -> str:
    figures = run["figures"]
    lines = [f"{figures['judged']} judged, {figures['abstained']} without a total, {figures['failed']} failed"]
    lines.append(f"{'':<20}{'n':>5}{'QWK':>8}{'Spearman':>10}{'exact':>8}{'in one':>8}{'bias':>8}")
    for name, found in (("overall", figures["overall"]), *figures["criteria"].items()):
        shown = [found[k] for k in ("qwk", "spearman", "exact", "within_one", "bias")]
        widths = (8, 10, 8, 8, 8)
        cells = ("-".rjust(w) if v is None else f"{v:>{w}.2f}" for v, w in zip(shown, widths, strict=True))
        lines.append(f"{name:<20}{found['n']:>5}{''.join(cells)}")
    flags = figures["red_flags"]
    lines.append(
        f"red flags: micro-F1 {flags['micro_f1']:.2f}, precision {flags['micro_precision']:.2f}, "
        f"recall {flags['micro_recall']:.2f}"
    )
    quotes = [r["quotes"] for r in run["rows"]]
    asked, verified = sum(q[0] for q in quotes), sum(q[1] for q in quotes)
    if asked:
        lines.append(f"quotes: {verified} of {asked} stand in the answer")
    return "\n".join(lines)


def _pins(path: Path, settings: Settings, judge: list[str]) -> None:
    from coach.evaluation.pins import check_pins, load_pins
    from coach.render.plain import inert

    pins = load_pins(path)
    coach = options.make_coach(settings, judge)
    broken = check_pins(pins, coach)
    coach.close()
    for pin, found in broken:
        expected = pin.expect.model_dump(exclude_defaults=True)
        typer.echo(
            f"BROKEN  {inert(pin.name)}\n  answer:   {inert(pin.answer)}\n  expected: {expected}\n  found:    {found}"
        )
    typer.echo(f"{len(pins) - len(broken)} of {len(pins)} pins hold")
    if broken:
        raise typer.Exit(EXIT_CHANGED)


def _compare(before: Path, after: Path) -> None:
    from coach.evaluation.compare import compare_runs
    from coach.evaluation.run import read_run

    changes = compare_runs(read_run(before), read_run(after))
    for change in changes:
        mark = "changed beyond noise" if change.beyond_noise else ""
        typer.echo(f"{change.what:<22}{change.before:>8.2f} -> {change.after:<8.2f}{mark}".rstrip())
    if any(c.beyond_noise for c in changes):
        raise typer.Exit(EXIT_CHANGED)
