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
    """Each sum for each example.

    Args:
        trees: see there.
        inputs: shape (m, f).

    Returns:
        Shape (m, c).
    """
    shape = trees.feature.shape
    example, of, tree = np.ogrid[: len(inputs), : shape[0], : shape[1]]
    at = np.zeros((len(inputs), *shape[:2]), dtype=np.int64)
    for _ in range(shape[2]):
        asked = trees.feature[of, tree, at]
        if (asked == LEAF).all():
            break
        below = inputs[example, asked] <= trees.threshold[of, tree, at]
        onward = np.where(below, trees.left[of, tree, at], trees.right[of, tree, at])
        at = np.where(asked == LEAF, at, onward)
    found: NDArray[np.float32] = trees.value[of, tree, at].sum(axis=2)
    return found
