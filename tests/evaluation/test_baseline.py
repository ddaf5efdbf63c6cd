from __future__ import annotations

from typing import Any

from coach.evaluation.baseline import before_after, told_lines


def run(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    judge = {"fingerprint": changes.pop("fingerprint", "j1"), "model": changes.pop("model", "m1")}
    return {"judge": judge, "prompt": "p1", "rubric": "r1", "rows": list(rows), **changes}


def row(id: str = "a", **changes: Any) -> dict[str, Any]:
    return {"id": id, "overall": 3, "total": 50.0, "levels": {"bias": 2}, "red_flags": ["hype"], **changes}


def test_the_same_run_has_no_change() -> None:
    found = before_after(run(row()), run(row()))
    assert (found.changed_inputs, found.changes, found.same) == ((), (), 1)


def test_a_changed_answer_is_told_before_and_after() -> None:
    after = row(overall=4, total=62.5, levels={"bias": 3}, red_flags=["gaming"])
    change = before_after(run(row()), run(after)).changes[0]
    assert change.what == ("overall 3 -> 4", "total 50 -> 62.5", "bias 2 -> 3", "+gaming", "-hype")


def test_a_grade_that_is_open_now_says_so() -> None:
    change = before_after(run(row()), run(row(overall=None, total=None))).changes[0]
    assert change.what == ("overall 3 -> open", "total 50 -> open")


def test_what_was_changed_is_named() -> None:
    found = before_after(run(row()), run(row(), prompt="p2", fingerprint="j2", model="m2"))
    assert found.changed_inputs == ("prompt", "judge", "model (m1 -> m2)")


def test_another_rubric_of_an_answer_is_named() -> None:
    found = before_after(run(row(rubric="r1")), run(row(rubric="r2")))
    assert found.changed_inputs == ("rubric",)


def test_other_answers_are_no_other_rubric() -> None:
    before, after = run(row(rubric="r1"), rubric="all1"), run(row(rubric="r1"), row("b", rubric="r2"), rubric="all2")
    assert before_after(before, after).changed_inputs == ()


def test_a_failed_answer_has_no_rubric_to_change() -> None:
    assert before_after(run(row(rubric="r1")), run(row(rubric=""))).changed_inputs == ()


def test_ids_reach_the_terminal_without_their_controls() -> None:
    told = told_lines(before_after(run(row("a")), run(row("a"), row("\x1b]0;x\x07b"))))
    assert not any("\x1b" in line for line in told)


def test_new_and_dropped_answers_are_told_apart() -> None:
    found = before_after(run(row("a"), row("b")), run(row("b"), row("c")))
    assert (found.added, found.dropped) == (("c",), ("a",))
    assert list(told_lines(found))[1:] == ["  c: new", "  a: no longer there"]
