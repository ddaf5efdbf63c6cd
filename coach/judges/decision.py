"""The offline judge's decision: linear in an answer's features and vectors, trained on labelled answers.

Linear on purpose: what a segment adds to a level is its own share of the sum, so evidence is what moved the level and not
a story told afterwards. The weights lie in `data/offline.npz`, what they were trained on in `data/offline.json` beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coach.errors import CoachError
from coach.judges.features import FEATURES_VERSION, POINT_FEATURES, feature_names
from coach.models import MAX_LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
FEATURE_SCALE = 0.06
"""Weight of a standardised feature beside a vector's component, whose spread is about this."""
TRAINED_DIGITS = 12
"""Hex digits of an answer's digest by which the card knows it."""
CLIP = 4.0
"""Standard deviations at which a feature is cut off: an odd answer must not throw the sum."""


class Decision(NamedTuple):
    """Trained weights. f features, d the length of a vector, c criteria, r red flags."""

    criteria: tuple[str, ...]
    flags: tuple[str, ...]
    mean: NDArray[np.float32]
    """Shape (f,)."""
    spread: NDArray[np.float32]
    """Shape (f,)."""
    vector_weights: NDArray[np.float32]
    """Shape (c + r, 3, d): for the whole answer, the mean over its segments, their spread."""
    feature_weights: NDArray[np.float32]
    """Shape (c + r, f)."""
    offsets: NDArray[np.float32]
    """Shape (c + r,)."""
    errors: NDArray[np.float32]
    """Shape (c,): half-width of the band that holds the labelled level in 80% of held-out answers."""
    thresholds: NDArray[np.float32]
    """Shape (r,): log-odds from which a flag is raised; infinite for a flag this judge cannot tell."""
    point_weights: NDArray[np.float32]
    """Shape (len(POINT_FEATURES) + 3,): features, predicted coverage, their product with cosine, offset."""
    digest: str
    """SHA-256 of the weights' file."""


class Scores(NamedTuple):
    """The decision's raw output for one answer."""

    levels: NDArray[np.float32]
    """Shape (c,), real numbers in 0..4."""
    log_odds: NDArray[np.float32]
    """Shape (r,)."""


def decide(decision: Decision, features: NDArray[np.float32], vectors: NDArray[np.float32]) -> Scores:
    """Levels and flags of one answer.

    Args:
        decision: trained weights.
        features: shape (f,).
        vectors: shape (3, d).
    """
    scaled = FEATURE_SCALE * np.clip((features - decision.mean) / decision.spread, -CLIP, CLIP)
    sums = (
        decision.offsets + decision.feature_weights @ scaled + np.einsum("kpd,pd->k", decision.vector_weights, vectors)
    )
    c = len(decision.criteria)
    return Scores(np.clip(sums[:c], 0.0, float(MAX_LEVEL)), sums[c:])


def contributions(decision: Decision, target: int, segment_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each segment adds to a target through the mean over segments, shape (s,). Target: criteria, then flags."""
    added: NDArray[np.float32] = segment_vectors @ decision.vector_weights[target, 1] / max(1, len(segment_vectors))
    return added


def covered_probability(decision: Decision, points: NDArray[np.float32], coverage: float) -> NDArray[np.float32]:
    """Probability that each expert point is made, shape (p,).

    Args:
        decision: trained weights.
        points: shape (p, len(POINT_FEATURES)).
        coverage: the level predicted for expert_coverage, 0..4.
    """
    inputs = point_inputs(points, coverage)
    odds = inputs @ decision.point_weights[:-1] + decision.point_weights[-1]
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), dtype=np.float32)


def point_inputs(points: NDArray[np.float32], coverage: float) -> NDArray[np.float32]:
    """Features of points with the predicted coverage beside them, shape (p, len(POINT_FEATURES) + 2)."""
    level = np.full((len(points), 1), coverage, dtype=np.float32)
    return np.hstack([points, level, level * points[:, :1]])


@cache
def load_decision(folder: Path = DATA) -> Decision:
    """The shipped decision.

    Raises:
        CoachError: the files are missing, damaged, or were trained for other features.
    """
    from coach.fingerprints import digest

    try:
        card: dict[str, Any] = json.loads((folder / "offline.json").read_text(encoding="utf-8"))
        raw = (folder / "offline.npz").read_bytes()
        with np.load(folder / "offline.npz", allow_pickle=False) as arrays:
            weights = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError) as error:
        raise CoachError(f"the offline judge's weights cannot be read: {error}", hint="Install coach again.") from None
    if card["features_version"] != FEATURES_VERSION or tuple(card["features"]) != feature_names():
        raise CoachError("the offline judge's weights were trained for other features", hint="Run `make train`.")
    if weights["point_weights"].shape != (len(POINT_FEATURES) + 3,):
        raise CoachError("the offline judge's weights do not fit its point features", hint="Run `make train`.")
    return Decision(criteria=tuple(card["criteria"]), flags=tuple(card["flags"]), digest=digest(raw.hex()), **weights)


def trained_on(answers: Sequence[str], folder: Path = DATA) -> bool:
    """Whether any of these answers was among those the shipped weights were trained on."""
    from coach.fingerprints import digest

    known = set(json.loads((folder / "offline.json").read_text(encoding="utf-8")).get("answers", ()))
    return any(digest(a)[:TRAINED_DIGITS] in known for a in answers)
