"""Figures of the offline judge on answers that its network has not seen and questions that its decision has not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from coach.evaluation.figures import twins
from coach.evaluation.grade import GradedRow, grade_rows
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import agreement
from coach.judges.cross_encoder import Reading
from coach.judges.decision import decide
from coach.judges.offline import COVERED, PARTIAL, OfflineJudge
from evals.training.data import Data
from evals.training.stack import fit_decision

FOLDS = 5
DOUBT_BINS = 5
_KINDS = {
    "negated": r"upside down|opposit|negat|invers|against e(?:very|ach)|argu(?:ing|es) (?:against|the|each)|contrarian"
    r"|denies the",
    "list": r"keyword|list of|list dressed|buzzword",
    "gibberish": r"gibberish|salad|mash|jumble",
    "injected": r"grader|inject|to the judge|instruction",
}
"""By the writer's words for the answer."""


class KnownReadings:
    """A reader that gives back what was read before."""

    def __init__(self, data: Data) -> None:
        self._known = {(t.question.question, t.answer): r for t, r in zip(data.tasks, data.readings, strict=True)}

    def read(self, question: str, points: Sequence[str], answer: str) -> Reading:
        """See `Reader.read`."""
        return self._known[question, answer]


def held_out_figures(data: Data, rows: Sequence[Labelled], styles: dict[str, str]) -> dict[str, Any]:
    """A decision fitted without a fold of questions grades the fold through the whole pipeline.

    Args:
        data: answers that reach the judge, read by a network that had seen none of them.
        rows: all answers, those that the screen decides included.
        styles: what kind of answer each row is, by id.

    Returns:
        Figures of `held_out_questions`, which the network had not seen either, and of `held_out_answers` to the bank's.
    """
    reader = KnownReadings(data)
    graded: list[GradedRow] = []
    probabilities, covered, doubts, errors = [], [], [], []
    for fit, test in GroupKFold(FOLDS, shuffle=True, random_state=1).split(data.features, groups=data.blocks):
        decision = fit_decision(data, fit)
        groups = {data.rows[i].group for i in test}
        graded += grade_rows(OfflineJudge(decision, reader), [r for r in rows if r.group in groups])
        for i in test[~data.swapped[test]]:
            if isinstance(data.rows[i].asked, str):
                continue
            scores = decide(decision, data.readings[i], data.features[i], data.signs[i], data.vectors[i])
            known = ~np.isnan(data.levels[i])
            doubts += list(scores.doubts[known])
            errors += list(np.abs(scores.levels[known] - data.levels[i][known]))
            made = data.rows[i].covered
            if made is not None:
                probabilities += list(scores.points)
                covered += [p + 1 in made for p in range(len(scores.points))]
    new = [g for g in graded if not isinstance(g.label.asked, str)]
    questions = agreement(new) | {
        "points": _points(np.array(probabilities), np.array(covered)),
        "reliability": reliability(np.array(doubts), np.array(errors)),
        "twins": twins(new),
        "above_two": above_two(new, styles),
    }
    return {
        "held_out_questions": questions,
        "held_out_answers": agreement([g for g in graded if isinstance(g.label.asked, str)]),
    }


def _points(probabilities: np.ndarray, covered: np.ndarray) -> dict[str, float]:
    return {
        "labelled_covered": round(float(covered.mean()), 3),
        "auc": round(float(roc_auc_score(covered, probabilities)), 3),
        "covered_holds": round(float(covered[probabilities >= COVERED].mean()), 3),
        "missing_yet_labelled_covered": round(float(covered[probabilities < PARTIAL].mean()), 3),
    }


def reliability(doubts: np.ndarray, errors: np.ndarray) -> list[dict[str, float]]:
    """Expected against actual absolute error, in bins of equal size, over all criteria."""
    parts = np.array_split(np.argsort(doubts), DOUBT_BINS)
    return [
        {
            "n": len(p),
            "expected_error": round(float(doubts[p].mean()), 2),
            "actual_error": round(float(errors[p].mean()), 2),
            "within_one": round(float((np.round(errors[p]) <= 1).mean()), 3),
        }
        for p in parts
    ]


def above_two(graded: Sequence[GradedRow], styles: dict[str, str]) -> dict[str, dict[str, int]]:
    """Of answers of the worst kinds that are labelled 2 or below and got a total: how many come out above 2."""
    poor = [g for g in graded if g.label.overall <= 2]
    kinds = {k: [g for g in poor if re.search(p, styles[g.label.id], re.IGNORECASE)] for k, p in _KINDS.items()}
    kinds["off topic"] = [g for g in poor if "off_topic" in g.label.red_flags]
    told = {}
    for kind, of_kind in kinds.items():
        signals = [g.report.overall for g in of_kind if g.report.overall is not None]
        told[kind] = {"n": len(signals), "above_two": sum(s > 2 for s in signals), "open": len(of_kind) - len(signals)}
    return told
