import random

import numpy as np
import pytest

from coach.bank import load_bank
from coach.embed import default_embedder
from coach.evaluation.labels import Labelled
from coach.judges.cross_encoder import FLAGS, TARGETS
from coach.settings import Settings
from evals.training.augment import Augmented, Source
from evals.training.examples import Example, examples_of

SWAPPED = 0.1
ANSWER = "I would first ask what the page is for. Then I would weigh two models. After launch I would watch what people keep."


def labelled(question_id: str, number: int) -> Labelled:
    levels: dict[str, int | None] = dict.fromkeys(TARGETS[1:], 3)
    return Labelled(f"{question_id}-{number}", question_id, ANSWER, 4, levels, frozenset(), frozenset({1}), None)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    bank = load_bank()
    rows = [labelled(f"q{n:02}", k) for n in (1, 9, 14, 20) for k in range(5)]
    questions = [bank.question(r.question_id) for r in rows]
    return [Source(*s) for s in zip(rows, questions, examples_of(rows, questions, {}), strict=True)]


@pytest.fixture(scope="module")
def drawn(sources: list[Source]) -> list[Example]:
    augmented = Augmented(sources, default_embedder(Settings.from_environment().cache_dir))
    return augmented.epoch(random.Random(0), SWAPPED)


def test_an_epoch_holds_all_answers_and_some_under_another_question(
    sources: list[Source], drawn: list[Example]
) -> None:
    assert len(drawn) == len(sources) + round(SWAPPED * len(sources))


def test_an_epoch_of_some_answers_may_put_them_under_any_question(sources: list[Source]) -> None:
    augmented = Augmented(sources, default_embedder(Settings.from_environment().cache_dir))
    ones = [s for s in sources if s.question.id == "q01"]
    drawn = augmented.epoch(random.Random(0), 1.0, some=ones)
    own = len(ones[0].example.covered)
    assert len(drawn) == 2 * len(ones)
    assert any(len(e.covered) != own for e in drawn[len(ones) :])


def test_an_answer_under_another_question_makes_none_of_its_points(sources: list[Source], drawn: list[Example]) -> None:
    assert all(set(e.covered) == {0.0} for e in drawn[len(sources) :])


def test_an_answer_under_another_question_is_off_topic(sources: list[Source], drawn: list[Example]) -> None:
    assert all(e.flags[FLAGS.index("off_topic")] == 1.0 for e in drawn[len(sources) :])


def test_an_answer_under_another_question_is_a_clear_no(sources: list[Source], drawn: list[Example]) -> None:
    assert all(e.levels[TARGETS.index("overall")] == 1.0 for e in drawn[len(sources) :])


def test_how_well_it_is_told_does_not_depend_on_the_question(sources: list[Source], drawn: list[Example]) -> None:
    assert all(e.levels[TARGETS.index("communication")] == 3.0 for e in drawn[len(sources) :])


def test_a_disturbed_answer_keeps_its_labels(sources: list[Source], drawn: list[Example]) -> None:
    kept = zip(drawn, (s.example for s in sources), strict=False)
    assert all((a.levels, a.flags, a.covered) == (b.levels, b.flags, b.covered) for a, b in kept)


def test_some_answers_are_disturbed(sources: list[Source]) -> None:
    augmented = Augmented(sources, default_embedder(Settings.from_environment().cache_dir))
    rng = random.Random(0)
    drawn = [pair for _ in range(10) for pair in zip(augmented.epoch(rng, SWAPPED), sources, strict=False)]
    changed = sum(not np.array_equal(a.window.ids, s.example.window.ids) for a, s in drawn)
    assert 0 < changed < len(drawn) / 2


def test_the_same_order_gives_the_same_epoch(sources: list[Source], drawn: list[Example]) -> None:
    augmented = Augmented(sources, default_embedder(Settings.from_environment().cache_dir))
    again = augmented.epoch(random.Random(0), SWAPPED)
    assert all(np.array_equal(a.window.ids, b.window.ids) for a, b in zip(drawn, again, strict=True))
