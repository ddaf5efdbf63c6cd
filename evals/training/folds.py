"""Fitting on some questions to predict others, with swapped answers weighing less than honest ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

INNER_FOLDS = 5
SWAPPED_WEIGHT = 0.5
"""Of a swapped answer beside an honest one: see evals/README.md for what more and less of it do."""


def held_out(
    make: Callable[[], Any], inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Predictions for each row by a model that was fitted without its question, on those of the others that weigh anything."""
    found = np.zeros(len(target))
    for fit, test in GroupKFold(INNER_FOLDS).split(inputs, groups=groups):
        model = fitted(make(), inputs[fit], target[fit], weights[fit])
        tell = model.decision_function if hasattr(model, "decision_function") else model.predict
        found[test] = tell(inputs[test])
    return found


def fitted(model: Any, inputs: np.ndarray, target: np.ndarray, weights: np.ndarray) -> Any:
    """A model fitted on the rows that weigh anything."""
    some = weights > 0
    return model.fit(inputs[some], target[some], sample_weight=weights[some])


def weights_of(honest: np.ndarray) -> np.ndarray:
    """What each row weighs in fitting, shape (n,)."""
    return np.where(honest, 1.0, SWAPPED_WEIGHT)
