"""An answer in numbers: discourse, order, stance and closeness to the expert's points. No decision is made here."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from coach.judges.flag_patterns import flags_by_wording
from coach.judges.lexicon import LEXICON, PLACED, TOGETHER
from coach.landmarks import model_comes_first
from coach.lexical import words
from coach.models import JudgeTask, PointMatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES_VERSION = 3
"""Raised when a feature changes meaning; a trained decision of another version is refused."""
NEVER = 1.2
"""Place, as a share of the answer, of a term that never comes: a little behind its end."""
SIGNS = (
    "short_term_metrics",
    "engagement_is_truth",
    "panic_response",
    "hype",
    "model_comes_first",
    "similarity",
    "topicality",
)
"""What `flag_signs` holds: flags shown by wording, then order, then closeness."""

_NEGATION = LEXICON["negation"]


class Features(NamedTuple):
    """Numbers of one answer with their names; `values[i]` belongs to `names[i]`."""

    names: tuple[str, ...]
    values: NDArray[np.float32]


def answer_features(task: JudgeTask) -> Features:
    """Features of the answer as a whole, shape (f,); the same names for every answer."""
    found = {**_shape(task), **_terms(task), **_closeness(task)}
    return Features(tuple(found), np.array(list(found.values()), dtype=np.float32))


def _shape(task: JudgeTask) -> dict[str, float]:
    text, said = task.answer, words(task.answer)
    n = max(1, len(said))
    return {
        "log_words": float(np.log(n)),
        "segments": len(task.segments),
        "words_per_segment": n / max(1, len(task.segments)),
        "distinct": len(set(said)) / n,
        "commas": text.count(",") / n,
        "numbers": len(re.findall(r"\d+", text)),
        "numbers_share": len(re.findall(r"\d+", text)) / n,
        "questions": text.count("?") / n,
        "semicolons": text.count(";"),
        "colons": text.count(":"),
        "lines": text.count("\n"),
        "word_length": sum(map(len, said)) / n,
        "quotes": len(re.findall(r'["“]', text)),
        "brackets": text.count("("),
        "model_first": float(model_comes_first(task.matches.landmarks)),
    }


def _terms(task: JudgeTask) -> dict[str, float]:
    n = max(1, len(words(task.answer)))
    length = max(1, len(task.answer))
    found: dict[str, float] = {}
    for name, pattern in LEXICON.items():
        starts = [m.start() for m in pattern.finditer(task.answer)]
        found[f"{name}_rate"] = 100 * len(starts) / n
        found[f"{name}_count"] = len(starts)
        if name in PLACED:
            found[f"{name}_place"] = starts[0] / length if starts else NEVER
    paired = {name: LEXICON[name] for pair in TOGETHER for name in pair}
    present = [{name for name, pattern in paired.items() if pattern.search(s.text)} for s in task.segments]
    for first, second in TOGETHER:
        both = sum(first in p and second in p for p in present)
        found[f"{first}_with_{second}"] = both / max(1, len(present))
    return found


def _closeness(task: JudgeTask) -> dict[str, float]:
    cosines = sorted(m.passages[0].cosine if m.passages else 0.0 for m in task.matches.points) or [0.0]
    overlaps = [max((p.overlap for p in m.passages), default=0.0) for m in task.matches.points] or [0.0]
    return {
        "similarity": task.matches.similarity,
        "topicality": task.matches.topicality,
        "cosine_mean": float(np.mean(cosines)),
        "cosine_low": cosines[0],
        "cosine_high": cosines[-1],
        "overlap_mean": float(np.mean(overlaps)),
        "overlap_high": max(overlaps),
    }


@cache
def feature_names() -> tuple[str, ...]:
    """Names of `answer_features`, in order."""
    from coach.models import Landmarks, Matches, Question, Rubric

    empty = JudgeTask(
        Question(question="?", reference="."),
        Rubric(criteria=(), red_flags=()),
        "",
        (),
        Matches((), Landmarks(), 0.0, 0.0),
    )
    return answer_features(empty).names


def flag_signs(task: JudgeTask) -> NDArray[np.float32]:
    """What wording, order and the encoder say of red flags, shape (len(SIGNS),), each about 0..1."""
    worded = flags_by_wording(task.segments)
    matches = task.matches
    order = float(model_comes_first(matches.landmarks))
    said = [float(name in worded) for name in SIGNS[:-3]]
    return np.array([*said, order, matches.similarity, matches.topicality], dtype=np.float32)


def answer_vectors(task: JudgeTask) -> NDArray[np.float32]:
    """The whole answer's vector and the mean over its segments', shape (2 d,)."""
    vectors = np.asarray(task.matches.vectors, dtype=np.float32)
    parts = vectors[:-1] if len(vectors) > 1 else vectors
    return np.concatenate([vectors[-1], parts.mean(axis=0)])


def stance_differs(match: PointMatch, answer: str) -> bool:
    """Whether the closest passage denies where the point affirms, or the other way round."""
    if not match.passages:
        return False
    passage = answer[match.passages[0].start : match.passages[0].end]
    return bool(_NEGATION.search(passage)) != bool(_NEGATION.search(match.point.text))
