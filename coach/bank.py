"""Banks of questions: `bank.yaml`, `criteria.yaml`, `red_flags.yaml` and a file per question.

A question file is read when it is asked for, so that grading one answer does not parse a whole bank. `bank_check` reads
everything and tells every problem at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, Field, ValidationError

from coach.errors import BankError, InputError
from coach.models import (
    MAX_LEVEL,
    MAX_WEIGHT,
    ApplicableFlag,
    Criterion,
    ExpertPoint,
    Finite,
    Frozen,
    Id,
    Question,
    RedFlag,
    Rubric,
    Text,
    WeightedCriterion,
)
from coach.resources import data_dir
from coach.yaml_files import read_yaml

MAX_DERIVED_POINTS = 12
"""Points cut from the reference of a question that brings none; the rest of a longer one is merged into the last."""

Model = TypeVar("Model", bound=BaseModel)


class BankFile(Frozen):
    """`bank.yaml`."""

    id: Id
    title: Text
    language: Text = "en"
    version: Text = "1"
    description: str = ""
    questions: Annotated[tuple[Id, ...], Field(min_length=1)]


class CriteriaFile(Frozen):
    """`criteria.yaml`: the criteria, and what each weighs for a question that brings no weights."""

    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]
    generic_weights: dict[Id, Finite]


class RedFlagsFile(Frozen):
    """`red_flags.yaml`."""

    red_flags: tuple[RedFlag, ...]


class QuestionSummary(NamedTuple):
    """A line of `coach questions`."""

    id: str
    question: str


class QuestionBank:
    """A bank that has been opened; question files are read at first use and kept.

    Attributes:
        info: what `bank.yaml` says.
        criteria: criterion id to criterion, in the order of the file.
        red_flags: flag id to flag, in the order of the file.
    """

    def __init__(self, folder: Path, info: BankFile, criteria: CriteriaFile, flags: RedFlagsFile) -> None:
        self._folder = folder
        self._questions: dict[str, Question] = {}
        self._rubrics: dict[str, Rubric] = {}
        self._generic = criteria.generic_weights
        self.info = info
        self.criteria = {c.id: c for c in criteria.criteria}
        self.red_flags = {f.id: f for f in flags.red_flags}

    @property
    def ids(self) -> tuple[str, ...]:
        """Question ids in the bank's order."""
        return self.info.questions

    def question(self, id: str) -> Question:
        """The question with an id.

        Raises:
            InputError: the bank has no such question; suggests the nearest ids.
            BankError: its file cannot be used.
        """
        if id not in self.ids:
            near = (
                _same_number(id, self.ids) or get_close_matches(id.lower(), self.ids, n=3, cutoff=0.5) or self.ids[:3]
            )
            raise InputError(
                f"no question {id!r} in the bank {self.info.id!r}",
                hint=f"Did you mean {' or '.join(near)}? `coach questions` lists all {len(self.ids)}.",
            )
        if id not in self._questions:
            self._questions[id] = read_model(question_file(self._folder, id), Question)
        return self._questions[id]

    def summaries(self) -> tuple[QuestionSummary, ...]:
        """Id and text of every question."""
        return tuple(QuestionSummary(id, self.question(id).question) for id in self.ids)

    def rubric(self, question: Question) -> Rubric:
        """What a question is graded on; the generic weights and flags where it brings none.

        Raises:
            BankError: the question names a criterion or flag the bank does not have.
        """
        if self._questions.get(question.id) is question:
            if question.id not in self._rubrics:
                self._rubrics[question.id] = self._rubric(question)
            return self._rubrics[question.id]
        return self._rubric(question)

    def _rubric(self, question: Question) -> Rubric:
        weights = question.weights or self._generic
        unknown = [i for i in weights if i not in self.criteria] + [
            i for i in question.red_flags if i not in self.red_flags
        ]
        if unknown:
            raise BankError(f"question {question.id!r} names {', '.join(map(repr, unknown))}, which the bank lacks")
        odd = [f"{id} {weight:g}" for id, weight in weights.items() if weight and not 0 < weight <= MAX_WEIGHT]
        if odd:
            raise BankError(f"question {question.id!r} has weights outside of 0..{MAX_WEIGHT:g}: {', '.join(odd)}")
        criteria = [
            WeightedCriterion(criterion=self.criteria[id], weight=weight) for id, weight in weights.items() if weight
        ]
        if not criteria:
            raise BankError(f"question {question.id!r} gives no criterion a weight")
        own_bank = bool(question.weights)
        flags = [
            ApplicableFlag(flag=flag, looks_like=question.red_flags.get(flag.id, ""))
            for flag in self.red_flags.values()
            if own_bank or flag.applies_by_default or flag.id in question.red_flags
        ]
        return Rubric(criteria=tuple(criteria), red_flags=tuple(flags))


def _same_number(id: str, ids: Sequence[str]) -> list[str]:
    """Ids that differ only in leading zeros or the letters before: q7, Q07 and 7 all mean q07."""
    number = re.sub(r"\D+0*", "", f"x{id}")
    return [i for i in ids if number and re.sub(r"\D+0*", "", f"x{i}") == number]


def load_bank(folder: Path | None = None) -> QuestionBank:
    """Open a bank; the shipped one when no folder is given.

    A bank without `criteria.yaml` or `red_flags.yaml` uses the shipped ones.

    Raises:
        BankError: the folder is no bank, or a file of it cannot be used.
    """
    folder = folder or data_dir("rubrics")
    if not (folder / "bank.yaml").is_file():
        raise BankError(
            f"{folder}: no bank here (bank.yaml is missing)", hint="`coach bank init DIR` starts one; see the README."
        )
    info = read_model(folder / "bank.yaml", BankFile)
    criteria = read_model(shared_file(folder, "criteria.yaml"), CriteriaFile)
    for criterion in criteria.criteria:
        if [level.value for level in criterion.levels] != list(range(MAX_LEVEL + 1)):
            raise BankError(f"criteria.yaml: {criterion.id}.levels: must run 0..{MAX_LEVEL} in order, without a gap")
    return QuestionBank(
        folder,
        info,
        criteria,
        read_model(shared_file(folder, "red_flags.yaml"), RedFlagsFile),
    )


def question_file(folder: Path, id: str) -> Path:
    """Where a question's file lies."""
    return folder / "questions" / f"{id}.yaml"


def shared_file(folder: Path, name: str) -> Path:
    """A bank's own file, or the shipped one where it has none."""
    own = folder / name
    return own if own.is_file() else data_dir("rubrics") / name


def read_model(path: Path, model: type[Model]) -> Model:
    """A YAML file as a model.

    Raises:
        BankError: carries one line per problem of the file.
    """
    try:
        return model.model_validate(read_yaml(path))
    except ValidationError as error:
        problems = tuple(f"{path.name}: {line}" for line in describe(error, model))
        raise BankError(f"{path.name} cannot be used", problems=problems) from None


def describe(error: ValidationError, model: type[BaseModel]) -> tuple[str, ...]:
    """One line per problem: key, what is wrong, how to fix it."""
    lines = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"]) or "(file)"
        if fault["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key. Fix: {_rename(str(fault['loc'][-1]), model)}.")
        elif fault["type"] == "missing":
            lines.append(f"{key}: is missing. Fix: add it.")
        else:
            shown = repr(fault["input"])
            given = shown if len(shown) <= 60 else shown[:57] + "..."
            lines.append(f"{key}: {fault['msg'].lower()} (found {given}). Fix: correct the value.")
    return tuple(lines)


def _rename(key: str, model: type[BaseModel]) -> str:
    known = {*model.model_fields, *Question.model_fields, *Criterion.model_fields, *RedFlag.model_fields, "value"}
    near = get_close_matches(key, sorted(known), n=1, cutoff=0.7)
    return f"rename it to {near[0]!r} or delete it" if near else "delete it"


def with_points(question: Question, texts: Sequence[str]) -> Question:
    """A question brought along with expert points made of texts: its own, or the sentences of its reference."""
    kept = [t.strip() for t in texts if t.strip()]
    if len(kept) > MAX_DERIVED_POINTS:
        kept = [*kept[: MAX_DERIVED_POINTS - 1], " ".join(kept[MAX_DERIVED_POINTS - 1 :])]
    # An id has room for 64 characters.
    points = tuple(ExpertPoint(id=f"{question.id[:60]}.{n}", text=text) for n, text in enumerate(kept, start=1))
    return question.model_copy(update={"points": points})
