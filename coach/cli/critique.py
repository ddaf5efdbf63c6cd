"""`coach critique`: grade one answer."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coach.cli import options
from coach.cli.progress import Progress
from coach.errors import InputError, exit_code_of
from coach.files import require_writable, write_text

if TYPE_CHECKING:
    from coach.grading import Coach
    from coach.models import Question
    from coach.report import FeedbackReport
    from coach.settings import Settings

FormatName = Literal["terminal", "md", "html", "json"]
MAX_WIDTH = 100
"""Cells; longer lines are hard to read."""
_BY_SUFFIX: dict[str, FormatName] = {".md": "md", ".html": "html", ".htm": "html", ".json": "json"}


def critique(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE|-]", help="The answer; - for standard input, nothing for $EDITOR.")
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", "-q", metavar="ID", help="Question of the bank, e.g. q01.")
    ] = None,
    question_text: Annotated[
        str | None, typer.Option("--question-text", metavar="T", help="A question of your own; needs --reference.")
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", metavar="FILE", help="Expert answer to --question-text.")
    ] = None,
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
    format: Annotated[
        FormatName | None, typer.Option("--format", "-f", help="Form of the report; else by --out's suffix.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write the report here.")] = None,
    show_prompt: Annotated[
        bool, typer.Option("--show-prompt", help="Print what an LLM judge would be sent, and call nothing.")
    ] = False,
) -> None:
    """Grade one answer and say how to make it better."""
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
    asked = _question(question, question_text, reference)
    if show_prompt:
        coach = options.make_coach(settings, ["offline"])
        typer.echo(_prompt(coach, asked, _read_answer(file, coach, asked), settings))
        return
    if out is not None:
        require_writable(out)
    progress = Progress(settings)
    coach = options.make_coach(settings, judges, on_verdicts=progress.listener())
    answer = _read_answer(file, coach, asked)
    options.say_if_offline(settings, judges)
    # A file's name may hold bytes that are no UTF-8.
    name = Path(file).stem.encode("utf-8", "backslashreplace").decode() if file and file != "-" else "answer"
    report = asyncio.run(_grade(coach, asked, answer, name, progress))
    _deliver(report, answer, format or _format_of(out), out)
    if report.error:
        from coach.cli.errors import say

        say(report.error.message, report.error.hint)
        raise typer.Exit(exit_code_of(report.error.kind))


def _question(question: str | None, text: str | None, reference: Path | None) -> str | Question:
    if question and not text and not reference:
        return question
    if text and reference and not question:
        from coach.answer import read_answer_file
        from coach.asked import brought_question

        return brought_question(text, read_answer_file(reference), where=str(reference))
    raise InputError(
        "which question is this an answer to?",
        hint="Give --question ID (see `coach questions`), or both --question-text TEXT and --reference FILE.",
    )


def _read_answer(file: str | None, coach: Coach, asked: str | Question) -> str:
    from coach.answer import decode_answer, read_answer_file

    if file == "-" or (file is None and not sys.stdin.isatty()):
        return decode_answer(sys.stdin.buffer.read(), source="standard input")
    if file is not None:
        return read_answer_file(Path(file))
    found = coach.bank.question(asked) if isinstance(asked, str) else asked
    return _edit(found.question)


_EDIT_MARK = "# Write your answer above this line; the question was:"


def _edit(question: str) -> str:
    """The answer as written in $EDITOR.

    Raises:
        InputError: the editor could not be started, ended with an error, or left no text behind.
    """
    import subprocess
    import tempfile

    from coach.answer import read_answer_file
    from coach.settings import editor_command

    command = editor_command()
    with tempfile.TemporaryDirectory(prefix="coach-") as folder:
        path = Path(folder) / "answer.md"
        path.write_text(f"\n\n{_EDIT_MARK}\n# {question}\n", encoding="utf-8")
        try:
            status = subprocess.run([*command, str(path)], check=False).returncode  # noqa: S603 - the user's own editor
        except OSError as error:
            raise InputError(
                f"the editor {command[0]!r} could not be started: {error.strerror}",
                hint="Set $EDITOR, or give the answer as a file or on standard input.",
            ) from None
        if status:
            raise InputError(f"the editor {command[0]!r} ended with exit code {status}; nothing was graded")
        return read_answer_file(path).split(_EDIT_MARK)[0]


async def _grade(coach: Coach, asked: str | Question, answer: str, name: str, progress: Progress) -> FeedbackReport:
    try:
        with progress.showing(coach.judge):
            return await coach.agrade(asked, answer, id=name)
    finally:
        await coach.aclose()


def _prompt(coach: Coach, asked: str | Question, answer: str, settings: Settings) -> str:
    """What would be sent, with characters a terminal would obey or hide shown by their numbers."""
    from coach.judges import first_requests
    from coach.render.plain import inert

    prepared = coach.prepare(asked, answer)
    if prepared.decided:
        told = " ".join(f.message for f in prepared.task.findings)
        return f"Nothing would be sent: a check in code decides. {told}"
    requests = first_requests(settings, prepared.task)
    blocks = []
    for number, request in enumerate(requests, start=1):
        if len(requests) > 1:
            blocks.append(f"=== call {number} of {len(requests)} ===")
        blocks += [f"--- {m.role} ---\n{inert(m.content, keep_lines=True)}" for m in request.messages]
        sent = {"max_tokens": request.max_tokens, "temperature": request.temperature, "seed": request.seed}
        blocks.append(f"--- parameters, where the endpoint takes them ---\n{json.dumps(sent)}")
        blocks.append(f"--- schema of the reply ---\n{json.dumps(request.schema, indent=1)}")
    return "\n\n".join(blocks)


def _format_of(out: Path | None) -> FormatName:
    return _BY_SUFFIX.get(out.suffix.lower(), "terminal") if out else "terminal"


def _deliver(report: FeedbackReport, answer: str, format: FormatName, out: Path | None) -> None:
    from coach.answer import clean_answer
    from coach.render import RENDERERS

    cleaned = clean_answer(answer).text
    if out is None and format == "terminal":
        typer.echo(_for_this_terminal(report, cleaned))
        return
    text = RENDERERS[format](report, cleaned)
    if out is None:
        typer.echo(text.rstrip("\n"))
    else:
        write_text(out, text)
        typer.echo(f"Wrote {out}", err=True)


def _for_this_terminal(report: FeedbackReport, answer: str) -> str:
    import shutil

    from coach.render import terminal
    from coach.settings import wants_color

    width = min(MAX_WIDTH, shutil.get_terminal_size((terminal.WIDTH, 24)).columns)
    color = sys.stdout.isatty() and wants_color()
    return terminal.render(report, answer, width=width, color=color).rstrip("\n")
