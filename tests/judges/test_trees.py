"""Trees grown by scikit-learn and read from arrays."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

from coach.judges.trees import sums
from evals.training.boosting import arrays

INPUTS = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)


def grown(column: int, size: int = 7) -> GradientBoostingRegressor:
    target = np.sin(3 * INPUTS[:, column]) * INPUTS[:, 0]
    return GradientBoostingRegressor(n_estimators=size, max_leaf_nodes=6, max_depth=None, init="zero").fit(
        INPUTS, target
    )


def test_arrays_say_what_the_library_says() -> None:
    models = [grown(1), grown(2)]
    found = sums(arrays(models), INPUTS)
    assert np.allclose(found, np.column_stack([m.predict(INPUTS) for m in models]), atol=1e-5)
