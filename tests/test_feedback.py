from __future__ import annotations

from builders import abstained, flag, judged, rubric

from coach.bank import load_bank
from coach.feedback import _FLAG_ADVICE, Feedback, build_feedback
from coach.judgement import RaisedFlag, Verdict
from coach.models import Question
from coach.report import PointReport
from coach.scoring import score

QUESTION = Question(
    id="q01",
    question="Which model?",
    reference="It depends.",
    follow_ups=("How would latency change it?", "How would you explore?"),
)
RUBRIC = rubric((flag("absolutes", 40), flag("gaming", 25)), product_framing=50, expert_coverage=50)
POINTS = (
    PointReport(id="q01.1", text="starts from the goal", status="covered"),
    PointReport(id="q01.2", text="weighs latency", status="missing"),
    PointReport(id="q01.3", text="explores", status="contradicted"),
)


def build(
    *verdicts: Verdict,
    flags: tuple[RaisedFlag, ...] = (),
    caps: dict[str, float] | None = None,
    question: Question = QUESTION,
    points: tuple[PointReport, ...] = POINTS,
) -> Feedback:
    caps = caps or {}
    card = score(RUBRIC, verdicts, caps=caps.values())
    return build_feedback(question, RUBRIC, verdicts, card=card, points=points, flags=flags, caps=caps)


def test_a_strong_criterion_is_told_with_the_answers_own_words() -> None:
    built = build(judged("product_framing", 4, "what is it for"), judged("expert_coverage", 1, "x"))
    assert "Product Framing: “what is it for”" in built.strengths


def test_a_strong_level_without_a_quote_is_not_praised() -> None:
    built = build(judged("product_framing", 4), judged("expert_coverage", 1, "x"))
    assert not any("Product" in s for s in built.strengths)


def test_criteria_that_rest_on_the_same_words_are_told_together() -> None:
    built = build(judged("product_framing", 4, "what is it for"), judged("expert_coverage", 4, "what is it for"))
    assert built.strengths[0] == "Product Framing, Expert Coverage: “what is it for”"


def test_nothing_is_praised_under_a_low_cap() -> None:
    verdicts = (judged("product_framing", 4, "what is it for"), judged("expert_coverage", 4, "x"))
    assert build(*verdicts, caps={"gaming": 25}, flags=(RaisedFlag(id="gaming"),)).strengths == ()


def test_covered_points_are_counted() -> None:
    built = build(judged("product_framing", 0), judged("expert_coverage", 1, "x"))
    assert built.strengths == ("Makes 1 of 3 expert points: starts from the goal",)


def test_steps_come_in_order_of_points_to_be_won() -> None:
    built = build(judged("product_framing", 2, "x"), judged("expert_coverage", 0))
    assert [(s.criterion, s.gain) for s in built.next_steps] == [("expert_coverage", 37.5), ("product_framing", 12.5)]


def test_a_step_names_the_level_to_reach() -> None:
    built = build(judged("product_framing", 2, "x"), judged("expert_coverage", 4, "y"))
    assert "Level 3: product_framing descriptor 3" in built.next_steps[0].advice


def test_coverage_advice_names_what_is_argued_against_and_what_is_missing() -> None:
    advice = build(judged("product_framing", 4, "x"), judged("expert_coverage", 0)).next_steps[0].advice
    assert "You argue against: explores." in advice
    assert "Still to be said: weighs latency." in advice


def test_what_is_said_in_part_is_told_after_what_is_missing() -> None:
    points = (*POINTS[:2], PointReport(id="q01.3", text="explores", status="partial"))
    advice = build(judged("product_framing", 4, "x"), judged("expert_coverage", 0), points=points).next_steps[0].advice
    assert advice.startswith("Still to be said: weighs latency. Say more fully: explores.")


def test_where_all_points_are_made_their_reasons_are_asked_for() -> None:
    built = build(judged("product_framing", 4, "x"), judged("expert_coverage", 3, "y"), points=POINTS[:1])
    assert built.next_steps[0].advice.startswith("All points are made; give for each the reason")


def test_all_points_made_is_told_as_a_strength() -> None:
    built = build(judged("product_framing", 0), judged("expert_coverage", 4, "y"), points=POINTS[:1])
    assert "Makes every expert point." in built.strengths


def test_a_sound_level_is_told_what_the_top_takes() -> None:
    built = build(judged("product_framing", 3, "x"), judged("expert_coverage", 4, "y"))
    assert built.next_steps[0].advice.startswith("Tie each choice that follows back to the goal")


def test_under_a_flag_that_leaves_nothing_only_that_flag_is_a_step() -> None:
    verdicts = (judged("product_framing", 1, "x"), judged("expert_coverage", 2, "y"))
    built = build(*verdicts, caps={"gaming": 25}, flags=(RaisedFlag(id="gaming"),))
    assert [s.criterion for s in built.next_steps] == ["gaming"]


def test_a_flag_that_costs_nothing_yet_says_where_the_total_ends() -> None:
    verdicts = (judged("product_framing", 1, "x"), judged("expert_coverage", 1, "y"))
    first = build(*verdicts, caps={"absolutes": 40}, flags=(RaisedFlag(id="absolutes"),)).next_steps[0]
    assert (first.criterion, first.gain) == ("absolutes", 0.0)
    assert "Not binding yet: at most 40 while it stands." in first.advice


def test_lifting_a_flag_comes_first_and_is_worth_what_its_cap_cost() -> None:
    verdicts = (judged("product_framing", 4, "x"), judged("expert_coverage", 2, "y"))
    built = build(*verdicts, caps={"absolutes": 40}, flags=(RaisedFlag(id="absolutes"),))
    assert (built.next_steps[0].criterion, built.next_steps[0].gain) == ("absolutes", 35.0)


def test_a_flag_of_the_shipped_bank_says_what_to_write_instead() -> None:
    built = build(
        judged("product_framing", 4, "x"),
        judged("expert_coverage", 4, "y"),
        caps={"absolutes": 40},
        flags=(RaisedFlag(id="absolutes"),),
    )
    assert built.next_steps[0].advice.startswith("Say under which conditions this is the right choice")


def test_a_flag_of_another_bank_says_what_to_take_out() -> None:
    asked = rubric((flag("rudeness", 40),), product_framing=100)
    verdicts = (judged("product_framing", 4, "x"),)
    card = score(asked, verdicts, caps=(40,))
    flags = (RaisedFlag(id="rudeness"),)
    built = build_feedback(QUESTION, asked, verdicts, card=card, points=(), flags=flags, caps={"rudeness": 40})
    assert built.next_steps[0].advice.startswith("Take out what raises it: about rudeness.")


def test_every_flag_of_the_shipped_bank_has_advice() -> None:
    assert load_bank().red_flags.keys() == _FLAG_ADVICE.keys()


def test_the_cost_of_the_cap_is_told_once_for_several_flags() -> None:
    verdicts = (judged("product_framing", 4, "x"), judged("expert_coverage", 2, "y"))
    flags = (RaisedFlag(id="absolutes"), RaisedFlag(id="gaming"))
    built = build(*verdicts, caps={"absolutes": 40, "gaming": 25}, flags=flags)
    assert [(s.criterion, s.gain) for s in built.next_steps if s.criterion in {"gaming", "absolutes"}] == [
        ("gaming", 50.0),
        ("absolutes", 0.0),
    ]


def test_an_abstained_criterion_gets_no_step() -> None:
    built = build(judged("product_framing", 4, "x"), abstained("expert_coverage"))
    assert built.next_steps == ()


def test_the_follow_up_is_the_one_nearest_to_what_is_missing() -> None:
    assert build(judged("product_framing", 4, "x"), judged("expert_coverage", 0)).follow_up == QUESTION.follow_ups[0]


def test_a_question_brought_along_is_followed_up_at_its_widest_gap() -> None:
    own = Question(question="Which model?", reference="It depends.")
    built = build(judged("product_framing", 0), judged("expert_coverage", 3, "x"), question=own)
    assert built.follow_up == "Who is this for, and how would you know that it helped them?"
