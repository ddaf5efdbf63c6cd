"""The decision behind the network, fitted on what the network reads of answers it has not seen."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold

from coach.judges.decision import CLIP, CRITERIA, Decision, doubt_inputs, point_inputs, tree_inputs
from coach.models import MAX_LEVEL
from evals.training.boosting import arrays, booster
from evals.training.data import Data
from evals.training.flags import fit_flags
from evals.training.folds import INNER_FOLDS, fitted, held_out, weights_of

FEATURE_SCALE = 0.06
"""Weight of a standardised feature beside a level of the network, before the penalty."""
ALPHA = 1.0
SHRINK = 0.95
"""Share of the labels' spread that levels are stretched to: ridge predictions crowd around the mean."""
BAND = 0.8
ABSTAIN_WITHIN_ONE = 0.7
"""Estimates of a doubt at which fewer than this share lie within one level of the label are not given."""
ABSTAIN_LEAST = 20
"""Held-out answers a doubt limit must rest on."""


class _Levels(NamedTuple):
    """One estimate of a criterion: weights, offset, and its held-out predictions on the rows it was fitted on."""

    weights: np.ndarray
    offset: float
    held: np.ndarray
    trees: GradientBoostingRegressor | None
    stretch: float


def fit_decision(data: Data, kept: np.ndarray, *, digest: str = "") -> Decision:
    """Fit everything on some rows.

    Args:
        data: all answers.
        kept: indices of the rows to fit on.
        digest: goes into the decision as it is.
    """
    features = data.features[kept]
    mean, spread = features.mean(0), features.std(0) + 1e-6
    counted = np.clip((features - mean) / spread, -CLIP, CLIP)
    read = np.array([data.readings[i].levels for i in kept])
    both = np.hstack([read, FEATURE_SCALE * counted])
    wide = np.array([tree_inputs(data.readings[i], c) for i, c in zip(kept, counted, strict=True)])
    found: dict[str, list[Any]] = {name: [] for name in ("first", "second", "doubt", "band", "limit")}
    coverage = np.full(len(kept), 2.0)
    for j, criterion in enumerate(CRITERIA):
        known = ~np.isnan(data.levels[kept, j])
        target, groups, honest = data.levels[kept, j][known], data.blocks[kept][known], ~data.swapped[kept][known]
        first = _fit_levels(both[known], target, groups, honest, wide=wide[known])
        second = _fit_levels(FEATURE_SCALE * counted[known], target, groups, honest)
        errors = np.abs(first.held - target)[honest]
        inputs = np.column_stack(doubt_inputs(first.held[honest], second.held[honest]))
        model = LinearRegression(fit_intercept=False).fit(inputs, errors)
        doubt = np.maximum(inputs @ model.coef_, 0.1)
        found["first"].append(first)
        found["second"].append(second)
        found["doubt"].append(model.coef_)
        found["band"].append(float(np.quantile(errors / doubt, BAND)))
        found["limit"].append(_doubt_limit(doubt, errors))
        if criterion == "expert_coverage":
            coverage[known] = first.held
    t = read.shape[1]
    flags = fit_flags(data, kept, counted)
    return Decision(
        mean=mean.astype(np.float32),
        spread=spread.astype(np.float32),
        level_weights=_array(f.weights[:t] for f in found["first"]),
        feature_weights=_array(FEATURE_SCALE * f.weights[t:] for f in found["first"]),
        offsets=_array(f.offset for f in found["first"]),
        trees=arrays([f.trees for f in found["first"]], [f.stretch for f in found["first"]]),
        second_weights=_array(FEATURE_SCALE * f.weights for f in found["second"]),
        second_offsets=_array(f.offset for f in found["second"]),
        doubt_weights=_array(found["doubt"]),
        band_factors=_array(found["band"]),
        doubt_limits=_array(found["limit"]),
        flag_weights=_array(flags.weights),
        flag_offsets=_array(flags.offsets),
        flag_rates=_array(flags.rates),
        flag_trees=flags.trees,
        point_weights=_fit_points(data, kept, coverage),
        digest=digest,
    )


def _array(values: Any) -> np.ndarray:
    return np.array(list(values), dtype=np.float32)


def _fit_levels(
    inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, honest: np.ndarray, wide: np.ndarray | None = None
) -> _Levels:
    """A linear estimate; with `wide`, also trees that put it right by what they see there."""
    held = np.zeros(len(target))
    for fit, test in GroupKFold(INNER_FOLDS).split(inputs, groups=groups):
        ridge, trees = _fit_once(
            inputs[fit], target[fit], groups[fit], honest[fit], None if wide is None else wide[fit]
        )
        held[test] = ridge.predict(inputs[test])
        if trees is not None and wide is not None:
            held[test] += trees.predict(wide[test])
    stretch, centre = SHRINK * target[honest].std() / held[honest].std(), target[honest].mean()
    ridge, trees = _fit_once(inputs, target, groups, honest, wide)
    return _Levels(
        weights=stretch * ridge.coef_,
        offset=float(stretch * (ridge.intercept_ - centre) + centre),
        held=np.clip(centre + stretch * (held - centre), 0.0, MAX_LEVEL),
        trees=trees,
        stretch=float(stretch),
    )


def _fit_once(
    inputs: np.ndarray, target: np.ndarray, groups: np.ndarray, honest: np.ndarray, wide: np.ndarray | None
) -> tuple[Ridge, GradientBoostingRegressor | None]:
    """The linear estimate, and the trees grown on what it leaves open on questions it was not fitted on.

    No sum tells a swapped answer from an honest one, so the linear estimate rests on honest ones, and the trees see both.
    """
    alone = honest.astype(float)
    ridge = fitted(Ridge(ALPHA), inputs, target, alone)
    if wide is None:
        return ridge, None
    left = target - held_out(lambda: Ridge(ALPHA), inputs, target, groups, alone)
    return ridge, fitted(booster(), wide, left, weights_of(honest))


def _doubt_limit(doubt: np.ndarray, errors: np.ndarray) -> float:
    """The smallest doubt from which on the estimates are within one level too rarely; infinite where there is none."""
    order = np.argsort(-doubt)
    within = np.cumsum(np.round(errors[order]) <= 1) / np.arange(1, len(order) + 1)
    poor = [i for i in range(ABSTAIN_LEAST - 1, len(order)) if within[i] < ABSTAIN_WITHIN_ONE]
    return float(doubt[order[poor[-1]]]) if poor else math.inf


def _fit_points(data: Data, kept: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    inputs, target = [], []
    for place, i in enumerate(kept):
        made = data.rows[i].covered
        if made is not None and not data.swapped[i]:
            inputs.append(np.column_stack(point_inputs(data.readings[i].points, float(coverage[place]))))
            target += [p + 1 in made for p in range(len(inputs[-1]))]
    model = LogisticRegression(C=10.0, fit_intercept=False, max_iter=2000).fit(np.vstack(inputs), target)
    weights: np.ndarray = model.coef_[0].astype(np.float32)
    return weights
