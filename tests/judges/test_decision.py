"""What the decision's trees see."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coach.judges.cross_encoder import FLAGS, TARGETS, Reading
from coach.judges.decision import flag_tree_inputs, made_inputs
from evals.training.__main__ import _by_line, _plain

R = len(FLAGS)


def reading(flags: np.ndarray, points: tuple[float, ...] = (0.0,)) -> Reading:
    return Reading(
        levels=np.zeros(len(TARGETS), dtype=np.float32),
        flags=flags.astype(np.float32),
        points=np.array(points, dtype=np.float32),
        level_tokens=np.zeros((1, len(TARGETS)), dtype=np.float32),
        flag_tokens=np.zeros((1, R), dtype=np.float32),
        offsets=((0, 1),),
    )


def inputs(first: np.ndarray, read: np.ndarray) -> np.ndarray:
    rates, signs, counted = (np.zeros(n, dtype=np.float32) for n in (R, 3, 4))
    return flag_tree_inputs(first.astype(np.float32), rates, reading(read), signs, counted)


def test_a_flag_is_seen_beside_the_likeliest_others() -> None:
    first = np.arange(R, dtype=np.float32)
    found = inputs(first, first)
    assert found[0, :3].tolist() == [0, R - 1, R - 2]
    assert found[R - 1, :3].tolist() == [R - 1, R - 2, R - 3]


def test_every_flag_has_a_row_that_says_which_it_is() -> None:
    found = inputs(np.zeros(R), np.zeros(R))
    assert found.shape[0] == R
    assert np.array_equal(found[:, 8 : 8 + R], np.eye(R))


def test_extreme_log_odds_are_cut_off() -> None:
    found = inputs(np.zeros(R), np.full(R, 1e9))
    assert found[:, 3].max() == pytest.approx(8.0)


def test_an_answer_without_points_makes_none() -> None:
    assert np.isfinite(made_inputs(reading(np.zeros(R), points=()))).all()


def test_weights_are_written_a_line_an_array_and_read_as_they_were() -> None:
    told = {"a": {"b": _plain(np.array([[0.1, np.inf]], dtype=np.float32)), "c": _plain(np.array([3], dtype=np.int32))}}
    text = _by_line(told)
    assert text.splitlines() == ["{", '"a": {', '"b": [[0.100000001,1e+30]],', '"c": [3]', "}", "}"]
    assert np.float32(json.loads(text)["a"]["b"][0][0]) == np.float32(0.1)
