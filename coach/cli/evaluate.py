"""`coach eval`: a judge against labelled answers, against pins, against an earlier run, or under probes."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
PROBED_ANSWERS = 40

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Measure a judge. Exit code 1: a pin is broken, or two runs differ beyond noise.",
)

SetOption = Annotated[
    Path | None,
    typer.Option("--set", metavar="PATH", help="Labelled answers: a JSONL file, or a folder of part-*.jsonl."),
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the run as JSON.")]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with plots.")]
ConcurrencyOption = Annotated[int, typer.Option("--concurrency", min=1, help="Answers graded at once.")]


@app.callback()
def evaluate(
    context: typer.Context,
    labelled: SetOption = None,
    pins: Annotated[
        Path | None, typer.Option("--pins", metavar="FILE", help="Named behaviours and floors that must hold.")
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option("--compare", metavar="A B", help="Two runs written by --out.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="An earlier --out; shows each grade before and after."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Write down an LLM's replies, for --judge replay."),
    ] = None,
    out: OutOption = None,
    html: HtmlOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Grade only so many answers, spread evenly.")
    ] = None,
    judge: options.JudgeOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
    replay_file: options.ReplayOption = None,
    bank: options.BankOption = None,
    samples: options.SamplesOption = None,
    max_cost: options.MaxCostOption = None,
    no_cache: options.NoCacheOption = False,
    concurrency: ConcurrencyOption = 8,
) -> None:
    """Measure a judge. Exit code 1: a pin is broken, or two runs differ beyond noise."""
    if context.invoked_subcommand is not None:
        return
    _need_statistics()
    settings = options.settings_from(
        bank=bank,
        model=model,
        base_url=base_url,
        replay_file=replay_file,
        record_file=record,
        samples=samples,
        max_cost=max_cost,
        use_cache=False if no_cache else None,
    )
    judges = options.chosen(judge)
    _can_record(settings, judges)
    if compare:
        if html or limit:
            raise InputError("--html and --limit go with --set", hint="A comparison is written as JSON, with --out.")
        _compare(*compare, out=out)
    elif pins:
        if html:
            raise InputError("--html goes with --set", hint="Pins are written as JSON, with --out.")
        _pins(pins, settings, judges, baseline=baseline, out=out)
    elif labelled:
        run = _measure(labelled, settings, judges, limit=limit, concurrency=concurrency)
        _write(run, out, html)
        _say_before_after(baseline, run)
    else:
        raise InputError("what is to be measured?", hint="Give --set PATH, --pins FILE, --compare A B, or `probe`.")


@app.command("probe")
def probe(
    labelled: SetOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--probe", metavar="NAME", help="Only this probe; may be given again. All if not given."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="Probe only so many answers, spread evenly.")
    ] = PROBED_ANSWERS,
    gate: Annotated[bool, typer.Option("--gate", help="Exit code 1 where a probe finds something.")] = False,
    out: OutOption = None,
    html: HtmlOption = None,
    judge: options.JudgeOption = None,
    model: options.ModelOption = None,
    base_url: options.BaseUrlOption = None,
    replay_file: options.ReplayOption = None,
    bank: options.BankOption = None,
    max_cost: options.MaxCostOption = None,
    concurrency: ConcurrencyOption = 8,
) -> None:
    """See whether a judge is moved by what should not matter: rewording, padding, order, instructions, a second call."""
    _need_statistics()
    if labelled is None:
        raise InputError("which answers are to be probed?", hint="Give --set PATH, e.g. evals/answers.")
    settings = options.settings_from(
        bank=bank, model=model, base_url=base_url, replay_file=replay_file, max_cost=max_cost, use_cache=False
    )
    document = _probe(labelled, settings, options.chosen(judge), only=only, limit=limit, concurrency=concurrency)
    _write(document, out, html)
    if gate and any(r["verdict"] == "found" for r in document["probes"]):
        raise typer.Exit(EXIT_CHANGED)


def _need_statistics() -> None:
    if find_spec("sklearn") is None or find_spec("scipy") is None:
        raise InputError("`coach eval` needs scikit-learn and scipy", hint="pip install 'coach[eval]'")


def _can_record(settings: Settings, judges: list[str]) -> None:
    asks = any(j.startswith("llm") or j == "escalate" or (j == "auto" and settings.llm_configured) for j in judges)
    if settings.record_file and not asks:
        raise InputError("--record has nothing to record: no LLM is asked", hint="Add --judge llm and an endpoint.")


def _measure(
    path: Path, settings: Settings, judges: list[str], *, limit: int | None, concurrency: int
) -> dict[str, Any]:
    from coach.evaluation.labels import load_labelled, spread
    from coach.evaluation.run import evaluate as run_judge
    from coach.evaluation.text import run_lines
    from coach.judges import make_judge
    from coach.judges.decision import trained_on

    rows = spread(load_labelled(path), limit)
    run = run_judge(make_judge(judges, settings), rows, settings, concurrency=concurrency, name=str(path))
    if run["judge"]["kind"] == "offline" and trained_on([r.answer for r in rows]):
        typer.echo(
            "Note: the offline judge was trained on these answers, so these figures flatter it. Its card holds those on "
            "questions it had not seen.",
            err=True,
        )
    _say(run_lines(run))
    return run


def _pins(path: Path, settings: Settings, judges: list[str], *, baseline: Path | None, out: Path | None) -> None:
    from coach.evaluation.grade import make_coach
    from coach.evaluation.pins import check_file, load_pin_file
    from coach.evaluation.run import about, report_row
    from coach.evaluation.text import broken_lines
    from coach.judges import make_judge

    judge = make_judge(judges, settings)
    file = load_pin_file(path).meant_for(judge.kind)
    checked, floors = check_file(file, make_coach(judge, settings))
    _say(broken_lines((*checked.broken, *floors)))
    wrong_floors = len({b.name.split(":")[0] for b in floors})
    told = f"{len(file.pins) - len(checked.broken)} of {len(file.pins)} pins hold"
    if file.floors:
        told += f", {len(file.floors) - wrong_floors} of {len(file.floors)} floors"
    typer.echo(f"{told} ({judge.kind})")
    run = {**about(judge, checked.reports), "set": path.name, "rows": [report_row(r) for r in checked.reports]}
    _say_before_after(baseline, run)
    _write(run, out, None)
    if checked.broken or floors:
        raise typer.Exit(EXIT_CHANGED)


def _compare(before: Path, after: Path, *, out: Path | None) -> None:
    from coach.evaluation.compare import compare_runs, shared_rows
    from coach.evaluation.run import read_run
    from coach.evaluation.text import change_lines

    first, second = read_run(before), read_run(after)
    changes, shared = compare_runs(first, second), len(shared_rows(first, second))
    left_out = {"only_before": len(first["rows"]) - shared, "only_after": len(second["rows"]) - shared}
    _say(change_lines(changes, **left_out))
    compared = {"before": str(before), "after": str(after), "shared": shared, **left_out}
    _write({**compared, "changes": [c._asdict() for c in changes]}, out, None)
    if any(c.beyond_noise for c in changes):
        raise typer.Exit(EXIT_CHANGED)


def _probe(
    path: Path, settings: Settings, judges: list[str], *, only: list[str] | None, limit: int, concurrency: int
) -> dict[str, Any]:
    from coach.evaluation.labels import load_labelled, spread
    from coach.evaluation.probe import chosen_probes
    from coach.evaluation.probe_card import probe_judge
    from coach.evaluation.text import card_lines
    from coach.judges import make_judge

    probes = chosen_probes(only or ())
    rows = spread(load_labelled(path), limit)
    typer.echo(f"Grading {len(rows)} answers up to {1 + len(probes)} times each ...", err=True)
    card, about = probe_judge(make_judge(judges, settings), rows, settings, probes=probes, concurrency=concurrency)
    _say(card_lines(card))
    return {**about, "set": str(path), "probes": card.model_dump(mode="json")["results"], **card.counts}


def _say_before_after(baseline: Path | None, run: dict[str, Any]) -> None:
    if baseline is None:
        return
    from coach.evaluation.baseline import before_after, told_lines
    from coach.evaluation.run import read_run

    _say(told_lines(before_after(read_run(baseline), run)))


def _write(document: dict[str, Any], out: Path | None, html: Path | None) -> None:
    if out:
        write_text(out, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        typer.echo(f"Wrote {out}", err=True)
    if html:
        from coach.evaluation.page import render_page

        write_text(html, render_page(document))
        typer.echo(f"Wrote {html}", err=True)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
