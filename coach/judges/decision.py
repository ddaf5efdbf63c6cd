"""The offline judge's decision: from what the network read and what was counted to levels, doubts, flags and points.

A linear sum, so that what a token adds to a level is its own share of it, and evidence is what moved the level and not a story
told afterwards; and trees that put the sum right where what is read and what is counted tell more together. In `data/`,
`cross-encoder.onnx` is the network, `decision.json` holds the weights here, `card.json` says what both were trained on and how
far they can be trusted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coach.errors import CoachError
from coach.judges.cross_encoder import FLAGS, GRAPH, TARGETS, UNREAD, Reading
from coach.judges.features import FEATURES_VERSION, feature_names
from coach.judges.trees import Trees, sums
from coach.models import MAX_LEVEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA = Path(__file__).parent / "data"
WEIGHTS, CARD = "decision.json", "card.json"
CRITERIA = TARGETS[1:]
CLIP = 4.0
"""Standard deviations at which a feature is cut off: an odd answer must not throw the sum."""
LOG_ODDS_CLIP = 8.0
_KEY_DIGITS = 12


class Decision(NamedTuple):
    """Trained weights. f features, t = len(TARGETS), c = len(CRITERIA), r = len(FLAGS), w signs (see `flag_inputs`)."""

    mean: NDArray[np.float32]
    """Shape (f,)."""
    spread: NDArray[np.float32]
    """Shape (f,)."""
    level_weights: NDArray[np.float32]
    """Shape (c, t): of the network's levels."""
    feature_weights: NDArray[np.float32]
    """Shape (c, f)."""
    offsets: NDArray[np.float32]
    """Shape (c,)."""
    trees: Trees
    """c sums: what is added to each level, by `tree_inputs`."""
    second_weights: NDArray[np.float32]
    """Shape (c, f): a second opinion from features alone; where the two differ, doubt is larger."""
    second_offsets: NDArray[np.float32]
    """Shape (c,)."""
    doubt_weights: NDArray[np.float32]
    """Shape (c, 4): expected absolute error from 1, level, level squared, difference to the second opinion."""
    band_factors: NDArray[np.float32]
    """Shape (c,): times the doubt gives the half-width that held the label in 80% of held-out answers."""
    doubt_limits: NDArray[np.float32]
    """Shape (c,): doubt from which the judge abstains."""
    flag_weights: NDArray[np.float32]
    """Shape (r, w): of a first opinion on each flag."""
    flag_offsets: NDArray[np.float32]
    """Shape (r,)."""
    flag_rates: NDArray[np.float32]
    """Shape (r,): share of the answers that show it."""
    flag_trees: Trees
    """One sum: the log-odds of any flag, by `flag_tree_inputs`."""
    point_weights: NDArray[np.float32]
    """Shape (3,): of the network's log-odds, of the level of expert_coverage, offset."""
    digest: str
    """SHA-256 over network and weights."""


class Scores(NamedTuple):
    """The decision's output for one answer."""

    levels: NDArray[np.float32]
    """Shape (c,), real numbers in 0..4."""
    alone: NDArray[np.float32]
    """Shape (c,), real numbers in 0..4: what the linear sum came to before the trees put it right."""
    doubts: NDArray[np.float32]
    """Shape (c,): expected absolute error of each, in levels."""
    log_odds: NDArray[np.float32]
    """Shape (r,): of each flag."""
    points: NDArray[np.float32]
    """Shape (p,): probability that each expert point is made."""


def scaled(decision: Decision, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features in standard deviations, cut off; shape as given."""
    found: NDArray[np.float32] = np.clip((features - decision.mean) / decision.spread, -CLIP, CLIP)
    return found


def decide(
    decision: Decision,
    reading: Reading,
    features: NDArray[np.float32],
    signs: NDArray[np.float32],
    vectors: NDArray[np.float32],
) -> Scores:
    """Levels, doubts, flags and points of one answer.

    Args:
        decision: trained weights.
        reading: what the network read.
        features: shape (f,).
        signs: shape (s,), what wording and order say of flags.
        vectors: shape (2 d,), from the sentence encoder; flags alone rest on them.
    """
    counted = scaled(decision, features)
    summed = decision.offsets + decision.level_weights @ reading.levels + decision.feature_weights @ counted
    put_right = sums(decision.trees, tree_inputs(reading, counted)[None])[0]
    levels, alone = (np.clip(level, 0.0, float(MAX_LEVEL)) for level in (summed + put_right, summed))
    second = np.clip(decision.second_offsets + decision.second_weights @ counted, 0.0, float(MAX_LEVEL))
    first = decision.flag_offsets + decision.flag_weights @ flag_inputs(reading, signs, counted, vectors)
    odds = sums(decision.flag_trees, flag_tree_inputs(first, decision.flag_rates, reading, signs, counted))[:, 0]
    coverage = levels[CRITERIA.index("expert_coverage")]
    point_odds = np.column_stack(point_inputs(reading.points, coverage)) @ decision.point_weights
    return Scores(levels, alone, doubts(decision, levels, second), odds, 1.0 / (1.0 + np.exp(-point_odds)))


def doubts(decision: Decision, levels: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Expected absolute error of each level, shape (c,); never below a tenth of a level."""
    inputs = np.stack(doubt_inputs(levels, second))
    found: NDArray[np.float32] = np.maximum((decision.doubt_weights * inputs.T).sum(axis=1), 0.1)
    return found


def doubt_inputs(levels: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """What the expected error depends on, each of the shape of `levels`."""
    return np.ones_like(levels), levels, levels**2, np.abs(levels - second)


def tree_inputs(reading: Reading, counted: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's levels and log-odds of flags, what its log-odds of points come to, and what was counted; shape (k,)."""
    odds = np.clip(reading.flags, -LOG_ODDS_CLIP, LOG_ODDS_CLIP)
    found: NDArray[np.float32] = np.concatenate([reading.levels, odds, made_inputs(reading), counted]).astype(
        np.float32
    )
    return found


def made_inputs(reading: Reading) -> NDArray[np.float32]:
    """What the network's log-odds of the expert points come to, shape (5,)."""
    read = reading.points[reading.points > UNREAD]
    points = np.sort(np.clip(read if read.size else [0.0], -LOG_ODDS_CLIP, LOG_ODDS_CLIP))[::-1]
    likely = 1.0 / (1.0 + np.exp(-points))
    return np.array([points.mean(), points[0], points[:3].mean(), likely.sum(), likely.mean()], dtype=np.float32)


def flag_inputs(
    reading: Reading, signs: NDArray[np.float32], counted: NDArray[np.float32], vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The network's log-odds of every flag, its levels, the signs, what was counted, and the vectors; shape (w,)."""
    odds = np.clip(reading.flags, -LOG_ODDS_CLIP, LOG_ODDS_CLIP)
    found: NDArray[np.float32] = np.concatenate([odds, reading.levels, signs, counted, vectors]).astype(np.float32)
    return found


def flag_tree_inputs(
    first: NDArray[np.float32],
    rates: NDArray[np.float32],
    reading: Reading,
    signs: NDArray[np.float32],
    counted: NDArray[np.float32],
) -> NDArray[np.float32]:
    """What tells whether a flag stands, one row a flag, shape (r, k): of the flag itself, of the likeliest others, of the answer.

    Args:
        first: log-odds of each flag by the first opinion, shape (r,).
        rates: share of answers that show each, shape (r,).
        reading: what the network read.
        signs: shape (s,).
        counted: scaled features, shape (f,).
    """
    read = np.clip(reading.flags, -LOG_ODDS_CLIP, LOG_ODDS_CLIP)
    own = np.column_stack([first, _others(first, 2), read, _others(read, 3), rates, np.eye(len(rates))])
    answer = np.concatenate([reading.levels, signs, made_inputs(reading), counted])
    found: NDArray[np.float32] = np.hstack([own, np.tile(answer, (len(rates), 1))]).astype(np.float32)
    return found


def _others(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """For each value the largest of the others, in falling order, shape (r, count)."""
    beside = np.tile(values, (len(values), 1))
    np.fill_diagonal(beside, -np.inf)
    found: NDArray[np.float32] = np.sort(beside, axis=1)[:, ::-1][:, :count]
    return found


def point_inputs(
    log_odds: NDArray[np.float32], coverage: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What the probability of a point depends on, each of shape (p,)."""
    odds = np.clip(log_odds, -LOG_ODDS_CLIP, LOG_ODDS_CLIP)
    return odds, np.full_like(odds, coverage), np.ones_like(odds)


def level_shares(decision: Decision, criterion: int, reading: Reading) -> NDArray[np.float32]:
    """What each token of the answer adds to a criterion's level, shape (number of tokens,)."""
    found: NDArray[np.float32] = reading.level_tokens @ decision.level_weights[criterion]
    return found


@cache
def load_decision(folder: Path = DATA) -> Decision:
    """The shipped weights.

    Raises:
        CoachError: files are missing, damaged, do not belong together, or were trained for other features.
    """
    from coach.fingerprints import digest
    from coach.weights import sha256_of

    try:
        text = (folder / WEIGHTS).read_text(encoding="utf-8")
        kept: dict[str, Any] = json.loads(text)
        weights = {name: np.array(kept["weights"][name], dtype=np.float32) for name in ARRAYS}
        trees, flag_trees = (
            Trees(**{n: np.array(v, dtype=_TREE_TYPES[n]) for n, v in kept[which].items()})
            for which in ("trees", "flag_trees")
        )
        network, made_for = sha256_of(folder / GRAPH), kept["network"]
        features = kept["features_version"], tuple(kept["features"])
        told = tuple(kept["criteria"]), tuple(kept["flags"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CoachError) as error:
        raise CoachError(f"the offline judge's weights cannot be read: {error}", hint="Install coach again.") from None
    if made_for != network:
        raise CoachError(
            f"the offline judge's network {GRAPH} is not the one its decision was trained on",
            hint="Install coach again.",
        )
    if features != (FEATURES_VERSION, feature_names()):
        raise CoachError("the offline judge's weights were trained for other features", hint="Run `make train`.")
    if told != (CRITERIA, FLAGS):
        raise CoachError("the offline judge's weights tell of other criteria or flags", hint="Run `make train`.")
    return Decision(digest=digest(text), trees=trees, flag_trees=flag_trees, **weights)


ARRAYS = tuple(name for name in Decision._fields if name not in ("trees", "flag_trees", "digest"))
_TREE_TYPES: dict[str, Any] = dict.fromkeys(("feature", "left", "right"), np.int32) | dict.fromkeys(
    ("threshold", "value"), np.float32
)


def trained_on(answers: Sequence[str], folder: Path = DATA) -> bool:
    """Whether any of these answers was among those the shipped weights were trained on."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    known = {key for part in ("network", "decision") for key in card.get(part, {}).get("answers", ())}
    return any(answer_key(a) in known for a in answers)


def answer_key(answer: str) -> str:
    """By what the card knows an answer."""
    from coach.fingerprints import digest

    return digest(answer)[:_KEY_DIGITS]
