"""What the shipped bank must hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coach.bank import load_bank
from coach.bank_check import check_bank
from coach.models import Question
from coach.resources import data_dir

ROOT = Path(__file__).parent.parent
SEED = ROOT.parent / "shared" / "seed.txt"
POINTS = [7, 7, 7, 6, 6, 6, 6, 6, 7, 5, 6, 5, 7, 5, 6, 6, 5, 6, 5, 6, 6, 6, 5, 5, 5]
"""Expert points of each question: labels refer to them by position."""
RUN = 8
BANK = load_bank()
QUESTIONS = [BANK.question(id) for id in BANK.ids]


def test_it_has_no_problems() -> None:
    assert check_bank(data_dir("rubrics")) == ()


def test_there_are_twenty_five_questions_in_order() -> None:
    assert BANK.ids == tuple(f"q{n:02d}" for n in range(1, 26))


def test_points_keep_their_number() -> None:
    assert [len(q.points) for q in QUESTIONS] == POINTS


@pytest.mark.parametrize("question", QUESTIONS, ids=BANK.ids)
def test_each_question_is_told_in_full(question: Question) -> None:
    assert question.why
    assert question.example
    assert question.signal
    assert len(question.follow_ups) == 2
    assert len(question.red_flags) >= 3


def test_six_criteria_and_fourteen_flags() -> None:
    assert (len(BANK.criteria), len(BANK.red_flags)) == (6, 14)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower().replace("’", "'").replace("'", ""))


def texts() -> list[Path]:
    folders = ("rubrics", "prompts", "docs", "examples", "coach", "tests", "evals")
    found = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in {".py", ".md", ".yaml", ".j2"}]
    return [*found, ROOT / "README.md"]


@pytest.mark.skipif(not SEED.is_file(), reason="the source document is not at hand")
def test_no_run_of_eight_words_is_shared_with_the_source() -> None:
    seed = words(SEED.read_text(encoding="utf-8"))
    grams = {tuple(seed[i : i + RUN]) for i in range(len(seed) - RUN + 1)}
    shared = []
    for path in texts():
        said = words(path.read_text(encoding="utf-8"))
        shared += [
            (path.name, said[i : i + RUN]) for i in range(len(said) - RUN + 1) if tuple(said[i : i + RUN]) in grams
        ]
    assert shared == []
