from __future__ import annotations

import json
import re

import pytest
from builders import ANSWER, report, rubric
from hypothesis import given
from hypothesis import strategies as st

from coach.judgement import Evidence
from coach.models import BROUGHT, Question
from coach.render import RENDERERS, terminal
from coach.render.highlight import pieces
from coach.render.plain import answer_title, flag_lines, headline, inert, judged_by, notes, steps_title, title, used
from coach.render.question import render_question
from coach.report import (
    CriterionReport,
    ErrorReport,
    FeedbackReport,
    FlagReport,
    JudgeInfo,
    NextStep,
    PassageReport,
    PointReport,
)

HOSTILE = (
    "Hello \x1b[31mred\x1b[0m \x1b]0;title\x07 <script>alert(1)</script> **bold** [link](javascript:alert(1)) "
    "`code` | cell | \u202egnissim \x9b2J # heading ![img](http://127.0.0.1/x)"
)


def hostile_report() -> FeedbackReport:
    """Every field that a candidate or a model can fill is hostile."""
    evidence = (Evidence(quote=HOSTILE, start=0, end=len(HOSTILE)),)
    base = report()
    return base.model_copy(
        update={
            "criteria": tuple(c.model_copy(update={"rationale": HOSTILE, "evidence": evidence}) for c in base.criteria),
            "red_flags": tuple(f.model_copy(update={"evidence": evidence}) for f in base.red_flags),
            "strengths": (HOSTILE,),
            "warnings": (HOSTILE,),
            "follow_up": HOSTILE,
            "judge": JudgeInfo(kind="llm", name="llm", model=HOSTILE),
        }
    )


@pytest.mark.parametrize("name", RENDERERS)
def test_no_control_character_survives(name: str) -> None:
    shown = RENDERERS[name](hostile_report(), HOSTILE)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_no_bidirectional_control_survives(name: str) -> None:
    assert "\u202e" not in RENDERERS[name](hostile_report(), HOSTILE)


def test_html_holds_no_tag_of_the_candidate() -> None:
    assert "<script" not in RENDERERS["html"](hostile_report(), HOSTILE)


def test_html_loads_nothing() -> None:
    page = RENDERERS["html"](report(), ANSWER)
    assert not re.search(r"(?:src|href)\s*=|url\(|@import", page)


def test_html_marks_the_evidence_in_place() -> None:
    assert '<mark class="k1">I ask what the feed is for.</mark><sup>1</sup>' in RENDERERS["html"](report(), ANSWER)


def test_markdown_escapes_what_would_be_markup() -> None:
    assert "\\<script\\>" in RENDERERS["md"](hostile_report(), HOSTILE)
    assert "](javascript" not in RENDERERS["md"](hostile_report(), HOSTILE)


def test_markdown_marks_the_evidence_in_place() -> None:
    assert r"**I ask what the feed is for\.** \[1\]" in RENDERERS["md"](report(), ANSWER)


def test_terminal_marks_the_evidence_in_place() -> None:
    assert "«I ask what the feed is for.»[1]" in RENDERERS["terminal"](report(), ANSWER)


def test_terminal_without_colour_has_no_escape() -> None:
    assert "\x1b" not in RENDERERS["terminal"](report(), ANSWER)


def test_terminal_with_colour_holds_only_colours() -> None:
    shown = terminal.render(hostile_report(), HOSTILE, color=True)
    assert "\x1b[" in shown
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_terminal_draws_a_bar_for_each_level() -> None:
    assert "████████████░░░░  level 3 of 4, 45 of 60 points" in RENDERERS["terminal"](report(), ANSWER)


def test_a_narrow_terminal_keeps_a_criterion_on_one_line() -> None:
    assert "Product framing           level 3 of 4, 45 of 60 points" in terminal.render(report(), ANSWER, width=60)


def test_a_narrow_terminal_puts_the_grade_below_its_bar() -> None:
    lines = terminal.render(report(band=(50, 70)), ANSWER, width=60).splitlines()
    assert "62.5 / 100 · 4 of 5, yes · could be 50 to 70" in lines


def test_lines_at_the_end_of_the_answer_are_not_shown() -> None:
    assert "\n\n\n" not in RENDERERS["terminal"](report(), f"{ANSWER}\n\n")


def test_a_question_brought_along_is_headed_by_its_text_alone() -> None:
    assert title(report(question_id=BROUGHT)) == report().question


def test_what_a_check_says_of_all_criteria_is_not_repeated_in_the_notes() -> None:
    told = tuple(c.model_copy(update={"rationale": "Too short."}) for c in report().criteria)
    decided = report(judge=JudgeInfo(kind="screen", name="screen"), criteria=told, warnings=("Too short.", "Else."))
    assert notes(decided) == ("Else.",)


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_an_open_criterion_is_shown_as_open(name: str) -> None:
    assert "abstained" in RENDERERS[name](report(), ANSWER)


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_a_failed_report_shows_its_error_and_no_grade(name: str) -> None:
    failed = report(
        status="failed",
        total=None,
        overall=None,
        criteria=(),
        error=ErrorReport(kind="JudgeUnavailable", message="no reply", hint="try later"),
    )
    shown = RENDERERS[name](failed, "")
    assert "no reply" in shown
    assert "try later" in shown
    assert "/ 100" not in shown


def test_json_is_the_report() -> None:
    assert FeedbackReport.model_validate(json.loads(RENDERERS["json"](report(), ANSWER))) == report()


def test_a_withheld_total_is_told_in_words() -> None:
    assert headline(report(total=None, overall=None)) == "no total: too little could be judged"


def test_the_band_is_told() -> None:
    assert headline(report(band=(50, 70))) == "62.5 / 100 · 4 of 5, yes · could be 50 to 70"


def test_a_report_decided_by_the_screen_names_no_judge() -> None:
    assert "no judge was asked" in judged_by(report(judge=JudgeInfo(kind="screen", name="screen")))


def test_use_is_silent_without_calls() -> None:
    assert used(report()) == ""


def test_use_tells_tokens_and_that_the_price_is_unknown() -> None:
    spent = report(usage={"calls": 2, "prompt_tokens": 10, "completion_tokens": 5})
    assert used(spent) == "2 calls, 10 + 5 tokens, price unknown"


def test_inert_shows_what_it_disarms() -> None:
    assert inert("a\x1bb") == "a⟨U+001B⟩b"


def test_inert_keeps_emoji_that_are_joined() -> None:
    assert inert("👩\u200d💻") == "👩\u200d💻"


def test_overlapping_evidence_is_cut_into_pieces() -> None:
    def criterion(id: str, start: int, end: int) -> CriterionReport:
        evidence = (Evidence(quote="x", start=start, end=end),)
        return CriterionReport(id=id, level=1, status="ok", weight=50, points=1, rationale="", evidence=evidence)

    found = pieces(report(criteria=(criterion("a", 0, 4), criterion("b", 2, 6)), red_flags=()), "abcdefgh")
    assert [(p.text, p.criteria, p.ends) for p in found] == [
        ("ab", (1,), ()),
        ("cd", (1, 2), ("1",)),
        ("ef", (2,), ("2",)),
        ("gh", (), ()),
    ]


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_joined_pieces_are_the_answer(answer: str, start: int, end: int) -> None:
    start, end = sorted((min(start, len(answer)), min(end, len(answer))))
    marked = CriterionReport(
        id="a",
        level=1,
        status="ok",
        weight=100,
        points=25,
        rationale="",
        evidence=(Evidence(quote="x", start=start, end=end),),
    )
    assert "".join(p.text for p in pieces(report(criteria=(marked,), red_flags=()), answer)) == answer


def screened() -> FeedbackReport:
    return report(
        judge=JudgeInfo(kind="screen", name="screen"),
        criteria=[c.model_copy(update={"rationale": "Pasted back."}) for c in report().criteria],
    )


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_what_a_check_says_of_all_criteria_is_said_once(name: str) -> None:
    assert len(re.findall(r"Pasted back", RENDERERS[name](screened(), ANSWER))) == 1


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_a_step_that_wins_nothing_by_itself_shows_no_zero(name: str) -> None:
    step = NextStep(criterion="model_first", advice="Take it out.", gain=0)
    assert "+0" not in RENDERERS[name](report(next_steps=[step]), ANSWER)


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_flags_are_told_by_their_titles(name: str) -> None:
    shown = RENDERERS[name](report(next_steps=()), ANSWER)
    assert "Model first" in shown
    assert not re.search(r"model\\?_first", shown)


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_a_flag_on_the_whole_answer_does_not_repeat_it(name: str) -> None:
    answer = "word " * 200
    flag = report().red_flags[0].model_copy(update={"evidence": (Evidence(quote=answer, start=0, end=len(answer)),)})
    assert len(re.findall("word", RENDERERS[name](report(answer, red_flags=[flag], criteria=()), answer))) < 260


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_a_point_that_is_made_is_shown_with_the_words_nearest_to_it(name: str) -> None:
    made = PointReport(id="p", text="A point", status="covered", passages=(PassageReport(start=0, end=27, cosine=0.9),))
    shown = RENDERERS[name](report(points=(made,)), ANSWER)
    assert shown.replace("\\", "").count("(covered; nearest: “I ask what the feed is for.”)") == 1


@pytest.mark.parametrize("name", ["terminal", "md", "html"])
def test_points_that_nobody_judged_are_not_called_missing(name: str) -> None:
    points = (PointReport(id="p", text="A point", status="missing"),)
    shown = RENDERERS[name](report(criteria=report().criteria[1:], points=points), ANSWER)
    assert "(not judged)" in shown.replace("\\", "")
    assert "missing" not in shown.split("</style>")[-1]


def test_flags_that_the_same_words_raise_stand_on_one_line() -> None:
    words = (Evidence(quote="clicks mislead", start=58, end=72),)
    flags = (
        FlagReport(id="a", title="A", evidence=words, cap=40),
        FlagReport(id="b", title="B", evidence=words, cap=30),
    )
    assert flag_lines(report(red_flags=flags)) == (("A, B", "“clicks mislead”", 30),)


def test_steps_that_are_no_red_flags_promise_none() -> None:
    steps = (NextStep(criterion="tradeoffs", advice="Weigh.", gain=5),)
    assert steps_title(report(next_steps=steps)) == "Next steps: most to be won first"


def test_an_answer_without_marks_promises_none() -> None:
    assert answer_title(report(criteria=report().criteria[1:], red_flags=())) == "Your answer"


def test_a_question_for_a_terminal_holds_no_escape() -> None:
    question = Question(question=HOSTILE, reference="So.", why=HOSTILE)
    shown = render_question(question, rubric(bias=100), with_answer=True)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
