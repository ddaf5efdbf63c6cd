"""The judge that needs no key and no network: a small cross-encoder, a linear decision, and the words that moved it.

It abstains where it cannot tell: on answers in other languages, on very short ones, on criteria it was not trained for, and
where its own expected error is too large.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from coach.fingerprints import digest, digest_of
from coach.judges.cross_encoder import FLAGS, GRAPH, CrossEncoder, Reading
from coach.judges.decision import CRITERIA, DATA, Decision, Scores, decide, level_shares, load_decision
from coach.judges.features import FEATURES_VERSION, answer_features, answer_vectors, flag_signs, stance_differs
from coach.judges.flag_patterns import flags_by_wording
from coach.judges.lexicon import LEXICON
from coach.landmarks import model_comes_first
from coach.lexical import words
from coach.models import (
    MAX_LEVEL,
    Abstained,
    Evidence,
    Judged,
    Judgement,
    JudgeTask,
    PointStatus,
    PointVerdict,
    RaisedFlag,
    Segment,
    Span,
    Verdict,
)
from coach.report import JudgeKind

MIN_WORDS = 20
"""Fewer words hold too little for an estimate to mean anything; of the labelled answers 1% are shorter."""
QUOTES = 2
"""Segments shown per criterion."""
COVERED, PARTIAL = 0.65, 0.40
"""Probabilities from which a point counts as covered or partly so; see evals/README.md for how often that holds."""
REJECTED, CLOSE = 0.30, 0.55
"""A point that is improbable although a passage is this close and takes the other stance counts as contradicted."""
OFF_TOPIC_CLEAR = 0.5
"""Cosine with the expert answer from which an answer cannot be off topic for this judge, whatever the network says."""
FLAG_TOTAL = 45.0
"""Estimated total above which wording alone raises no flag: of the labelled answers with a flag nine in ten lie below it."""
UNFRAMED = 0.5
"""Estimated level of product framing below which an answer that opens with a technique counts as model-first."""
TOLD = 0.3
"""What the trees add to a level, from which a rationale says so."""
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


class _Estimate(NamedTuple):
    """All that one answer's verdicts are made from."""

    task: JudgeTask
    decision: Decision
    reading: Reading
    scores: Scores


class OfflineJudge:
    """Network, features and a linear decision; no LLM.

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
                OFF_TOPIC_CLEAR,
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
        estimate = _Estimate(task, self._decision, reading, scores)
        return Judgement(
            verdicts=tuple(_verdict(estimate, c.id) for c in task.rubric.criteria),
            red_flags=_flags(estimate),
            points=_points(task, scores),
            warnings=(ESTIMATE,),
        )


def _cannot_tell(task: JudgeTask) -> str:
    if any(f.check == "other_language" for f in task.findings):
        return "the answer seems not to be in English, which is all this judge was trained on."
    if len(words(task.answer)) < MIN_WORDS:
        return f"the answer has fewer than {MIN_WORDS} words."
    return ""


def _verdict(estimate: _Estimate, criterion: str) -> Verdict:
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
    moved = _moved(estimate, level_shares(estimate.decision, index, estimate.reading))
    return Judged(
        criterion_id=criterion,
        level=level,
        evidence=tuple(_quote(s) for s in moved.up) if level else (),
        rationale=_rationale(estimate, index, band, moved),
        band=(min(band[0], level), max(band[1], level)),
    )


class _Moved(NamedTuple):
    """Segments that raise an estimate above what the rest of the answer would give, and the one that lowers it most."""

    up: tuple[Segment, ...]
    """In the order of the answer; never empty."""
    down: Segment | None


def _moved(estimate: _Estimate, shares: np.ndarray) -> _Moved:
    added = per_segment(estimate.task.segments, estimate.reading.offsets, shares)
    order = np.argsort(-added, kind="stable")
    best = sorted(int(i) for i in order[:QUOTES] if added[i] > 0) or [int(order[0])]
    lowest = int(order[-1])
    segments = estimate.task.segments
    return _Moved(tuple(segments[i] for i in best), segments[lowest] if added[lowest] < 0 else None)


def per_segment(segments: Sequence[Segment], offsets: Sequence[tuple[int, int]], shares: np.ndarray) -> np.ndarray:
    """What each segment adds beyond an average stretch of its length, shape (number of segments,).

    Args:
        segments: of the answer, at least one.
        offsets: start and end of each token read.
        shares: shape (tokens,), what each adds to the sum.
    """
    starts = np.array([s.start for s in segments])
    owner = np.clip(np.searchsorted(starts, np.array([o[0] for o in offsets]), side="right") - 1, 0, None)
    found = np.zeros(len(segments))
    np.add.at(found, owner, shares - shares.mean())
    return found


def _quote(segment: Segment) -> Evidence:
    return Evidence(quote=segment.text, start=segment.start, end=segment.end)


def _rationale(estimate: _Estimate, index: int, band: tuple[float, float], moved: _Moved) -> str:
    """What moved the estimate of a criterion and what was counted. It says no more than the numbers do."""
    task, criterion = estimate.task, CRITERIA[index]
    value, put_right = float(estimate.scores.levels[index]), float(estimate.scores.put_right[index])
    signs = [f"{_WORDS_FOR[name]} {len(LEXICON[name].findall(task.answer))}x" for name in _SIGNS.get(criterion, ())]
    told = [f"Estimated {value:.1f}, in four of five such answers {band[0]:g} to {band[1]:g}."]
    raised = f"raised most by {_shown(moved.up[0])}" if round(value) else ""
    lowered = f"lowered most by {_shown(moved.down)}" if moved.down else ""
    told.append(_sentence(", ".join(filter(None, [raised, lowered]))))
    if signs:
        told.append(f"Wording found: {', '.join(signs)}.")
    if abs(put_right) >= TOLD:
        more = "more" if put_right > 0 else "less"
        told.append(f"Taken together, words and counts give {abs(put_right):.1f} {more} than one by one.")
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


def _flags(estimate: _Estimate) -> tuple[RaisedFlag, ...]:
    """Flags the decision is sure of, as far as code bears them out; on a poor answer also those that wording or order show."""
    decision, task = estimate.decision, estimate.task
    worded = flags_by_wording(task.segments)
    raised = {
        flag
        for index, flag in enumerate(FLAGS)
        if estimate.scores.log_odds[index] >= decision.thresholds[index] and _borne_out(flag, task)
    }
    if _estimated_total(estimate) <= FLAG_TOTAL:
        raised |= worded.keys()
        if _opens_with_model(estimate):
            raised.add("model_first")
    return tuple(
        RaisedFlag(id=f.id, evidence=(_flag_evidence(estimate, f.id, FLAGS.index(f.id), worded.get(f.id)),))
        for f in task.rubric.red_flags
        if f.id in raised
    )


def _opens_with_model(estimate: _Estimate) -> bool:
    """A technique in the very first segment, and hardly any framing estimated for the whole."""
    task = estimate.task
    technique = task.matches.landmarks.model
    framing = estimate.scores.levels[CRITERIA.index("product_framing")]
    opens = technique is not None and technique.start < task.segments[0].end
    return bool(opens and model_comes_first(task.matches.landmarks) and framing < UNFRAMED)


def _estimated_total(estimate: _Estimate) -> float:
    """Total that the unrounded levels stand for, 0..100."""
    known = [
        (c.weight, estimate.scores.levels[CRITERIA.index(c.id)])
        for c in estimate.task.rubric.criteria
        if c.id in CRITERIA
    ]
    weight = sum(w for w, _ in known)
    return 100.0 * float(sum(w * level for w, level in known)) / (MAX_LEVEL * weight) if weight else 0.0


def _flag_evidence(estimate: _Estimate, flag: str, index: int, worded: Span | None) -> Evidence:
    """The words that show it by themselves; else where the technique is named; else the segment the network minds most."""
    task = estimate.task
    technique = task.matches.landmarks.model
    if worded is not None:
        return Evidence(quote=task.answer[worded.start : worded.end], start=worded.start, end=worded.end)
    if flag == "model_first" and technique is not None:
        return _quote(next(s for s in task.segments if s.start <= technique.start < s.end))
    added = per_segment(task.segments, estimate.reading.offsets, estimate.reading.flag_tokens[:, index])
    return _quote(task.segments[int(np.argmax(added))])


def _borne_out(flag: str, task: JudgeTask) -> bool:
    """Flags that code can check must pass that check too."""
    if flag == "model_first":
        return model_comes_first(task.matches.landmarks)
    if flag == "off_topic":
        return task.matches.similarity < OFF_TOPIC_CLEAR
    return True


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
