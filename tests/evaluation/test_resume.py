"""The shipped network, turned back into one that can learn, reads as the shipped one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from coach.judges.cross_encoder import GRAPH, CrossEncoder, load_tokenizer, windows
from coach.judges.decision import DATA
from evals.training.examples import Example
from evals.training.network import collate
from evals.training.resume import resume

QUESTION, POINTS = (
    "How would you launch a new ranker?",
    ("It ships behind a switch.", "A slice of users sees it first."),
)
ANSWERS = (
    "Behind a flag, to one user in a hundred, and somebody watches complaints and returns for a month.",
    "The transformer has the best AUC, so we replace the old one for everybody.",
)


@pytest.fixture(scope="module")
def readings() -> tuple[list[Any], list[Any]]:
    shipped, resumed = CrossEncoder(DATA / GRAPH), resume(DATA / GRAPH).eval()
    by_resumed = []
    for answer in ANSWERS:
        window = windows(load_tokenizer(), QUESTION, POINTS, answer)[0]
        batch = collate([Example(window, (0.0,) * 7, (0.0,) * 14, (0.0,) * len(POINTS))])
        with torch.no_grad():
            by_resumed.append(resumed(batch.ids, batch.types, batch.answer, batch.points, batch.attention))
    return [shipped.read(QUESTION, POINTS, a) for a in ANSWERS], by_resumed


@pytest.mark.parametrize("what", ["levels", "flags", "points"])
def test_readings_are_the_same_but_for_the_rounding_of_what_goes_through_it(
    readings: tuple[list[Any], list[Any]], what: str
) -> None:
    shipped, resumed = readings
    for before, after in zip(shipped, resumed, strict=True):
        assert np.abs(getattr(before, what) - getattr(after, what)[0].numpy()).mean() < 0.4


def test_every_word_keeps_its_share_in_the_levels(readings: tuple[list[Any], list[Any]]) -> None:
    shipped, resumed = readings
    for before, after in zip(shipped, resumed, strict=True):
        own = after.level_tokens[0].numpy()
        own = own[np.abs(own).sum(axis=1) > 0]
        assert np.corrcoef(before.level_tokens.ravel(), own.ravel())[0, 1] > 0.9


def test_a_graph_that_lacks_a_weight_is_told(tmp_path: Path) -> None:
    model = onnx.load(DATA / GRAPH)
    for initializer in model.graph.initializer:
        if initializer.name == "point.bias":
            initializer.name = "other.bias"
    for node in model.graph.node:
        node.input[:] = ["other.bias" if taken == "point.bias" else taken for taken in node.input]
    onnx.save(model, tmp_path / GRAPH)
    with pytest.raises(ValueError, match=r"point\.bias"):
        resume(tmp_path / GRAPH)
