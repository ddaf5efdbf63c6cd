from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from coach import Coach
from coach.errors import CoachError
from coach.judgement import Abstained, Judged
from coach.judges.cross_encoder import FLAGS, GRAPH, TARGETS, UNREAD, Reading
from coach.judges.decision import CRITERIA, DATA, WEIGHTS, Scores, decide, level_shares, load_decision
from coach.judges.estimate import Estimate, beyond_average, moved
from coach.judges.features import SIGNS, answer_features, feature_names, flag_signs
from coach.judges.offline import OfflineJudge, _points
from coach.judges.raised import raised_flags
from coach.models import Finding, JudgeTask, Question
from coach.segment import segment
from coach.weights import DIMENSION

GOOD = (
    "What is the feed for? People come to find ideas for their home, so I'd be judged by saves and by who comes back in a "
    "month, not by clicks. Latency and scale bind first: embeddings fetch candidates, and a simpler ranker that we can "
    "explain orders them. I'd give up a little accuracy for that. I start with a baseline we can debug, and add a deeper "
    "model only if an A/B test over eight weeks shows that people save more. Variety gets a floor, because a deep model "
    "once filled our page with look-alikes, and each stage has an owner and an alarm."
)
NO_SCORES = Scores(*(np.zeros(1, dtype=np.float32),) * 5)
BAD = (
    "I would train a huge transformer on clicks, because deep learning is always the best. Clicks show what users like. "
    "If NDCG goes up we ship it and the work is done. Nothing else is needed, and monitoring is a waste of time."
)


@pytest.fixture(scope="module")
def coach(shared_cache: Path) -> Coach:
    from coach.settings import Settings

    return Coach(judge="offline", settings=Settings(cache_dir=shared_cache))


def task(coach: Coach, answer: str) -> JudgeTask:
    return coach.prepare("q01", answer).task


def levels(coach: Coach, answer: str) -> dict[str, int]:
    judgement = OfflineJudge().judge_now(task(coach, answer))
    return {v.criterion_id: v.level for v in judgement.verdicts if isinstance(v, Judged)}


def test_a_sound_answer_beats_a_model_first_one_on_every_criterion(coach: Coach) -> None:
    good, bad = levels(coach, GOOD), levels(coach, BAD)
    assert all(good[id] > bad[id] for id in good)


def test_model_first_is_flagged_where_the_technique_is_named(coach: Coach) -> None:
    flags = {f.id: f for f in OfflineJudge().judge_now(task(coach, BAD)).red_flags}
    assert "transformer" in flags["model_first"].evidence[0].quote


def test_model_first_is_never_flagged_against_the_order_of_the_answer(coach: Coach) -> None:
    ids = {f.id for f in OfflineJudge().judge_now(task(coach, f"The goal is inspiration. {BAD}")).red_flags}
    assert "model_first" not in ids


def test_quotes_are_slices_of_the_answer(coach: Coach) -> None:
    judgement = OfflineJudge().judge_now(task(coach, GOOD))
    quotes = [e for v in judgement.verdicts if isinstance(v, Judged) for e in v.evidence]
    assert quotes
    assert all(GOOD[e.start : e.end] == e.quote for e in quotes)


def test_every_level_lies_within_its_band(coach: Coach) -> None:
    for verdict in OfflineJudge().judge_now(task(coach, GOOD)).verdicts:
        assert isinstance(verdict, Judged)
        assert verdict.band is not None
        assert verdict.band[0] <= verdict.level <= verdict.band[1]


def test_every_point_gets_a_status(coach: Coach) -> None:
    prepared = task(coach, GOOD)
    judgement = OfflineJudge().judge_now(prepared)
    assert [p.id for p in judgement.points] == [p.id for p in prepared.question.points]


def test_it_abstains_on_a_very_short_answer(coach: Coach) -> None:
    judgement = OfflineJudge().judge_now(task(coach, "I would begin with goals and users, then look at models."))
    assert all(isinstance(v, Abstained) for v in judgement.verdicts)


def test_it_abstains_on_another_language(coach: Coach) -> None:
    foreign = task(coach, GOOD)._replace(findings=(Finding("other_language", "", (), 100.0),))
    assert all(isinstance(v, Abstained) for v in OfflineJudge().judge_now(foreign).verdicts)


def test_the_same_answer_gets_the_same_verdicts(coach: Coach) -> None:
    prepared = task(coach, GOOD)
    assert asyncio.run(OfflineJudge().judge(prepared)) == asyncio.run(OfflineJudge().judge(prepared))


def test_features_have_the_same_names_for_every_answer(coach: Coach) -> None:
    assert answer_features(task(coach, GOOD)).names == feature_names()


def test_features_are_finite_for_odd_answers(coach: Coach) -> None:
    assert np.isfinite(
        answer_features(task(coach, "🙂 " * 30 + "one two three four five six seven eight")).values
    ).all()


def test_signs_have_the_same_length_for_every_answer(coach: Coach) -> None:
    assert flag_signs(task(coach, BAD)).shape == (len(SIGNS),)


VECTORS = np.zeros(2 * DIMENSION, dtype=np.float32)


def reading(*, levels: float = 2.0, points: int = 3, tokens: int = 4) -> Reading:
    """A reading written for this file, not by a network."""
    return Reading(
        levels=np.full(len(TARGETS), levels, dtype=np.float32),
        flags=np.zeros(len(FLAGS), dtype=np.float32),
        points=np.linspace(-9, 9, points).astype(np.float32),
        level_tokens=np.ones((tokens, len(TARGETS)), dtype=np.float32),
        flag_tokens=np.ones((tokens, len(FLAGS)), dtype=np.float32),
        offsets=tuple((i, i + 1) for i in range(tokens)),
    )


def test_levels_and_probabilities_stay_in_range_whatever_is_read() -> None:
    features = np.full(len(feature_names()), 1e9, dtype=np.float32)
    for read in (-1e6, 1e6):
        scores = decide(load_decision(), reading(levels=read), features, np.ones(len(SIGNS), dtype=np.float32), VECTORS)
        assert ((scores.levels >= 0) & (scores.levels <= 4)).all()
        assert ((scores.points >= 0) & (scores.points <= 1)).all()


def test_every_doubt_is_above_zero() -> None:
    features = np.zeros(len(feature_names()), dtype=np.float32)
    assert (
        decide(load_decision(), reading(), features, np.ones(len(SIGNS), dtype=np.float32), VECTORS).doubts > 0
    ).all()


def test_shares_of_the_tokens_sum_to_what_they_add_to_the_level() -> None:
    decision = load_decision()
    shares = level_shares(decision, 0, reading(tokens=5))
    assert shares.sum() == pytest.approx(5 * float(decision.level_weights[0].sum()), abs=1e-4)


def test_a_segment_that_speaks_better_than_the_rest_is_above_zero_and_the_other_below() -> None:
    parts = segment("One two. Three four.")
    found = beyond_average(parts, [(0, 3), (4, 7), (9, 14), (15, 19)], np.array([0.0, 0.0, 1.0, 1.0]))
    assert found.tolist() == [-1.0, 1.0]


def test_a_rationale_names_the_words_that_moved_it(coach: Coach) -> None:
    for verdict in OfflineJudge().judge_now(task(coach, GOOD)).verdicts:
        assert isinstance(verdict, Judged)
        shown = verdict.rationale.split("“")[1].split("”")[0].rstrip("…")
        assert shown in GOOD


def moved_by(coach: Coach, answer: str, shares: list[float]) -> list[str]:
    """The segments that raise a level, most first, where each segment is one token with such a share."""
    prepared = task(coach, answer)
    spans = tuple((s.start, s.end) for s in prepared.segments)
    estimate = Estimate(prepared, load_decision(), reading()._replace(offsets=spans), NO_SCORES)
    found = moved(estimate, np.array(shares))
    return [s.text for s in found.up] + [found.down.text if found.down else ""]


THREE = "People come for ideas first. Saves count more than clicks do. The launch is where the work begins."


def test_the_passage_that_raises_most_stands_first(coach: Coach) -> None:
    assert [s[:6] for s in moved_by(coach, THREE, [0.6, 0.1, 0.9])[:2]] == ["The la", "People"]


def test_a_passage_that_adds_less_than_others_lowers_nothing(coach: Coach) -> None:
    assert moved_by(coach, THREE, [0.9, 0.8, 0.1])[-1] == ""


def test_a_passage_that_takes_away_lowers_it(coach: Coach) -> None:
    assert moved_by(coach, THREE, [0.9, 0.8, -0.1])[-1].startswith("The launch")


def test_a_rationale_begins_with_what_the_level_means(coach: Coach) -> None:
    prepared = task(coach, GOOD)
    meanings = {c.id: [level.descriptor for level in c.criterion.levels] for c in prepared.rubric.criteria}
    for verdict in OfflineJudge().judge_now(prepared).verdicts:
        assert isinstance(verdict, Judged)
        assert verdict.rationale.lower().startswith(meanings[verdict.criterion_id][verdict.level].lower().rstrip("."))


def test_points_for_which_there_is_no_room_are_missing_and_told(coach: Coach) -> None:
    whole = " ".join(
        f"Point {i} says that a cache of kind {i} serves old data unless somebody clears it in time." for i in range(30)
    )
    prepared = coach.prepare(Question(question="How do you run a cache?", reference=whole), GOOD).task
    assert "expert points were not looked for" in OfflineJudge().judge_now(prepared).warnings[-1]


def test_a_point_that_was_not_read_is_not_contradicted(coach: Coach) -> None:
    own = Question(question="When do you ship it?", reference="We never ship it on a Friday evening.")
    answer = "We ship it on a Friday evening. That is how we have always done it here in our team of ten people."
    prepared = coach.prepare(own, answer).task
    read, unread = reading(points=1), reading(points=1)._replace(points=np.array([UNREAD]))
    assert [_points(prepared, NO_SCORES, r)[0].status for r in (read, unread)] == ["contradicted", "missing"]


def test_the_range_told_holds_the_level_told(coach: Coach) -> None:
    for verdict in OfflineJudge().judge_now(task(coach, GOOD)).verdicts:
        assert isinstance(verdict, Judged)
        assert verdict.band is not None
        assert verdict.band[0] <= verdict.level <= verdict.band[1]
        assert f"between {verdict.band[0]:g} and {verdict.band[1]:g}" in verdict.rationale


def test_a_level_of_zero_was_raised_by_nothing(coach: Coach) -> None:
    verdicts = [v for v in OfflineJudge().judge_now(task(coach, BAD)).verdicts if isinstance(v, Judged) and not v.level]
    assert verdicts
    assert not any("raised most" in v.rationale.lower() for v in verdicts)


def test_a_doubt_beyond_the_limit_abstains(coach: Coach) -> None:
    decision = load_decision()
    strict = decision._replace(doubt_limits=np.zeros(len(CRITERIA), dtype=np.float32))
    verdicts = OfflineJudge(strict).judge_now(task(coach, GOOD)).verdicts
    assert all(isinstance(v, Abstained) for v in verdicts)


def test_an_answer_longer_than_the_network_reads_at_once_gets_all_its_levels(coach: Coach) -> None:
    long = " ".join(f"In month {i} people saved more ideas and came back to them." for i in range(120))
    assert len(OfflineJudge().judge_now(task(coach, long)).verdicts) == len(CRITERIA)


def test_weights_for_other_features_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    weights = tmp_path / "data" / WEIGHTS
    weights.write_text(weights.read_text(encoding="utf-8").replace('"log_words"', '"log_letters"'), encoding="utf-8")
    with pytest.raises(CoachError, match="other features"):
        load_decision(tmp_path / "data")


def test_a_network_that_is_not_the_one_trained_with_is_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    with (tmp_path / "data" / GRAPH).open("ab") as file:
        file.write(b"x")
    with pytest.raises(CoachError, match="not the one"):
        load_decision(tmp_path / "data")


def test_weights_that_tell_of_other_flags_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    weights = tmp_path / "data" / WEIGHTS
    weights.write_text(
        weights.read_text(encoding="utf-8").replace('"one_time_fix"', '"two_time_fix"'), encoding="utf-8"
    )
    with pytest.raises(CoachError, match="other criteria or flags"):
        load_decision(tmp_path / "data")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(CoachError, match="cannot be read"):
        load_decision(tmp_path)


def test_the_network_keeps_within_its_size() -> None:
    assert (DATA / GRAPH).stat().st_size < 30_000_000


@pytest.mark.parametrize(("coverage", "raised"), [(1.4, True), (1.6, False)])
def test_nothing_that_says_part_of_what_the_expert_says_is_off_topic(
    coach: Coach, coverage: float, raised: bool
) -> None:
    asked = task(coach, GOOD)
    levels = np.where(np.array(CRITERIA) == "expert_coverage", coverage, 3.0).astype(np.float32)
    odds = np.where(np.array(FLAGS) == "off_topic", 1.0, -1.0).astype(np.float32)
    scores = Scores(levels, levels, levels, odds, np.zeros(len(asked.question.points), dtype=np.float32))
    read = reading()
    assert any(f.id == "off_topic" for f in raised_flags(Estimate(asked, load_decision(), read, scores))) == raised
