"""The judge that needs no key and no network: features, a trained linear decision, and the words that moved it.

It abstains where it cannot tell: on answers in other languages, on very short ones, and on criteria it was not trained for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coach.fingerprints import digest, digest_of
from coach.judges.decision import Decision, Scores, contributions, covered_probability, decide, load_decision
from coach.judges.features import FEATURES_VERSION, model_inputs, point_features, stance_differs
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
    Verdict,
)
from coach.report import JudgeKind

MIN_WORDS = 20
"""Fewer words hold too little for features to mean anything; of the labelled answers 1% are shorter."""
QUOTES = 2
"""Segments shown per criterion."""
COVERED, PARTIAL = 0.65, 0.40
"""Probabilities from which a point counts as covered or partly so; see evals/README.md for how often that holds."""
REJECTED, CLOSE = 0.30, 0.55
"""A point that is improbable although a passage is this close and takes the other stance counts as contradicted."""
FLAG_TOTAL = 45.0
"""Estimated total above which no flag is raised: by their labels, nine in ten answers with a flag lie below it, for ten of
the thirteen flags, so a flag on a better answer is mostly wrong. Checks of the screen are not bound by it."""
UNFRAMED = 0.5
"""Estimated level of product framing below which an answer that opens with a technique counts as model-first."""
OFF_TOPIC_CLEAR = 0.5
"""Cosine with the expert answer from which an answer cannot be off topic for this judge, whatever its features."""

ESTIMATE = (
    "Levels are estimates of a small model trained on labelled answers: right to one level in five cases of six on "
    "questions it had not seen. Marked are the passages that raised an estimate most."
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


class OfflineJudge:
    """Rules and features, no LLM.

    Args:
        decision: trained weights; the shipped ones when not given.
    """

    kind: JudgeKind = "offline"
    name = "linear"
    model: str | None = None
    prompt_fingerprint = digest("")

    def __init__(self, decision: Decision | None = None) -> None:
        self._decision = decision or load_decision()

    @property
    def fingerprint(self) -> str:
        """Digest of weights, features and thresholds."""
        return digest_of(
            [self._decision.digest, FEATURES_VERSION, MIN_WORDS, COVERED, PARTIAL, REJECTED, CLOSE, FLAG_TOTAL]
        )

    async def judge(self, task: JudgeTask) -> Judgement:
        """See `Judge.judge`."""
        return self.judge_now(task)

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
        scores = decide(self._decision, *model_inputs(task))
        coverage = float(scores.levels[self._decision.criteria.index("expert_coverage")])
        return Judgement(
            verdicts=tuple(_verdict(self._decision, task, c.id, scores.levels) for c in task.rubric.criteria),
            red_flags=_flags(self._decision, task, scores),
            points=_points(self._decision, task, coverage),
            warnings=(ESTIMATE,),
        )


def _cannot_tell(task: JudgeTask) -> str:
    if any(f.check == "other_language" for f in task.findings):
        return "the answer seems not to be in English, which is all this judge was trained on."
    if len(words(task.answer)) < MIN_WORDS:
        return f"the answer has fewer than {MIN_WORDS} words."
    return ""


def _verdict(decision: Decision, task: JudgeTask, criterion: str, levels: Sequence[float] | np.ndarray) -> Verdict:
    if criterion not in decision.criteria:
        return Abstained(criterion_id=criterion, reason="This judge was not trained on this criterion.")
    index = decision.criteria.index(criterion)
    value = float(levels[index])
    level = round(value)
    width = float(decision.errors[index])
    band = (round(max(0.0, value - width), 1), round(min(float(MAX_LEVEL), value + width), 1))
    evidence = _evidence(decision, task, index) if level else ()
    return Judged(
        criterion_id=criterion,
        level=level,
        evidence=evidence,
        rationale=_rationale(criterion, task, value, band),
        band=(min(band[0], level), max(band[1], level)),
    )


def _evidence(decision: Decision, task: JudgeTask, target: int, count: int = QUOTES) -> tuple[Evidence, ...]:
    """The segments that raise a target most, in the order of the answer."""
    added = contributions(decision, target, np.asarray(task.matches.vectors)[:-1])
    best = sorted(int(i) for i in np.argsort(-added)[:count])
    chosen = [task.segments[i] for i in best]
    return tuple(Evidence(quote=s.text, start=s.start, end=s.end) for s in chosen)


def _rationale(criterion: str, task: JudgeTask, value: float, band: tuple[float, float]) -> str:
    """What was counted. It says no more than the numbers do."""
    signs = [f"{_WORDS_FOR[name]} {len(LEXICON[name].findall(task.answer))}x" for name in _SIGNS.get(criterion, ())]
    counted = f" Counted: {', '.join(signs)}." if signs else ""
    order = ""
    if criterion == "product_framing" and task.matches.landmarks.model is not None:
        order = (
            " A technique is named before any objective."
            if model_comes_first(task.matches.landmarks)
            else " The objective comes before the first technique."
        )
    return f"Estimated {value:.1f}, in four of five such answers {band[0]:g} to {band[1]:g}.{counted}{order}"


def _flags(decision: Decision, task: JudgeTask, scores: Scores) -> tuple[RaisedFlag, ...]:
    """Flags the decision is sure of, and those the wording shows; none on an answer that is estimated to be good."""
    if _estimated_total(decision, task, scores) > FLAG_TOTAL:
        return ()
    raised = {
        flag: _flag_evidence(decision, task, flag, i)
        for i, (flag, odds, least) in enumerate(zip(decision.flags, scores.log_odds, decision.thresholds, strict=True))
        if odds >= least and _borne_out(flag, task)
    }
    for flag, span in flags_by_wording(task.segments).items():
        quote = Evidence(quote=task.answer[span.start : span.end], start=span.start, end=span.end)
        raised.setdefault(flag, (quote,))
    if _opens_with_model(decision, task, scores):
        raised.setdefault("model_first", _flag_evidence(decision, task, "model_first", 0))
    return tuple(RaisedFlag(id=f.id, evidence=raised[f.id]) for f in task.rubric.red_flags if f.id in raised)


def _opens_with_model(decision: Decision, task: JudgeTask, scores: Scores) -> bool:
    """A technique in the very first segment, and hardly any framing estimated for the whole."""
    technique = task.matches.landmarks.model
    framing = scores.levels[decision.criteria.index("product_framing")]
    opens = technique is not None and technique.start < task.segments[0].end
    return bool(opens and model_comes_first(task.matches.landmarks) and framing < UNFRAMED)


def _estimated_total(decision: Decision, task: JudgeTask, scores: Scores) -> float:
    """Total that the unrounded levels stand for, 0..100."""
    known = [
        (c.weight, scores.levels[decision.criteria.index(c.id)])
        for c in task.rubric.criteria
        if c.id in decision.criteria
    ]
    weight = sum(w for w, _ in known)
    return 100.0 * float(sum(w * level for w, level in known)) / (MAX_LEVEL * weight) if weight else 0.0


def _flag_evidence(decision: Decision, task: JudgeTask, flag: str, index: int) -> tuple[Evidence, ...]:
    technique = task.matches.landmarks.model
    if flag == "model_first" and technique is not None:
        named = next(s for s in task.segments if s.start <= technique.start < s.end)
        return (Evidence(quote=named.text, start=named.start, end=named.end),)
    return _evidence(decision, task, len(decision.criteria) + index, count=1)


def _borne_out(flag: str, task: JudgeTask) -> bool:
    """Flags that code can check must pass that check too."""
    if flag == "model_first":
        return model_comes_first(task.matches.landmarks)
    if flag == "off_topic":
        return task.matches.similarity < OFF_TOPIC_CLEAR
    return True


def _points(decision: Decision, task: JudgeTask, coverage: float) -> tuple[PointVerdict, ...]:
    if not task.matches.points:
        return ()
    probabilities = covered_probability(decision, point_features(task), coverage)
    found = []
    for match, probability in zip(task.matches.points, probabilities, strict=True):
        status: PointStatus = (
            "covered" if probability >= COVERED else "partial" if probability >= PARTIAL else "missing"
        )
        close = bool(match.passages) and match.passages[0].cosine >= CLOSE
        if probability < REJECTED and close and stance_differs(match, task.answer):
            status = "contradicted"
        found.append(PointVerdict(id=match.point.id, status=status))
    return tuple(found)
