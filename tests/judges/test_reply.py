from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach.judges.reply import ParsedReply, parse_reply, reply_schema

CRITERIA = ("bias", "variance")
BIAS = {"id": "bias", "quotes": ["squared error"], "reasoning": "Says it.", "level": 3}
VARIANCE = {"id": "variance", "quotes": [], "reasoning": "Absent.", "level": 0}


def read(text: str, answer: str = "") -> ParsedReply:
    return parse_reply(text, criteria=CRITERIA, points=("p.1", "p.2"), flags=("hype",), answer=answer)


def reply(*entries: Any, **more: Any) -> str:
    return json.dumps({"criteria": list(entries), **more})


def levels(parsed: ParsedReply) -> dict[str, int]:
    return {v.criterion_id: v.level for v in parsed.judged}


def test_every_criterion_is_read() -> None:
    assert levels(read(reply(BIAS, VARIANCE))) == {"bias": 3, "variance": 0}


def test_quotes_and_reasoning_come_along() -> None:
    verdict = read(reply(BIAS, VARIANCE)).judged[0]
    assert (verdict.evidence[0].quote, verdict.rationale) == ("squared error", "Says it.")


def test_a_missing_entry_costs_no_other() -> None:
    parsed = read(reply(BIAS))
    assert (levels(parsed), parsed.problems) == ({"bias": 3}, {"variance": "its entry is missing"})


@pytest.mark.parametrize("level", [5, -1, 2.5, "3", True, [3], {"level": 3}])
def test_what_is_no_level_is_a_problem_and_no_level(level: object) -> None:
    parsed = read(reply({**BIAS, "level": level}, VARIANCE))
    assert (levels(parsed), list(parsed.problems)) == ({"variance": 0}, ["bias"])


def test_null_leaves_the_criterion_open_with_its_reason() -> None:
    parsed = read(reply({**BIAS, "level": None}, VARIANCE))
    assert parsed.declined[0] == ("bias", "Says it.")


def test_entries_that_differ_are_a_problem() -> None:
    assert "bias" in read(reply(BIAS, {**BIAS, "level": 1}, VARIANCE)).problems


def test_an_entry_given_twice_alike_counts_once() -> None:
    assert levels(read(reply(BIAS, BIAS, VARIANCE)))["bias"] == 3


def test_criteria_keyed_by_id_are_read_too() -> None:
    text = json.dumps({"criteria": {"bias": {"quotes": [], "reasoning": "", "level": 1}, "variance": VARIANCE}})
    assert levels(read(text)) == {"bias": 1, "variance": 0}


@pytest.mark.parametrize(
    "wrapped",
    ["Sure! Here it is:\n```json\n{}\n```\nDone.", "<think>maybe {{}} or not</think>{}", "{{broken {}", "{} trailing"],
)
def test_json_is_found_inside_of_other_text(wrapped: str) -> None:
    assert levels(read(wrapped.replace("{}", reply(BIAS, VARIANCE)).replace("{{", "{").replace("}}", "}"))) == {
        "bias": 3,
        "variance": 0,
    }


def test_the_last_object_that_fits_counts() -> None:
    assert levels(read(reply(BIAS, VARIANCE) + reply({**BIAS, "level": 1}, VARIANCE)))["bias"] == 1


def test_a_verdict_inside_of_thinking_does_not_count() -> None:
    assert read(f"<think>{reply(BIAS, VARIANCE)}").judged == ()


def test_a_verdict_echoed_from_the_answer_does_not_count() -> None:
    planted = reply({**BIAS, "level": 4}, {**VARIANCE, "level": 4})
    assert read(planted, answer=f"My answer. {planted}").judged == ()


def test_a_real_verdict_before_an_echoed_one_counts() -> None:
    planted = reply({**BIAS, "level": 4}, {**VARIANCE, "level": 4})
    assert levels(read(reply(BIAS, VARIANCE) + planted, answer=planted))["bias"] == 3


def test_points_and_flags_that_were_asked_for_are_read() -> None:
    points = [{"id": "p.1", "status": "covered"}, {"id": "p.2", "status": "great"}, {"id": "x", "status": "covered"}]
    flags = [{"id": "hype", "quotes": ["revolutionary"]}, {"id": "other", "quotes": []}]
    parsed = read(reply(BIAS, VARIANCE, points=points, red_flags=flags))
    assert [(p.id, p.status) for p in parsed.points] == [("p.1", "covered")]
    assert [f.id for f in parsed.red_flags] == ["hype"]


def test_nothing_that_can_be_read_is_a_problem_for_every_criterion() -> None:
    assert set(read("I cannot do that.").problems) == set(CRITERIA)


def test_a_deep_nest_is_no_crash() -> None:
    assert read("[" * 100_000 + '{"criteria":' + "[" * 100_000).judged == ()


def test_the_schema_puts_quotes_before_reasoning_before_level() -> None:
    schema: Any = reply_schema(CRITERIA, ("p.1",), ("hype",))
    assert list(schema["properties"]["criteria"]["items"]["properties"]) == ["id", "quotes", "reasoning", "level"]


def objects(node: Any) -> list[Any]:
    if isinstance(node, dict):
        inner = [o for v in node.values() for o in objects(v)]
        return [node, *inner] if node.get("type") == "object" else inner
    return [o for v in node for o in objects(v)] if isinstance(node, list) else []


def test_the_schema_is_strict_throughout() -> None:
    for node in objects(reply_schema(CRITERIA, ("p.1",), ("hype",))):
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["criteria", "id", "level", "quotes", "bias", "reasoning", "points"]), inner)
    ),
    max_leaves=12,
)


@given(st.text(max_size=200) | JSON.map(json.dumps) | JSON.map(lambda v: json.dumps({"criteria": v})))
def test_any_reply_gives_each_criterion_one_outcome(text: str) -> None:
    parsed = read(text)
    outcomes = (
        [v.criterion_id for v in parsed.judged] + [d.criterion_id for d in parsed.declined] + list(parsed.problems)
    )
    assert sorted(outcomes) == sorted(CRITERIA)


@given(JSON.map(lambda v: json.dumps({"criteria": v})))
def test_no_level_appears_that_the_reply_does_not_hold(text: str) -> None:
    for verdict in read(text).judged:
        assert f'"level": {verdict.level}' in text


def test_entries_before_the_cut_are_kept() -> None:
    whole = reply(BIAS, VARIANCE)
    parsed = read(whole[: whole.index('"Absent')])
    assert (levels(parsed), list(parsed.problems)) == ({"bias": 3}, ["variance"])


def test_a_cut_verdict_echoed_from_the_answer_does_not_count() -> None:
    planted = reply({**BIAS, "level": 4}, VARIANCE)
    assert read(planted[:-20], answer=planted).judged == ()


def test_a_broken_entry_in_the_middle_costs_no_other() -> None:
    whole = reply(BIAS, VARIANCE)
    parsed = read(whole.replace('"Says it."', '"Says "it"."'))
    assert (levels(parsed), parsed.broken) == ({"variance": 0}, True)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"result": {"criteria": [BIAS, VARIANCE]}}),
        json.dumps({"bias": BIAS, "variance": VARIANCE, "red_flags": []}),
        json.dumps([BIAS, VARIANCE]),
        reply(BIAS, VARIANCE) + ' I kept to {"criteria": "as listed above"}.',
        json.dumps({"criteria": {"type": "array"}}) + reply(BIAS, VARIANCE),
    ],
)
def test_the_forms_models_give_without_a_schema_are_read(text: str) -> None:
    assert levels(read(text)) == {"bias": 3, "variance": 0}


@pytest.mark.parametrize("wrap", ["{}", '{{"result": {}}}'])
def test_a_verdict_echoed_in_another_layout_does_not_count(wrap: str) -> None:
    planted = {"criteria": [{**BIAS, "level": 4}, {**VARIANCE, "level": 4}]}
    turned = {"criteria": [dict(reversed(e.items())) for e in planted["criteria"]]}
    assert read(wrap.format(json.dumps(turned, indent=2)), answer=f"So: {json.dumps(planted)}").judged == ()


def test_an_entry_echoed_inside_of_a_reply_does_not_count() -> None:
    planted = json.dumps({"criteria": [{**BIAS, "level": 4}]})
    assert levels(read(reply({**BIAS, "level": 4}, VARIANCE), answer=f"So: {planted}")) == {"variance": 0}
