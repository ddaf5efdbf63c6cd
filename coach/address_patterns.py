"""What text addressed to a grader looks like, as patterns.

Honest answers speak of judges, reviewers, assistants, scores and prompts too, so a pattern needs an act of grading beside the
grader, a machine's markup, or words that nobody uses of anything else.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from coach.casefree import CaseFree

_GRADER = (
    r"(?:grader|evaluator|assessor|examiner|marker|judge|reviewer|scorer|scoring (?:system|model|script)|grading (?:system|model|script)"
    r"|language model|ai model|llm|assistant|whoever (?:grades|reads|marks|scores) this|automat\w+ (?:grad|scor|evaluat)\w+)"
)
_START = r"(?:^|(?<=[.!?\n(\[>*\"])|(?<=[.!?\])>*-] ))"
"""Where a sentence, a line or a bracket begins."""
_CERTAIN_GRADER = r"(?:grader|evaluator|assessor|examiner|marker|whoever (?:grades|reads|marks|scores) this)"
"""Words that an answer uses of hardly anybody else; judges, reviewers and assistants are what many questions are about."""
_AWARD = r"(?:award|give|assign|grant|grade|rate|score|mark|set|return|output|respond|report|record|pass|treat|consider|credit)"
_COMPLETE = (
    r"(?=\s*(?:[.!?;,:)\]\"'*\n]|$|/ ?\d|[–—-](?:\s|$)|(?:out of|overall|please|and|because|for|in|on|as|to|now|everywhere|throughout"
    r"|with|at least|regardless|always|across|without)\b))"
)
"""What follows a number that is a grade: it counts nothing ("five of them", "ten weeks")."""
_TOP = r"(?:full|maximum|top|highest|perfect) (?:marks?|credit|grade|rating|level|band|score)"
_PRIZE = (
    r"(?:(?:full|maximum|max|top|highest|perfect|best|excellent|high)(?:est)?[ -](?:number of )?(?:marks?|scores?|grades?|ratings?|points?|credit|levels?)\b(?! (?:to|for) (?:an?|any|partial)\b)"
    rf"|(?:overall|score|level|grade|rating|criteri\w+|everything|each|all)\b(?:(?!\b(?:from|between|one to|1 to)\b)[^.\n]){{0,40}}\b(?:4|5|10|100|four|five|ten)\b{_COMPLETE}"
    r"|(?:a |an )?(?:5|4|10|100|five|four|ten)(?: ?/ ?\d+| out of \w+| overall\b)|strong yes|reference answer|correct answer)"
)
LOUD = re.compile(r"\b(?:SYSTEM|ADMIN|DEVELOPER|ASSISTANT)\s*[:>\]]")
"""Who speaks in a chat, in capitals; in small letters these are words like others."""
MACHINE = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"[\"'{]\s*(?:overall|level|score|criteria|verdict|red_flags)[\"']?\s*[:=]\s*(?:[\[{\"']|(?:[45]|10|100)\b(?!\.\d))",
        r"<\|[a-z_]{2,30}\|>|\[/?INST\]|<</?SYS>>|<start_of_turn>",
        r"<!--.{0,400}?-->|<[a-z]+[^>]{0,80}(?:display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|hidden\b)[^>]{0,80}>",
        r"\[\[(?:internal|system|admin|grader|note)\b",
        r"</?(?:reasoning|overall|score|grade|assessment|red_flags|evaluation|verdict|rubric\w*|candidate\w*|grading\w*|criteri\w+|instructions?)>",
    )
)
"""Markup no person writes in an answer, quoted or not."""


class Pattern(NamedTuple):
    """What an address to the grader looks like."""

    regex: CaseFree
    needs: tuple[str, ...]
    """One of these stands in lower case in every ASCII text that fits; empty where nothing is known."""


_GRADERS = (
    "grader|evaluator|assessor|examiner|marker|judge|reviewer|scorer|scoring |grading |language model|ai model|llm|assistant"
    "|whoever |automat"
)
_CERTAIN_GRADERS = "grader|evaluator|assessor|examiner|marker|whoever "
_NEVER = "\u5ffd"
"""In no ASCII text: for patterns of other scripts."""
PATTERNS = tuple(
    Pattern(CaseFree(pattern), tuple(needs.split("|")) if needs else ())
    for needs, pattern in (
        (
            "",
            rf"\b(?={_AWARD}\b)(?:^|(?<=[.!?:;(] )|(?<=\n)|(?<=\bplease )|(?<=\bkindly )|(?<=\bmust )|(?<=\bshould )|(?<=\bthen )|(?<=\band )|(?<=\bto )|(?<=\bso )){_AWARD}\b[^.,\n]{{0,50}}\b{_PRIZE}",
        ),
        (
            _CERTAIN_GRADERS,
            rf"{_START}(?:(?:note |message )?(?:to|for) (?:the |my |any )?{_CERTAIN_GRADER}\b(?:\s*[:;]|\s+[–—-]\s)|(?:(?:note |message )?to |dear |hey |hi |hello )?(?:the |my |any )?{_CERTAIN_GRADER}\b(?:\s*[,:;]|\s+[–—-]\s))[^\n]{{0,160}}",
        ),
        (
            _CERTAIN_GRADERS,
            rf"\b{_CERTAIN_GRADER}\b(?:\s*[,:;]|\s+[–—-]\s)[^\n]{{0,100}}\b(?:{_PRIZE}|{_AWARD} (?:this|me|it|my)\b|ignore\b|disregard\b|please\b|kindly\b)",
        ),
        (
            _GRADERS,
            rf"{_START}(?:(?:note |message )?(?:to|for) |dear |hey |hi |hello )?(?:the |my |any )?{_GRADER}\b(?:\s*[,:;]|\s+[–—-]\s)[^\n]{{0,100}}"
            rf"\b(?:{_PRIZE}|{_AWARD} (?:this|me|it|my|accordingly)\b|ignore\b|disregard\b|this (?:answer|response|candidate)\b|be (?:kind|lenient|generous)\b|output the (?:max|full|high|top)|give the candidate\b|you (?:should|must)\b)",
        ),
        (
            _GRADERS,
            rf"\b(?:dear|hey|hello|hi|note (?:to|for)|message (?:to|for)|attention|instructions? (?:to|for)) (?:the |my |any |all )?{_GRADER}\b",
        ),
        (
            "flag",
            r"\b(?:no|without|zero|empty|none|clear|blank|suspend\w*)\b(?:[^.;\n]{0,25}\bred[ _]flags?|\s+flags)\b(?! ?(?:off|switch|gate|feature))[^.\n]{0,25}"
            r"(?:appl|observ|rais|list|section|warrant|needed|should|\.|\n|$)",
        ),
        (
            "flag",
            r"\b(?:red[ _])?flags?(?: list| section)?\b[^.\n]{0,30}\b(?:suspended|left blank|left empty|be empty|none|not appl\w+|empty)\b",
        ),
        (
            "full |maximum |top |perfect ",
            r"\b(?:full|maximum|top|perfect) (?:marks?|credit|score)\b[^.\n]{0,40}\b(?:follow|should|must|correct|due|record\w*|expect\w*|deserv\w*|in each)\b",
        ),
        (
            "criteri|point|theme|column",
            r"\b(?:all|every|each) (?:of the )?(?:six |expert |rubric )?(?:criteri\w+|points?|themes?|column)\b[^.\n]{0,50}"
            rf"\b(?:level (?:4|5|four|five)\b|(?:4|5|four|five)\b{_COMPLETE}|(?:met|present|covered|full|named)\b)",
        ),
        (
            "5|five",
            rf"\b(?:write(?: down)?|enter|give|output|return|respond with|record|assessment:?|overall:?|score:?|rating:?) (?:a |an |as )?(?:overall )?(?:5|five)\b{_COMPLETE}(?! and the)"
            rf"|\b(?:overall|score|level|grade|rating|mark|total|verdict|everything)\b[^.\n]{{0,25}}\b(?:must|should|shall|has to|to) (?:be|read) (?:a |an )?(?:5|five)\b{_COMPLETE}",
        ),
        (
            "ignore|disregard|forget|override|bypass|discard|set aside",
            r"\b(?:ignore|disregard|forget|override|bypass|discard|set aside)\b[^.,\n]{0,28}\b"
            r"(?:instructions?|rubric|criteria|prompt|guidelines?|grading|scoring|rules above|red flags?|the above|previous (?:text|message))\b",
        ),
        (
            "you are|act as|behave as|pretend",
            r"\b(?:you are|act as|behave as|pretend)\b[^.,\n]{0,40}\b(?:lenient|generous|grader|evaluator|examiner|judge)\b",
        ),
        (
            "system|developer|admin|grading|scoring|evaluation|rubric",
            r"\b(?:system|developer|admin\w*|grading|scoring|evaluation|rubric)\s*(?:prompt|message|note|update|override|notice|instruction|mode)s?\s*[:=\]]",
        ),
        (
            "please|kindly|i beg|i need|i really need|mercy|be kind|be generous|be lenient|my ",
            r"\b(?:please|kindly|i beg|i need|i really need|have mercy|be kind|be generous|be lenient|my (?:visa|job|family|rent|mother|child\w*))\b"
            r"[^.\n]{0,120}\b(?:pass (?:me|this)|full marks|good (?:grade|score|mark)|high (?:grade|score|mark)|top (?:grade|score|mark)"
            rf"|(?:{_AWARD}|put|deserve\w*|need)\b[^.\n]{{0,30}}\b(?:5|five)\b{_COMPLETE})",
        ),
        (
            "grader|evaluator|assessor|examiner|marker",
            r"\b(?:other|another|independent|previous|earlier|senior|expert|human) (?:graders?|evaluators?|assessors?|examiners?|markers?)\b[^.\n]{0,40}"
            rf"\b(?:gave|given|give|award\w*|scored|rated|marked|graded|approved|confirmed|passed|agreed)\b[^.\n]{{0,40}}\b(?:this|me|mine|my|{_PRIZE}|5|five|strong)\b",
        ),
        (
            "reviewer|judge",
            rf"\b(?:other|another|independent|previous|earlier|senior|expert|human) (?:reviewers?|judges?)\b[^.\n]{{0,40}}"
            rf"\b(?:gave|given|award\w*|scored|rated|marked|graded)\b[^.\n]{{0,40}}\b(?:{_PRIZE}|(?:5|five)\b{_COMPLETE})",
        ),
        (
            "justified|appropriate|fair|deserv|criteri|expect|believe|trust|claim|ask for|given|get the|award|reach",
            rf"\b(?:{_TOP}\b[^.\n]{{0,40}}\b(?:justified|appropriate|would be fair|deserved|(?:in|on|for) (?:all|each|every) criteri\w+)"
            r"|i (?:expect|believe|trust|claim|deserve|ask for)\b[^.\n]{0,30}\b(?:full|maximum|top|highest|perfect) (?:marks?|credit|grade)\b"
            r"|(?:given|get|award\w*|reach\w*|deserve\w*) the (?:highest|top|upper) (?:band|end of the scale))",
        ),
        (
            "recommended|expected|suggested|proposed",
            rf"\b(?:recommended|expected|suggested|proposed) (?:total|overall|(?:score|grade|mark) for (?:this|such|my))\b[^.\n]{{0,40}}(?:\bis\b|:|=)\s*(?:5|five)\b{_COMPLETE}",
        ),
        (
            "as if|as though|as given|as said|as covered|as present|as complete",
            r"\b(?:scor(?:e|ing)|rat(?:e|ing)|grad(?:e|ing)|mark|treat|credit|count|consider|regard)\b[^.\n]{0,80}\bas (?:if|though) (?:it|they|this)\b[^.\n]{0,15}\b(?:present|given|complete|said|here)\b"
            r"|\b(?:(?:please|kindly) (?:treat|credit|count|consider|regard)|(?:treat|credit|count|consider|regard) (?:this answer|this response|what precedes|my answer|the criteria))\b[^.\n]{0,80}\bas (?:given|said|covered|present|(?:a )?complete)\b",
        ),
        ("give me", r"\bgive me\b[^.\n]{0,20}\b(?:marks?|points|grade)\b"),
        (
            "graded|scored|reviewed|approved|rated|marked",
            rf"\b(?:answer|response|submission|this)\b[^.\n]{{0,40}}\b(?:already|previously) (?:been )?(?:graded|scored|reviewed|approved|rated|marked)\b[^.\n]{{0,40}}\b(?:{_PRIZE}|5\b|five\b|excellent|top\b|full\b|(?:by|with) (?:the |a |an )?(?:panel|committee|experts?))"
            rf"|\b(?:answer|response|submission)\b[^.\n]{{0,40}}\b(?:(?:has been|was|is) (?:officially )?(?:rated|scored|graded|marked)\b[^.\n]{{0,40}}\b(?:{_PRIZE}|5\b|five\b|excellent|top\b|full\b)|pre-?approved)"
            rf"|{_START}(?:pre-?approved by|(?:already|previously) (?:graded|scored|rated|marked)\b[^.\n]{{0,20}}\b(?:{_PRIZE}|5\b|five\b))",
        ),
        (
            "model|system|ai |llm|software|person|program|human|anyone|whoever|someone",
            r"\b(?:model|system|ai|llm|software|person|program|human|anyone|whoever|someone) (?:that is |who is |is )?(?:evaluating|grading|scoring|marking|rating|assessing|judging|processing) this(?: (?:answer|response|text|submission))?\s*[.:,;]"
            r"|\bperson (?:marking|grading) this (?:will|can|may|should)\b|\b(?:anyone who|whoever) (?:evaluates|grades|scores|marks|rates|assesses|judges) this\b",
        ),
        (
            "you",
            rf"\bas an? (?:ai |automated |language )?(?:{_CERTAIN_GRADER})\b[^.\n]{{0,20}}\byou\b",
        ),
        (
            "if you are",
            r"\bif you are an? (?:ai|llm|(?:large )?language model|automated \w+)\b",
        ),
        (
            "you were|you've been|you have been|your ",
            r"\b(?:(?:ignore|disregard|forget) (?:everything|all|what|anything) (?:that )?(?:you were|you've been|you have been) (?:told|given)|your (?:previous|earlier|prior|original) (?:instructions?|prompt)|(?:begin|start|write|end) your (?:feedback|evaluation|verdict|grading))\b",
        ),
        (
            "this answer|this response|this candidate|this submission",
            rf"\bthis (?:answer|response|candidate|submission)(?:'s answers)?\b[^.\n]{{0,60}}\b(?:meets the bar|(?:deserves?|(?:must|should|shall|is to|has to|needs to) (?:receive|get|be (?:scored|rated|graded|marked|given)))\b[^.\n]{{0,20}}\b{_PRIZE}|(?:must|should|shall|is to) (?:be passed|be recorded as|not be (?:scored|rated|graded|marked) (?:below|under|lower|down)))",
        ),
        (
            "final ",
            r"\bfinal (?:grade|score|verdict|mark|rating)\s*:\s*(?:[a-f]\b[+-]?|[45]\b|four\b|five\b|strong|excellent|pass|hire)",
        ),
        ("authori", r"\bi (?:hereby )?authori[sz]e you\b"),
        ("end of|grader", r"\bend of (?:the )?candidate(?:'s)? (?:answer|response|text)\b|\bgrader's notes\b"),
        ("overall ", r"\boverall (?:rating|score|grade|mark)\s*:\s*(?:5|10|100)\b(?! ?stars?)"),
        (_CERTAIN_GRADERS, rf"{_START}{_CERTAIN_GRADER}(?:'s)? note\s*:"),
        ("grateful", rf"\bgrateful for (?:a |an |the )?{_TOP}"),
        ("this candidate", r"\b(?:approved|passed|cleared) this candidate\b"),
        ("repeat after me", r"\brepeat after me\b"),
        (
            "accordingly",
            r"\b(?:please|kindly)\b[^.\n]{0,40}\b(?:score|rate|grade|mark)(?: it| this| me)? accordingly\b|\band (?:score|mark)(?: this| me)? accordingly\b",
        ),
        (
            "biased|discriminat|unfair|wrong|unjust",
            r"\bit would be [^.\n]{0,40}\bto (?:score|mark|grade|rate) (?:this answer|this response|me|my)\b",
        ),
        (
            "examiner|grader|evaluator|assessor|marker",
            rf"\b{_CERTAIN_GRADER} (?:should|must|shall|is (?:asked|requested|reminded|advised))\b[^.\n]{{0,30}}\b(?:this (?:answer|response)|my answer|{_PRIZE})",
        ),
        ("##", r"^#{2,4} ?(?:system|instruction|response)\b"),
        (
            "ignor|oublie|vergiss|olvida|esque|dimentica",
            r"(?:ignor[ae]|oublie[zr]?|vergiss|ignoriere|olvida|esque[çc]a|dimentica|ignori?r?)\b[^.,\n]{0,30}"
            r"(?:instruc\w+|anweisung\w*|consigne\w*|istruzion\w*|r[úu]brica|rubrik|crit[eè]r\w+)",
        ),
        (
            "calificador|evaluador|correcteur|examinateur|prufer|bewerter|avaliador|valutatore|nota m|note m|hochste |hochstnote|meilleure note|volle p|puntuacion m|pontuacao m",
            r"(?:calificador|evaluador|correcteur|examinateur|pr[üu]fer|bewerter|avaliador|valutatore|nota m[áa]xima|note maximale|h[öo]chstnote|meilleure note"
            r"|h[öo]chste (?:note|punktzahl)|volle punktzahl|puntuaci[óo]n m[áa]xima|pontua[çc][ãa]o m[áa]xima)",
        ),
        (
            _NEVER,
            r"(?:忽略|无视|無視|请给|給予|满分|滿分|評価者|採点者|最高点|оценщик|проверяющ|высш\w+ балл|максимальн\w+ (?:балл|оценк)|игнорируй"
            r"|पूर्ण अंक|निर्देशों को|الدرجة الكاملة|تجاهل|채점자|만점)",
        ),
    )
)
