"""Sums of regression trees in plain arrays: what boosting leaves behind, read without the library that grew it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAF = -1
"""In `Trees.feature`, of a node that asks nothing."""


class Trees(NamedTuple):
    """c sums of t trees, each of at most n nodes; node 0 is the root."""

    feature: NDArray[np.int32]
    """Shape (c, t, n): index of the input a node asks about, or `LEAF`."""
    threshold: NDArray[np.float32]
    """Shape (c, t, n): inputs at or below it go left."""
    left: NDArray[np.int32]
    """Shape (c, t, n): index of a node."""
    right: NDArray[np.int32]
    """Shape (c, t, n): index of a node."""
    value: NDArray[np.float32]
    """Shape (c, t, n): what a leaf adds to its sum."""


def sums(trees: Trees, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each sum for one example.

    Args:
        trees: see there.
        inputs: shape (f,).

    Returns:
        Shape (c,).
    """
    at = np.zeros((*trees.feature.shape[:2], 1), dtype=np.int64)
    for _ in range(trees.feature.shape[2]):
        asked = np.take_along_axis(trees.feature, at, axis=2)
        if (asked == LEAF).all():
            break
        below = inputs[asked] <= np.take_along_axis(trees.threshold, at, axis=2)
        onward = np.where(below, *(np.take_along_axis(side, at, axis=2) for side in (trees.left, trees.right)))
        at = np.where(asked == LEAF, at, onward)
    found: NDArray[np.float32] = np.take_along_axis(trees.value, at, axis=2).sum(axis=(1, 2))
    return found
