"""The red flags that the offline judge raises."""

from __future__ import annotations

import numpy as np

from coach.judgement import Evidence, RaisedFlag
from coach.judges.cross_encoder import FLAGS
from coach.judges.decision import CRITERIA
from coach.judges.estimate import Estimate, beyond_average, quote
from coach.judges.flag_patterns import flags_by_wording
from coach.landmarks import model_comes_first
from coach.models import MAX_LEVEL, Span

FLAG_TOTAL = 45.0
"""Estimated total above which wording alone raises no flag: of the labelled answers with a flag nine in ten lie below it."""
UNFRAMED = 0.5
"""Estimated level of product framing below which an answer that opens with a technique counts as model-first."""
ON_TOPIC = 2
"""Level of expert coverage from which an answer is on topic, whatever else speaks against it."""


def raised_flags(estimate: Estimate) -> tuple[RaisedFlag, ...]:
    """Flags that are more likely than not; on a poor answer also those that wording or order show."""
    task = estimate.task
    worded = flags_by_wording(task.segments)
    raised = {
        flag for index, flag in enumerate(FLAGS) if estimate.scores.log_odds[index] > 0.0 and _borne_out(flag, estimate)
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


def _opens_with_model(estimate: Estimate) -> bool:
    """A technique in the very first segment, and hardly any framing estimated for the whole."""
    task = estimate.task
    technique = task.matches.landmarks.model
    framing = estimate.scores.levels[CRITERIA.index("product_framing")]
    opens = technique is not None and technique.start < task.segments[0].end
    return bool(opens and model_comes_first(task.matches.landmarks) and framing < UNFRAMED)


def _estimated_total(estimate: Estimate) -> float:
    """Total that the unrounded levels stand for, 0..100."""
    known = [
        (c.weight, estimate.scores.levels[CRITERIA.index(c.id)])
        for c in estimate.task.rubric.criteria
        if c.id in CRITERIA
    ]
    weight = sum(w for w, _ in known)
    return 100.0 * float(sum(w * level for w, level in known)) / (MAX_LEVEL * weight) if weight else 0.0


def _flag_evidence(estimate: Estimate, flag: str, index: int, worded: Span | None) -> Evidence:
    """The words that show it by themselves; else where the technique is named; else the segment the network minds most."""
    task = estimate.task
    technique = task.matches.landmarks.model
    if worded is not None:
        return Evidence(quote=task.answer[worded.start : worded.end], start=worded.start, end=worded.end)
    if flag == "model_first" and technique is not None:
        return quote(next(s for s in task.segments if s.start <= technique.start < s.end))
    added = beyond_average(task.segments, estimate.reading.offsets, estimate.reading.flag_tokens[:, index])
    return quote(task.segments[int(np.argmax(added))])


def _borne_out(flag: str, estimate: Estimate) -> bool:
    """Whether the rest of the reading allows the flag.

    Nothing is model-first that names its purpose before, and nothing is off topic that says part of what the expert says.
    """
    if flag == "model_first":
        return model_comes_first(estimate.task.matches.landmarks)
    if flag == "off_topic":
        return round(float(estimate.scores.levels[CRITERIA.index("expert_coverage")])) < ON_TOPIC
    return True
