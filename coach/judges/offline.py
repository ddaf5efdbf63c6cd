"""The judge that needs no key and no network: a small cross-encoder, a decision behind it, and the words that moved it.

It abstains where it cannot tell: on answers in other languages, on very short ones, on criteria it was not trained for, and
where its own expected error is too large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from coach.fingerprints import digest, digest_of
from coach.judgement import Abstained, Judged, Judgement, PointStatus, PointVerdict, Verdict
from coach.judges.cross_encoder import GRAPH, CrossEncoder, Reading
from coach.judges.decision import CRITERIA, DATA, Decision, Scores, decide, level_shares, load_decision
from coach.judges.estimate import QUOTES, Estimate, Moved, moved, quote
from coach.judges.features import FEATURES_VERSION, answer_features, answer_vectors, flag_signs, stance_differs
from coach.judges.lexicon import LEXICON
from coach.judges.raised import FLAG_TOTAL, UNFRAMED, raised_flags
from coach.landmarks import model_comes_first
from coach.lexical import words
from coach.models import MAX_LEVEL, JudgeTask, Segment
from coach.report import JudgeKind

MIN_WORDS = 20
"""Fewer words hold too little for an estimate to mean anything; of the labelled answers 1% are shorter."""
COVERED, PARTIAL = 0.65, 0.40
"""Probabilities from which a point counts as covered or partly so; see evals/README.md for how often that holds."""
REJECTED, CLOSE = 0.30, 0.55
"""A point that is improbable although a passage is this close and takes the other stance counts as contradicted."""
SHOWN = 60
"""Characters of a passage that a rationale repeats; the whole of it stands in the evidence."""

ESTIMATE = (
    "Levels are estimates of a small model trained on labelled answers, each with the band that holds the label in four of "
    "five answers to questions it had not seen. Marked are the passages that raised an estimate most."
)

_SIGNS = {
    "product_framing": ("goal", "user"),
    "tradeoffs": ("cost", "contrast", "condition"),
    "long_term_metrics": ("lasting", "saves", "clicks"),
    "systems_thinking": ("system",),
    "expert_coverage": (),
    "communication": ("example",),
}
_WORDS_FOR = {
    "goal": "purpose",
    "user": "people",
    "cost": "what is given up",
    "contrast": "contrast",
    "condition": "conditions",
    "lasting": "lasting value",
    "saves": "saves",
    "clicks": "short-term numbers",
    "system": "the running system",
    "example": "examples",
}


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
                QUOTES,
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
                warnings=(f"The offline judge abstains: {reason}",),
            )
        reading = self._reader.read(task.question.question, [p.text for p in task.question.points], task.answer)
        scores = decide(self._decision, reading, answer_features(task).values, flag_signs(task), answer_vectors(task))
        estimate = Estimate(task, self._decision, reading, scores)
        return Judgement(
            verdicts=tuple(_verdict(estimate, c.id) for c in task.rubric.criteria),
            red_flags=raised_flags(estimate),
            points=_points(task, scores),
            warnings=(ESTIMATE,),
        )


def _cannot_tell(task: JudgeTask) -> str:
    if any(f.check == "other_language" for f in task.findings):
        return "the answer seems not to be in English, which is all this judge was trained on."
    if len(words(task.answer)) < MIN_WORDS:
        return f"the answer has fewer than {MIN_WORDS} words."
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
    band = (round(max(0.0, value - width), 1), round(min(float(MAX_LEVEL), value + width), 1))
    moving = moved(estimate, level_shares(estimate.decision, index, estimate.reading))
    return Judged(
        criterion_id=criterion,
        level=level,
        evidence=tuple(quote(s) for s in moving.up) if level else (),
        rationale=_rationale(estimate, index, band, moving),
        band=(min(band[0], level), max(band[1], level)),
    )


def _rationale(estimate: Estimate, index: int, band: tuple[float, float], by: Moved) -> str:
    """What moved the estimate of a criterion and what was counted. It says no more than the numbers do."""
    task, criterion = estimate.task, CRITERIA[index]
    value, put_right = float(estimate.scores.levels[index]), float(estimate.scores.put_right[index])
    signs = [f"{_WORDS_FOR[name]} {len(LEXICON[name].findall(task.answer))}x" for name in _SIGNS.get(criterion, ())]
    told = [f"Estimated {value:.1f}, in four of five such answers {band[0]:g} to {band[1]:g}."]
    raised = f"raised most by {_shown(by.up[0])}" if round(value) else ""
    lowered = f"lowered most by {_shown(by.down)}" if by.down else ""
    told.append(_sentence(", ".join(filter(None, [raised, lowered]))))
    if signs:
        told.append(f"Wording found: {', '.join(signs)}.")
    alone = min(max(value - put_right, 0.0), float(MAX_LEVEL))
    if round(alone) != round(value):
        told.append(f"Word by word it comes to {alone:.1f}, and seen as a whole to {value:.1f}.")
    if criterion == "product_framing" and task.matches.landmarks.model is not None:
        first = model_comes_first(task.matches.landmarks)
        told.append(
            "A technique is named before any objective." if first else "The objective comes before the first technique."
        )
    return " ".join(filter(None, told))


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words else ""


def _shown(segment: Segment) -> str:
    text = " ".join(segment.text.split())
    return f"“{text if len(text) <= SHOWN else text[: SHOWN - 1].rstrip() + '…'}”"


def _points(task: JudgeTask, scores: Scores) -> tuple[PointVerdict, ...]:
    found = []
    for match, probability in zip(task.matches.points, scores.points, strict=True):
        status: PointStatus = (
            "covered" if probability >= COVERED else "partial" if probability >= PARTIAL else "missing"
        )
        close = bool(match.passages) and match.passages[0].cosine >= CLOSE
        if probability < REJECTED and close and stance_differs(match, task.answer):
            status = "contradicted"
        found.append(PointVerdict(id=match.point.id, status=status))
    return tuple(found)
