"""The judge's red flags: a first opinion on each, and trees that weigh them all together.

An answer shows few flags, and most flags have few answers that show them. So the trees take every pair of answer and flag as one
example: what makes a log-odds of one flag worth believing they learn from all fourteen.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from coach.judges.cross_encoder import FLAGS
from coach.judges.decision import flag_inputs, flag_tree_inputs
from coach.judges.trees import Trees
from evals.training.boosting import arrays, classifier
from evals.training.data import Data
from evals.training.folds import fitted, held_out, weights_of

FLAG_C = 0.03
FEATURE_SCALE, VECTOR_SCALE = 0.3, 8.0
"""Weight of a standardised feature and of a vector's component beside a standardised log-odds, before the penalty."""


class Flags(NamedTuple):
    """r flags, w inputs of the first opinion: see `coach.judges.decision.Decision`."""

    weights: np.ndarray
    """Shape (r, w)."""
    offsets: np.ndarray
    """Shape (r,)."""
    rates: np.ndarray
    """Shape (r,)."""
    trees: Trees


def fit_flags(data: Data, kept: np.ndarray, counted: np.ndarray) -> Flags:
    """Fit everything on some rows.

    Args:
        data: all answers.
        kept: indices of the rows to fit on.
        counted: their features, in standard deviations.
    """
    target, honest = data.flags[kept], ~data.swapped[kept]
    weights, offsets, first = _first_opinion(data, kept, counted)
    rates = target[honest].mean(axis=0)
    inputs = np.array(
        [
            flag_tree_inputs(opinion, rates, data.readings[i], data.signs[i], c)
            for opinion, i, c in zip(first, kept, counted, strict=True)
        ]
    )
    asked = np.array([[f in {r.id for r in data.tasks[i].rubric.red_flags} for f in FLAGS] for i in kept])
    heavy = np.repeat(weights_of(honest)[:, None], len(FLAGS), axis=1)
    return Flags(weights, offsets, rates, arrays([fitted(classifier(), inputs[asked], target[asked], heavy[asked])]))


def _first_opinion(data: Data, kept: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights and offset of each flag, and its log-odds for each row by a model fitted without the row's question."""
    inputs = np.array(
        [flag_inputs(data.readings[i], data.signs[i], c, data.vectors[i]) for i, c in zip(kept, counted, strict=True)]
    )
    mean, scale = inputs.mean(0), 1.0 / (inputs.std(0) + 1e-6)
    features, vectors = counted.shape[1], data.vectors.shape[1]
    scale[-vectors - features : -vectors] = FEATURE_SCALE
    scale[-vectors:] = VECTOR_SCALE
    scaled, heavy = (inputs - mean) * scale, weights_of(~data.swapped[kept])
    weights, offsets, held = [], [], []
    for k in range(len(FLAGS)):
        target = data.flags[kept, k]
        held.append(held_out(_opinion, scaled, target, data.blocks[kept], heavy))
        model = fitted(_opinion(), scaled, target, heavy)
        weights.append(model.coef_[0] * scale)
        offsets.append(float(model.intercept_[0] - weights[-1] @ mean))
    return np.array(weights), np.array(offsets), np.column_stack(held)


def _opinion() -> LogisticRegression:
    return LogisticRegression(C=FLAG_C, max_iter=3000)
