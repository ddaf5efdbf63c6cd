from __future__ import annotations

import numpy as np
import pytest
from builders import report
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from coach.evaluation.figures import abstention, by_kind, confusion, quotes, reliability, twins
from coach.evaluation.grade import GradedRow
from coach.evaluation.labels import Labelled
from coach.evaluation.metrics import agreement, levels_agreement, quick_qwk
from coach.judgement import Evidence
from coach.report import CriterionReport, ErrorReport

LEVELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40)


@given(LEVELS)
def test_kappa_of_resamples_is_that_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    found, labelled = np.array(pairs, dtype=float).T
    if len(set(found)) < 2 or len(set(labelled)) < 2:
        assert np.isnan(quick_qwk(found, labelled))
    else:
        expected = cohen_kappa_score(found.astype(int), labelled.astype(int), labels=range(5), weights="quadratic")
        assert quick_qwk(found, labelled) == pytest.approx(expected)


def test_a_step_nobody_took_is_a_step_all_the_same() -> None:
    # By hand: squared distances seen (0 + 4) / 2; by chance, over all four pairs, (0 + 9 + 1 + 4) / 4.
    assert levels_agreement([0, 1], [0, 3])["qwk"] == pytest.approx(1 - 2 / 3.5, abs=1e-3)


def test_agreement_on_nothing_is_undefined_not_zero() -> None:
    assert levels_agreement([], []) == {
        "n": 0, "qwk": None, "spearman": None, "exact": None, "within_one": None, "bias": None,
    }  # fmt: skip


def test_every_figure_has_an_interval() -> None:
    told = levels_agreement([0, 1, 2, 3, 4] * 6, [0, 1, 2, 4, 4] * 6, groups=range(30))
    assert all(told[f"{name}_95"][0] <= told[name] <= told[f"{name}_95"][1] for name in ("qwk", "exact", "bias"))


def row(
    id: str = "a",
    *,
    overall: int | None = 3,
    labelled: int = 3,
    group: str = "q01",
    twin_of: str | None = None,
    kind: str = "part-1",
    flags: frozenset[str] = frozenset(),
    **criterion: object,
) -> GradedRow:
    values: dict[str, object] = {
        "id": "bias", "level": 2, "status": "ok", "weight": 100, "points": 50, "rationale": "", **criterion,
    }  # fmt: skip
    made = report(
        id=id, overall=overall, total=None if overall is None else 50.0, criteria=(CriterionReport(**values),), points=(),
    )  # fmt: skip
    label = Labelled(id, group, "words", labelled, {"bias": 2}, flags, frozenset(), twin_of, kind=kind)
    return GradedRow(label, made)


def test_kinds_are_part_question_and_flag() -> None:
    told = by_kind([row("a"), row("b", flags=frozenset({"hype"}), group="q02", kind="part-2", twin_of="a")])
    assert {way: list(kinds) for way, kinds in told.items()} == {
        "flags": ["twin", "with a red flag", "without a red flag"],
        "kind": ["part-1", "part-2"],
        "question": ["q01", "q02"],
    }


def test_a_kind_counts_answers_without_a_grade_apart() -> None:
    told = by_kind([row("a"), row("b", overall=None)])["kind"]["part-1"]
    assert (told["answers"], told["n"]) == (2, 1)


def test_the_confusion_has_the_label_in_rows() -> None:
    found = confusion([row(labelled=2, overall=4), row(labelled=2, overall=2)])
    assert found[1] == [0, 1, 0, 1, 0]
    assert sum(map(sum, found)) == 2


def test_a_label_inside_its_band_counts_for_the_band() -> None:
    told = reliability([row(band=(1.0, 3.0)), row(band=(3.0, 4.0))])
    assert told["all_levels"]["inside"] == 0.5
    assert [(f["width"], f["inside"]) for f in told["levels"]] == [(1.0, 0.0), (2.0, 1.0)]


def test_without_bands_nothing_is_said_about_them() -> None:
    assert reliability([row()])["levels"] == []


def test_quotes_that_stand_are_counted() -> None:
    evidence = (Evidence(quote="words", start=0, end=5), Evidence(quote="invented"))
    told = quotes([row(evidence=evidence)])
    assert (told["count"], told["of"], told["rate"]) == (1, 2, 0.5)


def test_open_criteria_and_answers_are_counted_without_the_failed() -> None:
    open_row = row("b", overall=None, level=None, status="abstained", points=None)
    failed = row("c", overall=None)
    failed = failed._replace(
        report=failed.report.model_copy(update={"status": "failed", "error": ErrorReport(kind="x", message="y")})
    )
    told = abstention([row(), open_row, failed])
    assert (told["answers"]["rate"], told["criteria"]["rate"]) == (0.5, 0.5)


def test_twins_within_one_are_counted() -> None:
    told = twins([row("a", overall=2), row("b", overall=3, twin_of="a"), row("c", overall=5, twin_of="a")])
    assert (told["pairs"], told["within_one"]) == (2, 0.5)


def test_a_run_in_which_nothing_was_judged_is_told_all_the_same() -> None:
    rows = [row(overall=None, level=None, status="truncated", points=None) for _ in range(3)]
    told = agreement(rows)
    assert (told["judged"], told["abstained"], told["overall"]["qwk"]) == (0, 3, None)


def unflagged(graded: GradedRow) -> GradedRow:
    return graded._replace(report=graded.report.model_copy(update={"red_flags": ()}))


def test_a_single_flag_has_its_own_precision_and_recall() -> None:
    flag = frozenset({"model_first"})
    right, wrong, missed = row(flags=flag), row(), unflagged(row(flags=flag))
    told = agreement([right, wrong, wrong, missed, *[unflagged(row())] * 6])["red_flags"]["model_first"]
    assert (told["precision"], told["recall"]) == (0.333, 0.5)


def test_no_flag_at_all_has_no_precision() -> None:
    assert agreement([unflagged(row())])["red_flags"]["micro_precision"] is None


def test_a_flag_nobody_labelled_counts_against_precision() -> None:
    told = agreement([row(flags=frozenset({"hype"}))])["red_flags"]  # the report raises model_first
    assert (told["micro_precision"], told["model_first"]["precision"], told["hype"]["recall"]) == (0.0, 0.0, 0.0)
