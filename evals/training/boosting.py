"""Boosted trees that put estimates right, and their nodes as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from coach.judges.trees import LEAF, Trees

COMMON: dict[str, Any] = {"max_depth": None, "subsample": 0.7, "max_features": 0.3, "init": "zero", "random_state": 0}
"""Each tree on part of the answers and inputs, so that no single one weighs much; started from zero, as `arrays` reads them."""


def booster() -> GradientBoostingRegressor:
    """Many small steps towards a number."""
    return GradientBoostingRegressor(
        n_estimators=60,
        learning_rate=0.05,
        max_leaf_nodes=16,
        min_samples_leaf=40,
        **COMMON,
    )


def classifier() -> GradientBoostingClassifier:
    """The same for a yes or no, from far more examples, most of them no."""
    return GradientBoostingClassifier(
        n_estimators=80,
        learning_rate=0.08,
        max_leaf_nodes=12,
        min_samples_leaf=30,
        **COMMON,
    )


def arrays(models: Sequence[Any], scales: Sequence[float] | None = None) -> Trees:
    """Fitted models, of as many trees each and started from zero, as arrays.

    Args:
        models: c of them.
        scales: factor on what each predicts; 1 when not given.
    """
    grown = [[e.tree_ for e in m.estimators_[:, 0]] for m in models]
    shape = (len(grown), len(grown[0]), max(t.node_count for trees in grown for t in trees))
    feature, left, right = np.full(shape, LEAF, dtype=np.int32), *(np.zeros(shape, dtype=np.int32) for _ in range(2))
    threshold, value = (np.zeros(shape, dtype=np.float32) for _ in range(2))
    for i, (model, trees) in enumerate(zip(models, grown, strict=True)):
        factor = model.learning_rate * (scales[i] if scales else 1.0)
        for j, tree in enumerate(trees):
            n = tree.node_count
            inner = tree.children_left >= 0
            feature[i, j, :n] = np.where(inner, tree.feature, LEAF)
            left[i, j, :n], right[i, j, :n] = (
                np.where(inner, tree.children_left, 0),
                np.where(inner, tree.children_right, 0),
            )
            threshold[i, j, :n] = _at_or_below(tree.threshold)
            value[i, j, :n] = factor * tree.value[:, 0, 0]
    return Trees(feature, threshold, left, right, value)


def _at_or_below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float32 not above each threshold: inputs of that precision then go the way they went in fitting."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
