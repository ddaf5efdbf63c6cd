"""Terms the offline judge counts, by what they are a sign of. Signs, not verdicts: the decision weighs them together."""

from __future__ import annotations

import re

_TERMS = {
    "reason": r"because|since|so that|therefore|which is why|that's why|the reason|otherwise|hence",
    "contrast": (
        r"but|however|although|though|whereas|instead|rather than|yet|while|not just|on the other hand|even if|despite|against"
    ),
    "condition": r"if|when|unless|depends?|depending|until|where|in case|as long as",
    "cost": (
        r"costs?|g[ai]ve up|giving up|sacrific\w+|at the expense|trade-?offs?|lost|loses?|pays?|paid|price|worse|slower|"
        r"downside|expensive|cheap\w*|budget|risk\w*"
    ),
    "example": r"for example|for instance|e\.g|say|suppose|imagine|once|last year|at a|i worked|we had|we saw|my|our",
    "user": (
        r"users?|people|person|someone|somebody|members?|visitors?|readers?|she|her|they|customer\w*|shopper\w*|audience|him|he"
    ),
    "goal": (
        r"goals?|purpose|objective|success|aim|for what|trying to|inspir\w+|discover\w*|intent|want\w*|need\w*|helps?|useful|value"
    ),
    "lasting": (
        r"long[- ]term|retention|weeks?|months?|quarters?|return\w*|come back|came back|repeat|years?|later|over time|"
        r"sustain\w*|longitudinal|lasting|habit"
    ),
    "saves": r"saves?|saved|saving|boards?|kept|keep",
    "clicks": r"clicks?|ctr|click-through|taps?|engagement|views?|watch time|impressions?",
    "offline": r"offline|ndcg|auc|precision|recall|hold-?out|test set|validation|accuracy|f1|map|rmse",
    "online": r"online|a/b|experiment\w*|live|tests?|tested",
    "system": (
        r"monitor\w*|alerts?|pipelines?|rollbacks?|roll\w* back|owner\w*|on-?call|logs?|logging|drift\w*|dashboards?|deploy\w*|"
        r"canary|shadow|version\w*|loops?|retrain\w*|refresh\w*|stages?|latency|guardrails?|switch|flag|release\w*"
    ),
    "absolute": (
        r"always|never|best|only|every|all|must|obviously|clearly|simply|just|guarantee\w*|no need|of course|everyone|nothing|"
        r"perfect\w*|solves?|definitely"
    ),
    "hype": (
        r"revolution\w*|cutting[- ]edge|world[- ]class|leverag\w*|synerg\w*|unlock\w*|empower\w*|game[- ]chang\w*|"
        r"state[- ]of[- ]the[- ]art|holistic|paradigm|excit\w*|amazing|incredible|passion\w*|transform\w*|next[- ]gen\w*|"
        r"agentic|democrati\w*|seamless\w*|supercharg\w*"
    ),
    "model": (
        r"transformers?|bert|xgboost|lightgbm|neural|deep|network|two-tower|towers?|gnn|embeddings?|matrix factorization|"
        r"boost\w*|trees?|layers?|attention|llms?|gpt\w*|model\w*|algorithm\w*"
    ),
    "explore": r"explor\w*|random\w*|bandit\w*|epsilon|unfamiliar|new things|divers\w*|varied|variety|broad\w*",
    "negation": r"not|no|\w+n't|never|without|nor|none|hardly|little",
    "hedge": r"perhaps|maybe|might|may|could|i'd guess|probably|roughly|about|i think|seems?|likely",
    "self": r"i|i'd|i've|we|we'd|my|our|us|me",
    "others": r"they|their|them|team|teams|manager|colleague\w*|fault|blame\w*|wrong|ignorant|stupid|convinced|overruled",
    "order": r"first|second|third|then|next|finally|one|two|three",
}
LEXICON = {name: re.compile(rf"(?<!\w)(?:{terms})(?!\w)", re.IGNORECASE) for name, terms in _TERMS.items()}
RULES = tuple(sorted(_TERMS.items()))
"""Enters the offline judge's fingerprint."""

TOGETHER = (
    ("clicks", "negation"),
    ("clicks", "goal"),
    ("offline", "negation"),
    ("offline", "online"),
    ("absolute", "model"),
    ("clicks", "contrast"),
    ("offline", "absolute"),
    ("cost", "reason"),
    ("cost", "contrast"),
    ("saves", "clicks"),
    ("lasting", "clicks"),
    ("system", "negation"),
    ("explore", "negation"),
)
"""Pairs whose meeting in one sentence says more than either: clicks with a "not" beside them are mostly warned about."""
PLACED = ("goal", "model", "user", "clicks", "lasting", "offline")
"""Terms whose first place in the answer counts: does the purpose come before the technique?"""
