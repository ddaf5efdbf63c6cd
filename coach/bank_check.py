"""Every problem of a bank at once, each with file, key and mend; and a small bank to start from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from coach.bank import BankFile, CriteriaFile, RedFlagsFile, question_file, read_model, shared_file
from coach.errors import BankError, InputError
from coach.models import MAX_LEVEL, Criterion, Question

WEIGHT_SUM = 100.0
_TOLERANCE = 0.01
Model = TypeVar("Model", bound=BaseModel)


def check_bank(folder: Path) -> tuple[str, ...]:
    """All problems of a bank, in the order of its files; empty if there are none."""
    problems: list[str] = []

    def read(path: Path, model: type[Model]) -> Model | None:
        try:
            return read_model(path, model)
        except BankError as error:
            problems.extend(error.problems or (error.message,))
            return None

    info = read(folder / "bank.yaml", BankFile)
    criteria = read(shared_file(folder, "criteria.yaml"), CriteriaFile)
    flags = read(shared_file(folder, "red_flags.yaml"), RedFlagsFile)
    if criteria:
        problems += _criteria_problems(criteria)
    if flags:
        problems += _twice("red_flags.yaml", "red_flags", [f.id for f in flags.red_flags])
    criterion_ids = {c.id for c in criteria.criteria} if criteria else None
    flag_ids = {f.id for f in flags.red_flags} if flags else None
    if info:
        problems += _listing_problems(folder, info)
        for id in dict.fromkeys(info.questions):
            path = question_file(folder, id)
            question = read(path, Question) if path.is_file() else None
            if question:
                problems += [f"{path.name}: {p}" for p in _question_problems(question, id, criterion_ids, flag_ids)]
    return tuple(problems)


def _twice(file: str, key: str, ids: list[str]) -> Iterator[str]:
    for id, count in Counter(ids).items():
        if count > 1:
            yield f"{file}: {key}: {id!r} stands {count} times. Fix: give each its own id."


def _listing_problems(folder: Path, info: BankFile) -> Iterator[str]:
    yield from _twice("bank.yaml", "questions", list(info.questions))
    there = {p.stem for p in (folder / "questions").glob("*.yaml")}
    for id in dict.fromkeys(info.questions):
        if id not in there:
            yield f"bank.yaml: questions: {id!r} has no file. Fix: write questions/{id}.yaml or take it off the list."
    for id in sorted(there - set(info.questions)):
        yield f"questions/{id}.yaml: is not listed. Fix: add {id!r} to `questions` in bank.yaml, or delete the file."


def _criteria_problems(file: CriteriaFile) -> Iterator[str]:
    name = "criteria.yaml"
    yield from _twice(name, "criteria", [c.id for c in file.criteria])
    for criterion in file.criteria:
        yield from (f"{name}: {criterion.id}.levels: {p}" for p in _level_problems(criterion))
    known = {c.id for c in file.criteria}
    yield from (f"{name}: generic_weights{p}" for p in _weight_problems(dict(file.generic_weights), known))


def _level_problems(criterion: Criterion) -> Iterator[str]:
    values = [level.value for level in criterion.levels]
    for value, count in Counter(values).items():
        if count > 1:
            yield f"level {value} stands {count} times. Fix: keep one."
    for value in range(MAX_LEVEL + 1):
        if value not in values:
            yield f"level {value} is missing, levels must run 0..{MAX_LEVEL} without a gap. Fix: add it."
    if sorted(values) != values and len(set(values)) == len(values):
        yield "levels are out of order. Fix: sort them from 0 up."


def _weight_problems(weights: dict[str, float | None], known: set[str] | None) -> Iterator[str]:
    for id, weight in weights.items():
        if known is not None and id not in known:
            yield f".{id}: no such criterion. Fix: use one of {', '.join(sorted(known))}."
        if weight is not None and weight <= 0:
            yield f".{id}: weight {weight:g} is not above 0. Fix: null leaves a criterion out."
    counted = [w for w in weights.values() if w is not None]
    if not counted:
        yield ": no criterion has a weight. Fix: give at least one a weight."
    elif abs(sum(counted) - WEIGHT_SUM) > _TOLERANCE:
        yield f": weights sum to {sum(counted):g}, not {WEIGHT_SUM:g}. Fix: change them so that they do."


def _question_problems(
    question: Question, id: str, criterion_ids: set[str] | None, flag_ids: set[str] | None
) -> Iterator[str]:
    if question.id != id:
        yield f"id: is {question.id!r}, but the file is named {id}.yaml. Fix: make them the same."
    yield from (f"weights{p}" for p in _weight_problems(question.weights, criterion_ids))
    yield from _point_problems(question)
    for flag in question.red_flags:
        if flag_ids is not None and flag not in flag_ids:
            yield f"red_flags.{flag}: no such red flag. Fix: use one of {', '.join(sorted(flag_ids))}."


def _point_problems(question: Question) -> Iterator[str]:
    if not question.points:
        yield "points: are missing. Fix: list what the expert answer says, one point each."
    elif not question.weights.get("expert_coverage"):
        yield "points: nobody can reach them, expert_coverage has no weight. Fix: give it one, or drop the points."
    for id, count in Counter(p.id for p in question.points).items():
        if count > 1:
            yield f"points: id {id!r} stands {count} times. Fix: give each its own id."
    for text, count in Counter(" ".join(p.text.lower().split()) for p in question.points).items():
        if count > 1:
            yield f"points: {text[:50]!r} stands {count} times, nobody can win it twice. Fix: keep one."


_STARTER_BANK = """\
id: my-bank
title: My questions
language: en
version: "1"
description: What this bank is for.
# Question ids in order; each has a file questions/ID.yaml. criteria.yaml and red_flags.yaml may lie here too: without
# them the shipped ones are used.
questions: [caching]
"""
_STARTER_QUESTION = """\
id: caching
question: When would you put a cache in front of a database, and when not?
why: Shows whether somebody weighs what a cache costs against what it saves.
reference: >-
  I would first ask what is slow for whom. A cache pays where reads repeat and may be a little stale. It costs a second
  copy that has to be invalidated, so I would measure the hit rate and leave it out where writes dominate.
points:                       # what the expert answer says, one thing each
  - {id: caching.1, text: Asks first what is slow and for whom.}
  - {id: caching.2, text: A cache pays where reads repeat and may be slightly stale.}
  - {id: caching.3, text: The cost is a copy that has to be invalidated.}
  - {id: caching.4, text: Measures the hit rate and leaves the cache out where writes dominate.}
weights:                      # sum to 100; null leaves a criterion out of this question
  product_framing: 15
  tradeoffs: 30
  long_term_metrics: null
  systems_thinking: 15
  expert_coverage: 30
  communication: 10
red_flags:                    # ids of red_flags.yaml, and what each looks like in this very question
  absolutes: Says that a cache always helps.
follow_ups:
  - What would you do on the day the cache is lost?
  - How stale may an answer be before somebody notices?
"""


def init_bank(folder: Path) -> None:
    """Write a small valid bank with comments that explain it.

    Raises:
        InputError: the folder holds a bank already, or cannot be written.
    """
    if (folder / "bank.yaml").exists():
        raise InputError(f"{folder} holds a bank already", hint="Choose another folder; nothing was changed.")
    try:
        (folder / "questions").mkdir(parents=True, exist_ok=True)
        (folder / "bank.yaml").write_text(_STARTER_BANK, encoding="utf-8")
        (folder / "questions" / "caching.yaml").write_text(_STARTER_QUESTION, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}", hint="Choose another folder.") from None
