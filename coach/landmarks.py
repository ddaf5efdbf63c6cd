"""Where an answer first talks of objectives, constraints, models and metrics: model-first is a question of order.

A technique that is named only to be put off ("I would not start with a model") is no model talk, and neither is the
question's own wording ("a recommendation model", "the ML system").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from coach.casefree import CaseFree
from coach.models import Landmarks, Segment, Span

_OBJECTIVE = (
    r"objectives?|goals?|purpose|mission|what (?:is|are|'s|does|do|would|should) .{0,40}\b(?:for|want|mean|achieve|need)|"
    r"success (?:means?|is|looks|metric|criteri\w+)|(?:trying|want|wants|need|needs|hop\w+|came|come|comes) (?:to|for)\b|"
    r"user(?:s|'s)? (?:intent|need|value|goal|want|problem)s?|inspir\w+|discover\w*|satisf\w+|who (?:is it|are they|uses)|"
    r"helps? (?:people|users?|them|her|him|someone)|good (?:looks|means)|worth (?:it )?(?:to|for)|aims? (?:is|at|to)\b|the point of (?!sale|failure)|"
    r"(?:want|wants) (?:people|users?|customers?|readers?|visitors?|someone|somebody|them|her|him|everyone) (?:to|who)\b|"
    r"(?:matters?|counts?) (?:more|most) (?:to|for|than)\b|what (?:really |actually )?(?:matters|counts) (?:to|for|is)\b|"
    r"(?:people|users?|customers?|readers?|someone|somebody) (?:should|can|could|must) (?:find|leave|keep|come away|walk away|get|use|trust)"
)
_CONSTRAINT = (
    r"constraints?|latency|milliseconds?|\d+ ?ms\b|budgets?|scale|interpretab\w+|explainab\w+|fresh(?:ness)?|memory|"
    r"cost(?:s|ly)?\b|privacy|regulat\w+|stab(?:le|ility)|maintain\w*|team (?:size|of)|deadline|trade-?offs?"
)
_MODEL = (
    r"two[- ]tower\w*|towers?|transformers?|bert\w*|gpt\w*|llms?|neural (?:net\w*|model|rank\w*)|deep (?:learning|net\w*|model|neural\w*)|"
    r"cnns?|rnns?|lstms?|gnns?|graph neural\w*|pinsage|dlrm|wide (?:and|&) deep|xgboost|lightgbm|catboost|gbdts?|"
    r"(?:gradient[- ])?boost(?:ed|ing)(?: \w+)?|random forests?|decision trees?|logistic regression|linear (?:model|regression)|"
    r"matrix factori[sz]ation|collaborative filtering|als\b|svd\b|autoencoders?|clip\b|resnets?|vits?\b|word2vec|node2vec|"
    r"multi[- ]armed bandits?|attention(?: layers?)?|softmax|embedding (?:model|layer)s?|sequence models?|reinforcement learning"
)
_METRIC = (
    r"metrics?|kpis?|ctr\b|click[- ]through|ndcg|auc\b|precision|recall|rmse|map@?\d*\b|saves?\b|retention|sessions?|"
    r"dwell|conversion|engagement|a/b|return (?:rate|visits?)|churn"
)
_PATTERNS = {
    name: CaseFree(rf"(?<!\w)(?:{terms})")
    for name, terms in (
        ("objective", _OBJECTIVE),
        ("constraint", _CONSTRAINT),
        ("model", _MODEL),
        ("metric", _METRIC),
    )
}
_PUT_OFF = re.compile(
    r"\b(?:not|never|no|n't|without|before|instead of|rather than|avoid\w*|resist\w*|against|too early|wouldn't|don't|"
    r"later|only then|last)\b[^.;:]{0,60}$",
    re.IGNORECASE,
)
_REACH = 70
"""Characters before a technique in which a word that puts it off counts."""
RULES = (_OBJECTIVE, _CONSTRAINT, _MODEL, _METRIC, _PUT_OFF.pattern, _REACH)
"""All that decides here; enters the offline judge's fingerprint."""


def find_landmarks(segments: Sequence[Segment]) -> Landmarks:
    """First mention of each kind of talk, as spans of the words themselves; None where it never comes."""
    found: dict[str, Span] = {}
    for segment in segments:
        for name, pattern in _PATTERNS.items():
            if name not in found and (span := _first(pattern, segment, skip_put_off=name == "model")):
                found[name] = span
    return Landmarks(**found)


def _first(pattern: CaseFree, segment: Segment, *, skip_put_off: bool) -> Span | None:
    for start, end in pattern.spans(segment.text):
        if not (skip_put_off and _PUT_OFF.search(segment.text[max(0, start - _REACH) : start])):
            return Span(segment.start + start, segment.start + end)
    return None


def model_comes_first(landmarks: Landmarks) -> bool:
    """Whether a technique is named before any objective or constraint."""
    if landmarks.model is None:
        return False
    framing = [span.start for span in (landmarks.objective, landmarks.constraint) if span is not None]
    return not framing or landmarks.model.start < min(framing)
