"""Verdicts kept on disk: the same question, rubric, prompt, judge, parameters and answer are not paid for twice.

One JSON file per verdict, named by the digest of all that it depends on. Only whole judgements are kept, errors never.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from coach.fingerprints import digest_of
from coach.judgement import Judged, Judgement, Usage
from coach.judges.base import Judge
from coach.judges.reply import reply_schema
from coach.models import JudgeTask
from coach.prompting import render_judge_prompt

_FOLDER = "verdicts"


class CachedJudge:
    """A judge with a memory.

    Args:
        judge: asked where nothing is kept.
        cache_dir: see `Settings.cache_dir`.
    """

    def __init__(self, judge: Judge, cache_dir: Path) -> None:
        self._judge = judge
        self._folder = cache_dir / _FOLDER
        self.kind = judge.kind
        self.name = judge.name
        self.prompt_fingerprint = judge.prompt_fingerprint

    @property
    def model(self) -> str | None:
        """The model behind the judge."""
        return self._judge.model

    @property
    def fingerprint(self) -> str:
        """That of the judge: a kept verdict is the same verdict."""
        return self._judge.fingerprint

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`. What is kept costs nothing, and its usage says so."""
        path = self._folder / f"{self._key(task)}.json"
        kept = _read(path)
        if kept is not None:
            return kept
        judgement = await self._judge.judge(task)
        whole = all(isinstance(v, Judged) or v.status == "abstained" for v in judgement.verdicts)
        if whole and judgement.incomplete is None:
            _write(path, judgement)
        return judgement

    async def aclose(self) -> None:
        """Close the judge's connections."""
        await self._judge.aclose()

    def _key(self, task: JudgeTask) -> str:
        # The prompt holds question, rubric and answer as they are sent; the rubric stands beside it for what it leaves out.
        prompt = render_judge_prompt(task)
        rubric = task.rubric.model_dump(mode="json")
        points = [p.id for p in task.question.points]
        schema = reply_schema([c.id for c in task.rubric.criteria], points, [f.id for f in task.rubric.red_flags])
        judge = [self._judge.fingerprint, self._judge.prompt_fingerprint]
        return digest_of([prompt.system, prompt.user, rubric, schema, *judge])


def _read(path: Path) -> Judgement | None:
    try:
        return Judgement.model_validate_json(path.read_bytes()).model_copy(update={"usage": Usage()})
    except (OSError, ValidationError):
        return None


def _write(path: Path, judgement: Judgement) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(judgement.model_dump_json(), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()


class CacheInfo(NamedTuple):
    """What the verdict cache holds."""

    folder: Path
    verdicts: int
    size: int
    """Bytes."""


def cache_info(cache_dir: Path) -> CacheInfo:
    """Count what is kept."""
    files = list((cache_dir / _FOLDER).glob("*.json"))
    return CacheInfo(cache_dir / _FOLDER, len(files), sum(f.stat().st_size for f in files))


def clear_cache(cache_dir: Path) -> int:
    """Delete every verdict kept and return how many there were; exported encoder and vectors stay."""
    files = list((cache_dir / _FOLDER).glob("*.json"))
    for file in files:
        with suppress(OSError):
            file.unlink()
    return len(files)
