"""The judge that needs no key and no network: a small cross-encoder, a decision behind it, and the words that moved it.

It abstains where it cannot tell: on answers in other languages, on very short ones, on criteria it was not trained for, and
where its own expected error is too large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from coach import landmarks
from coach.fingerprints import digest, digest_of
from coach.judgement import Abstained, Judged, Judgement, PointStatus, PointVerdict, Verdict
from coach.judges import flag_patterns, lexicon
from coach.judges.cross_encoder import GRAPH, MAX_WINDOWS, MIN_ROOM, UNREAD, CrossEncoder, Reading
from coach.judges.decision import CRITERIA, DATA, Decision, Scores, decide, level_shares, load_decision
from coach.judges.estimate import QUOTES, Estimate, Moved, moved, quote
from coach.judges.features import FEATURES_VERSION, answer_features, answer_vectors, flag_signs, stance_differs
from coach.judges.raised import FLAG_TOTAL, ON_TOPIC, UNFRAMED, raised_flags
from coach.lexical import shorten, words
from coach.models import MAX_LEVEL, JudgeTask, Landmarks
from coach.report import JudgeKind

MIN_WORDS = 20
"""Fewer words hold too little for an estimate to mean anything; hardly any of the labelled answers is shorter."""
COVERED, PARTIAL = 0.65, 0.40
"""Probabilities from which a point counts as covered or partly so; see evals/figures.md for how often that holds."""
REJECTED, CLOSE = 0.30, 0.55
"""A point that is improbable although a passage is this close and takes the other stance counts as contradicted."""
SHOWN = 60
"""Characters of a passage that a rationale repeats; the whole of it stands in the evidence."""
SOUND = 3
"""Level from which a rationale no longer tells what lowers it: what stands there is mostly right."""

ESTIMATE = (
    "Levels are estimates of a small model trained on labelled answers, each with the range that holds the label in four of "
    "five answers to questions it had not seen; the total's range, before caps, holds as many. Marked are the passages that "
    "count most for each estimate."
)


class Reader(Protocol):
    """Reads an answer beside what the expert says; `CrossEncoder` is the one shipped."""

    def read(self, question: str, points: Sequence[str], answer: str) -> Reading:
        """See `CrossEncoder.read`."""


class OfflineJudge:
    """Network, features and a trained decision; no LLM.

    Args:
        decision: trained weights; the shipped ones when not given.
        reader: the network; the shipped one when not given, loaded at its first use.

    Raises:
        CoachError: the shipped files are missing or damaged.
    """

    kind: JudgeKind = "offline"
    name = "cross-encoder"
    model: str | None = None
    prompt_fingerprint = digest("")

    def __init__(self, decision: Decision | None = None, reader: Reader | None = None) -> None:
        self._decision = decision or load_decision()
        self._reader = reader or CrossEncoder(DATA / GRAPH)
        self.fingerprint = digest_of(
            [
                self._decision.digest,
                FEATURES_VERSION,
                MIN_WORDS,
                COVERED,
                PARTIAL,
                REJECTED,
                CLOSE,
                FLAG_TOTAL,
                UNFRAMED,
                ON_TOPIC,
                QUOTES,
                MIN_ROOM,
                MAX_WINDOWS,
                flag_patterns.RULES,
                landmarks.RULES,
                lexicon.RULES,
            ]
        )

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`."""
        return await asyncio.to_thread(self.judge_now, task)

    async def aclose(self) -> None:
        """Nothing is open."""

    def judge_now(self, task: JudgeTask) -> Judgement:
        """The same, for callers without an event loop."""
        reason = _cannot_tell(task)
        if reason:
            return Judgement(
                verdicts=tuple(Abstained(criterion_id=c.id, reason=reason) for c in task.rubric.criteria),
                points=tuple(PointVerdict(id=p.id, status="missing") for p in task.question.points),
            )
        reading = self._reader.read(task.question.question, [p.text for p in task.question.points], task.answer)
        scores = decide(self._decision, reading, answer_features(task).values, flag_signs(task), answer_vectors(task))
        estimate = Estimate(task, self._decision, reading, scores)
        return Judgement(
            verdicts=tuple(_verdict(estimate, c.id) for c in task.rubric.criteria),
            red_flags=raised_flags(estimate),
            points=_points(task, scores, reading),
            warnings=(ESTIMATE, *_unread(reading)),
        )


def _unread(reading: Reading) -> tuple[str, ...]:
    count = int(np.sum(reading.points <= UNREAD))
    if not count:
        return ()
    whole = len(reading.points)
    return (
        f"The last {count} of {whole} expert points were not looked for and are shown as missing: the offline judge has no "
        "room for so many. Shorten the reference answer, or ask an LLM judge.",
    )


def _cannot_tell(task: JudgeTask) -> str:
    if any(f.check == "other_language" for f in task.findings):
        return "The answer seems not to be in English, which is all the offline judge was trained on. An LLM judge may read it."
    count = len(words(task.answer))
    if count < MIN_WORDS:
        return f"The answer has {count} words; the offline judge needs {MIN_WORDS}. Write more, or ask an LLM judge."
    return ""


def _verdict(estimate: Estimate, criterion: str) -> Verdict:
    if criterion not in CRITERIA:
        return Abstained(criterion_id=criterion, reason="This judge was not trained on this criterion.")
    index = CRITERIA.index(criterion)
    value, doubt = float(estimate.scores.levels[index]), float(estimate.scores.doubts[index])
    if doubt >= estimate.decision.doubt_limits[index]:
        return Abstained(
            criterion_id=criterion,
            reason=f"The estimate {value:.1f} is too unsure: answers like this are off by {doubt:.1f} levels on average.",
        )
    level = round(value)
    width = doubt * float(estimate.decision.band_factors[index])
    band = (round(max(0.0, min(value - width, level)), 1), round(min(float(MAX_LEVEL), max(value + width, level)), 1))
    moving = moved(estimate, level_shares(estimate.decision, index, estimate.reading))
    return Judged(
        criterion_id=criterion,
        level=level,
        evidence=tuple(quote(s) for s in moving.up) if level else (),
        rationale=_rationale(estimate, index, level, band, moving),
        band=band,
    )


def _rationale(estimate: Estimate, index: int, level: int, band: tuple[float, float], by: Moved) -> str:
    """What the level means, how sure it is and what moved it. It says no more than the numbers do."""
    task, criterion = estimate.task, CRITERIA[index]
    meaning = next(c.criterion for c in task.rubric.criteria if c.id == criterion).levels[level].descriptor
    told = [
        f"{meaning[0].upper()}{meaning[1:].rstrip('.')}. Four in five such answers lie between {band[0]:g} and {band[1]:g}."
    ]
    if level and by.raises:
        told.append(f"Raised most by “{shorten(by.up[0].text, SHOWN)}”.")
    if level < SOUND and by.down:
        told.append(f"Lowered most by “{shorten(by.down.text, SHOWN)}”.")
    alone = round(float(estimate.scores.alone[index]))
    if alone != level:
        told.append(f"Its words one by one come to level {alone}, the answer as a whole to {level}.")
    if criterion == "product_framing":
        told.append(_order(task.answer, task.matches.landmarks))
    return " ".join(filter(None, told))


def _order(answer: str, found: Landmarks) -> str:
    """Whether a technique is named before any goal or constraint. The reverse is not told: the words of a goal are weak."""
    if found.model is None or not landmarks.model_comes_first(found):
        return ""
    technique = answer[found.model.start : found.model.end]
    return f"No goal or constraint is found before the first technique, “{technique}”."


def _points(task: JudgeTask, scores: Scores, reading: Reading) -> tuple[PointVerdict, ...]:
    found = []
    for match, probability, log_odds in zip(task.matches.points, scores.points, reading.points, strict=True):
        status: PointStatus = (
            "covered" if probability >= COVERED else "partial" if probability >= PARTIAL else "missing"
        )
        close = bool(match.passages) and match.passages[0].cosine >= CLOSE
        if log_odds > UNREAD and probability < REJECTED and close and stance_differs(match, task.answer):
            status = "contradicted"
        found.append(PointVerdict(id=match.point.id, status=status))
    return tuple(found)
