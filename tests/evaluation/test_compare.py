from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from coach.errors import InputError
from coach.evaluation.compare import CORRECTION, Change, compare_runs
from coach.evaluation.run import read_run
from coach.evaluation.text import change_lines


def run(levels: list[int | None], *, labelled: int | None = None, flags: tuple[int, ...] = ()) -> dict[str, Any]:
    rows = [
        {"id": str(n), "overall": v, "total": None if v is None else 20.0 * v, "levels": {"bias": v}, "group": f"q{n % 12}",
         "red_flags": ["hype"] if n in flags else [], "labelled": labelled}
        for n, v in enumerate(levels)
    ]  # fmt: skip
    return {"rows": rows}


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Change]:
    return {c.what: c for c in compare_runs(before, after)}


def test_a_change_comes_with_its_interval() -> None:
    found = changes(run([2] * 48), run([3, 2] * 24))["hiring signal"]
    assert (found.before, found.after, found.n) == (2.0, 2.5, 48)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.5 < found.high
    assert found.beyond_noise


def test_as_many_up_as_down_is_noise() -> None:
    found = changes(run([2, 3] * 24), run([3, 2] * 24))
    assert not any(c.beyond_noise for c in found.values())


def test_flags_go_by_exact_mcnemar() -> None:
    found = changes(run([2] * 40), run([2] * 40, flags=tuple(range(10))))["hype"]
    assert found.split == (10, 0)
    assert found.beyond_noise


def test_as_many_flags_gained_as_lost_is_noise() -> None:
    found = changes(run([2] * 40, flags=(0, 1, 2, 3)), run([2] * 40, flags=(4, 5, 6, 7)))["hype"]
    assert (found.split, found.beyond_noise) == ((4, 4), False)


def test_answers_left_open_are_compared_too() -> None:
    found = changes(run([2] * 40), run([2] * 28 + [None] * 12))["without a total"]
    assert (found.before, found.after, found.beyond_noise) == (0.0, 0.3, True)


def failing(document: dict[str, Any], ids: range) -> dict[str, Any]:
    rows = [
        r | {"status": "failed", "overall": None, "total": None, "levels": {}, "red_flags": []}
        if int(r["id"]) in ids
        else r
        for r in document["rows"]
    ]
    return {"rows": rows}


def test_failed_answers_are_no_change_of_a_flag() -> None:
    flagged = run([2] * 40, flags=tuple(range(14)))
    found = changes(flagged, failing(flagged, range(14)))
    assert "hype" not in found
    assert not found["hiring signal"].beyond_noise


def test_failed_answers_are_compared_apart_from_open_ones() -> None:
    found = changes(run([2] * 40), failing(run([2] * 40), range(14)))
    assert found["failed"].split == (14, 0)
    assert "without a total" not in found


def test_too_few_shared_answers_tell_nothing() -> None:
    with pytest.raises(InputError, match="share 5 answers"):
        compare_runs(run([2] * 5), run([4] * 5))


def test_what_only_one_run_has_is_told() -> None:
    told = change_lines(compare_runs(run([2] * 24), run([2] * 20)), only_before=4)
    assert told[0] == "Left out: 4 answers only in the first run."


def test_the_distance_to_the_label_says_better_or_worse() -> None:
    found = changes(run([2] * 24, labelled=4), run([3] * 24, labelled=4))["off the label by"]
    assert (found.before, found.after) == (2.0, 1.0)


def test_what_is_looked_at_is_paid_for() -> None:
    # Alone, 6 flags gained and none lost have p = 0.031; among several things compared that is noise.
    found = changes(run([2] * 40), run([2] * 40, flags=tuple(range(6))))["hype"]
    assert found.probability > 2 * 0.5**6
    assert not found.beyond_noise


def test_the_correction_is_said() -> None:
    told = change_lines(compare_runs(run([2] * 24), run([2] * 24)))
    assert told[-2] == "Nothing beyond noise."
    assert told[-1] == CORRECTION
    assert "Benjamini" in CORRECTION


def test_a_change_is_marked_with_its_interval() -> None:
    line = next(x for x in change_lines(compare_runs(run([2] * 24), run([3] * 24))) if x.startswith("hiring"))
    assert "+1.00 to +1.00" in line
    assert "CHANGED BEYOND NOISE" in line


def test_noise_alone_is_rarely_called_a_change() -> None:
    draws = random.Random(3)

    def noisy() -> dict[str, Any]:
        return run([draws.choice([2, 3, 3, 4]) for _ in range(60)], flags=tuple(draws.sample(range(60), 8)))

    called = [any(c.beyond_noise for c in compare_runs(noisy(), noisy())) for _ in range(20)]
    assert sum(called) <= 3  # one expected; more than three of twenty has a probability below 2%


@pytest.mark.parametrize(
    "content",
    [
        '{"rows": [1]}',
        '{"rows": [{"id": "a"}]}',
        '{"rows": [{"id": "a", "overall": "3x", "levels": {}, "red_flags": []}]}',
        '{"rows": [{"id": "a", "overall": 3, "levels": null, "red_flags": []}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_no_run_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"run\.json"):
        read_run(tmp_path / "run.json")
