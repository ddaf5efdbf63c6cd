from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from coach import Coach
from coach.errors import CoachError
from coach.judges.decision import DATA, contributions, covered_probability, decide, load_decision
from coach.judges.features import POINT_FEATURES, answer_features, feature_names, point_features
from coach.judges.offline import OfflineJudge
from coach.models import Abstained, Finding, Judged, JudgeTask

GOOD = (
    "What is the feed for? People come to find ideas for their home, so I'd be judged by saves and by who comes back in a "
    "month, not by clicks. Latency and scale bind first: embeddings fetch candidates, and a simpler ranker that we can "
    "explain orders them. I'd give up a little accuracy for that. I start with a baseline we can debug, and add a deeper "
    "model only if an A/B test over eight weeks shows that people save more. Variety gets a floor, because a deep model "
    "once filled our page with look-alikes, and each stage has an owner and an alarm."
)
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


def test_points_have_one_row_each(coach: Coach) -> None:
    assert point_features(task(coach, GOOD)).shape == (7, len(POINT_FEATURES))


def test_contributions_of_the_segments_are_their_share_of_the_sum() -> None:
    decision = load_decision()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 384)).astype(np.float32)
    added = contributions(decision, 0, vectors).sum()
    assert added == pytest.approx(float(decision.vector_weights[0, 1] @ vectors.mean(axis=0)), abs=1e-4)


def test_levels_stay_in_range() -> None:
    decision = load_decision()
    features = np.full(len(feature_names()), 1e9, dtype=np.float32)
    scores = decide(decision, features, np.ones((3, 384), dtype=np.float32))
    assert ((scores.levels >= 0) & (scores.levels <= 4)).all()


def test_probabilities_stay_in_range() -> None:
    rows = np.random.default_rng(0).normal(size=(9, len(POINT_FEATURES))).astype(np.float32)
    found = covered_probability(load_decision(), rows, 2.0)
    assert ((found >= 0) & (found <= 1)).all()


def test_weights_for_other_features_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    card = tmp_path / "data" / "offline.json"
    card.write_text(card.read_text(encoding="utf-8").replace('"log_words"', '"log_letters"'), encoding="utf-8")
    with pytest.raises(CoachError, match="other features"):
        load_decision(tmp_path / "data")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(CoachError, match="cannot be read"):
        load_decision(tmp_path)
