"""Checks of everything grading needs: one finding each, with the mend."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from coach.errors import CoachError
from coach.settings import Settings

if TYPE_CHECKING:
    from coach.judges.chat import HealthLine

State = Literal["ok", "problem", "note"]


class Check(NamedTuple):
    """One thing looked at. `note`: nothing is broken, but something is switched off."""

    name: str
    state: State
    found: str
    mend: str = ""
    exit_code: int = 0


async def examine(settings: Settings) -> tuple[Check, ...]:
    """Look at bank, cache, model, key and endpoint; a fault of one never hides the others."""
    local = [
        _guarded("bank", lambda: _bank(settings)),
        _guarded("cache folder", lambda: _cache(settings.cache_dir)),
        _guarded("embedding model", lambda: _model(settings.cache_dir)),
        _guarded("precision", lambda: _precision(settings)),
        _key(settings),
    ]
    return (*local, *await _endpoint(settings))


def exit_code(checks: tuple[Check, ...]) -> int:
    """The code of the first problem, 0 without one."""
    return next((c.exit_code for c in checks if c.state == "problem"), 0)


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except CoachError as error:
        return Check(name, "problem", error.message, error.hint, error.exit_code)


def _bank(settings: Settings) -> Check:
    from coach.bank_check import check_bank
    from coach.resources import data_dir

    path = settings.bank or data_dir("rubrics")
    problems = check_bank(path)
    if problems:
        return Check("bank", "problem", f"{path}: {len(problems)} problems", f"Run `coach bank check {path}`.", 2)
    return Check("bank", "ok", "the shipped bank" if settings.bank is None else str(path))


def _cache(folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        mend = "Make it writable, or set COACH_CACHE_DIR to a folder that is."
        return Check("cache folder", "problem", f"{folder}: {error.strerror}", mend, 2)
    return Check("cache folder", "ok", f"{folder} is writable")


def _model(cache_dir: Path) -> Check:
    from coach.embed import model_status

    status = model_status(cache_dir)
    return Check("embedding model", "ok" if status.ok else "problem", status.found, status.mend, 0 if status.ok else 2)


def _precision(settings: Settings) -> Check:
    from importlib.util import find_spec

    from coach.encoder_export import export_folder, intact
    from coach.precision import gains_by_bf16, is_fp32, settled

    if not is_fp32(settings.precision, many=True) and not intact(export_folder(settings.cache_dir)):
        return Check("precision", "note", f"{settings.precision}: to be chosen once the encoder is exported")
    found = settled(settings.precision, settings.cache_dir)
    told = f"{found} for batches, {'bf16' if settings.precision == 'bf16' else 'fp32'} for one answer"
    if settings.precision == "auto" and find_spec("openvino") is None and gains_by_bf16():
        told += "; pip install 'coach[fast]' brings bf16, which this processor is fast at"
    return Check("precision", "ok", told)


def _key(settings: Settings) -> Check:
    if settings.api_key:
        return Check("key", "ok", "set")
    if settings.base_url:
        return Check("key", "note", "not set; local servers mostly need none", "Set COACH_API_KEY if yours does.")
    mend = "Set OPENAI_API_KEY, or name an endpoint with --base-url; without, answers are judged offline."
    return Check("key", "note", "not set", mend)


async def _endpoint(settings: Settings) -> tuple[Check, ...]:
    if not settings.llm_configured:
        return (Check("endpoint", "note", "none configured: `--judge auto` means offline"),)
    from coach.judges import make_endpoint
    from coach.judges.health import check, offers

    named = bool(settings.model) or settings.base_url is None
    try:
        endpoint = make_endpoint(settings if named else settings.with_options(model="any"))
    except CoachError as error:
        return (Check("endpoint", "problem", error.message, error.hint, error.exit_code),)
    try:
        health = await (check(endpoint) if named else offers(endpoint))
    finally:
        await endpoint.aclose()
    return tuple(_of(line) for line in health)


def _of(line: HealthLine) -> Check:
    mend = line.mend.replace(" `coach doctor` checks it.", "").replace("; `coach doctor` lists what is offered", "")
    return Check(line.name, "ok" if line.ok else "problem", line.found, mend, 0 if line.ok else 3)
