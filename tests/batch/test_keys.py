from __future__ import annotations

import pytest
from fakes import HashEmbedder, ScriptedJudge

from coach.asked import Brought
from coach.batch.keys import Keys
from coach.batch.rows import Entry
from coach.errors import InputError
from coach.pipeline import Pipeline


def keys(judge: str = "judge", prompt: str = "prompt", embedder: str = "hash") -> Keys:
    scripted, hashing = ScriptedJudge(), HashEmbedder()
    scripted.fingerprint, scripted.prompt_fingerprint, hashing.name = judge, prompt, embedder
    return Keys(Pipeline(judge=scripted, embedder=hashing))


ENTRY = Entry("q01", "An answer.")
BASE = keys().key(ENTRY)


def test_the_same_things_have_the_same_key() -> None:
    assert keys().key(ENTRY) == BASE


@pytest.mark.parametrize(
    "other",
    [
        keys(judge="other").key(ENTRY),
        keys(prompt="other").key(ENTRY),
        keys(embedder="other").key(ENTRY),
        keys().key(Entry("q02", "An answer.")),
        keys().key(Entry("q01", "An answer")),
        keys().key(Entry(Brought("W?", "R."), "An answer.")),
    ],
    ids=["judge", "prompt", "encoder", "question", "answer", "brought"],
)
def test_whatever_a_grade_depends_on_changes_its_key(other: bytes) -> None:
    assert other != BASE


def test_other_points_are_another_question() -> None:
    brought = [Entry(Brought("W?", "R.", points), "A") for points in (("one",), ("two",))]
    assert keys().key(brought[0]) != keys().key(brought[1])


def test_a_lone_surrogate_has_a_key() -> None:
    assert len(keys().key(Entry("q01", "a\ud800"))) == 32


def test_an_unknown_question_has_none() -> None:
    with pytest.raises(InputError, match="no question"):
        keys().key(Entry("q99", "A"))
