"""Judges with planted biases of known size: the probes must find each, and find nothing in a judge that has none."""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fakes import HashEmbedder

from coach import Coach
from coach.bank import load_bank
from coach.errors import InputError
from coach.evaluation.labels import Labelled
from coach.evaluation.probe import PROBES, chosen_probes, run_probes
from coach.evaluation.probe_card import ProbeResult, ReportCard, report_card
from coach.judgement import Abstained, Evidence, Judged, Judgement
from coach.models import JudgeTask
from coach.report import JudgeKind

TOPICS = (
    "lanterns", "kettles", "bridges", "gardens", "violins", "harbours", "bakeries", "glaciers", "carpets", "beehives",
    "quarries", "theatres",
)  # fmt: skip
MERITS = ("latency", "retention", "budget")
"""Words the judges here take for merit; one level each, so that an honest answer lies between 1 and 3 of 4."""
LIGHT, HEAVY = "tradeoffs", "communication"
"""Criteria of weight 40 and 60: a level more is 10 points on the first, 15 on the second."""
ANSWERS = 60


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    (folder / "questions").mkdir()
    (folder / "bank.yaml").write_text(yaml.dump({"id": "t", "title": "t", "questions": list(TOPICS)}), encoding="utf-8")
    for topic in TOPICS:
        question = {
            "id": topic,
            "question": f"How would you run {topic} for people?",
            "reference": f"Start with the people who use {topic}, and say what {topic} cost.",
            "weights": {LIGHT: 40, HEAVY: 60},
        }
        (folder / "questions" / f"{topic}.yaml").write_text(yaml.dump(question), encoding="utf-8")
    return folder


def answers() -> list[Labelled]:
    """Five answers to each of twelve questions; each has one to three merits, and sentences any probe can change."""
    found = []
    for n in range(ANSWERS):
        topic = TOPICS[n % len(TOPICS)]
        merits = MERITS[: 1 + n % 3]
        said = " ".join(f"We watch the {m} of the whole thing before anything else is built." for m in merits)
        text = (
            f"People who come for {topic} number {n} want to find them quickly. We do not know them well yet. {said} "
            "Somebody must look after it at night. Perhaps a small start is the best start of all."
        )
        found.append(Labelled(f"a{n}", topic, text, 3, {}, frozenset(), frozenset(), None))
    return found


Levels = Callable[[str], dict[str, int]]


def merit(answer: str) -> int:
    return sum(m in answer for m in MERITS)


class PlantedJudge:
    """Judges by merits, knows the question's topic, and has a bias planted into it."""

    kind: JudgeKind = "llm"
    name = "planted"
    model: str | None = None
    fingerprint = "f"
    prompt_fingerprint = "p"

    def __init__(self, bias: Callable[[str], tuple[int, int]] = lambda _: (0, 0), *, knows_topic: bool = True) -> None:
        self._bias = bias
        self._knows_topic = knows_topic

    async def judge(self, task: JudgeTask) -> Judgement:
        light, heavy = self._bias(task.answer)
        known = not self._knows_topic or task.question.id in task.answer
        fair = merit(task.answer) if known else 0
        return Judgement(verdicts=(self._verdict(LIGHT, fair + light, task), self._verdict(HEAVY, fair + heavy, task)))

    def _verdict(self, id: str, level: int, task: JudgeTask) -> Judged:
        sentences = [s.text for s in task.segments if any(m in s.text for m in MERITS)] or [task.segments[0].text]
        return Judged(
            criterion_id=id, level=min(4, max(0, level)), evidence=tuple(Evidence(quote=q) for q in sentences)
        )

    async def aclose(self) -> None:
        pass


def draw(answer: str, share: float) -> bool:
    """True for this share of texts, always the same for the same text."""
    return hashlib.sha256(answer.encode()).digest()[0] < 256 * share


def card(bank: Path, judge: PlantedJudge, *names: str) -> ReportCard:
    coach = Coach(judge=judge, bank=load_bank(bank), embedder=HashEmbedder())
    return report_card(asyncio.run(run_probes(coach, answers(), probes=chosen_probes(names))))


def only(bank: Path, judge: PlantedJudge, name: str) -> ProbeResult:
    return card(bank, judge, name).results[0]


def test_a_judge_without_bias_comes_out_clean(bank: Path) -> None:
    found = card(bank, PlantedJudge())
    assert {r.name: r.verdict for r in found.results} == dict.fromkeys((p.name for p in PROBES), "clean")
    assert found.clean


def test_every_probe_had_answers_to_change(bank: Path) -> None:
    assert all(r.pairs >= 20 for r in card(bank, PlantedJudge()).results)


def test_ten_points_for_length_are_found(bank: Path) -> None:
    result = only(bank, PlantedJudge(lambda a: (len(a.split()) > 100, 0)), "pad")
    assert result.lift.value == pytest.approx(10)
    assert result.findings[0] == "lifts"


def test_ten_points_in_six_cases_of_ten_lie_within_the_interval(bank: Path) -> None:
    result = only(bank, PlantedJudge(lambda a: (len(a.split()) > 100 and draw(a, 0.6), 0)), "pad")
    assert result.lift.low is not None
    assert result.lift.high is not None
    assert result.lift.low <= 6 <= result.lift.high
    assert result.lift.low > 0
    assert "lifts" in result.findings


def test_a_dislike_of_contractions_is_found(bank: Path) -> None:
    result = only(bank, PlantedJudge(lambda a: (-("n't" in a), 0)), "reword")
    assert result.lift.value == pytest.approx(-10)
    assert "lowers" in result.findings


def test_a_judge_that_obeys_is_found_behind_the_cap(bank: Path) -> None:
    obeys = PlantedJudge(lambda a: (4, 4) if re.search("highest|full marks|level 4|maximum", a) else (0, 0))
    result = only(bank, obeys, "instruct")
    # Honest answers have levels 1, 2 and 3 by turns, so 4 throughout lifts them by 75, 50 and 25 points.
    assert result.lift.value == pytest.approx(50)
    assert "lifts" in result.findings
    assert result.total_lift.high is not None
    assert result.total_lift.high < 50  # the screen's cap keeps users from seeing all of it


def test_a_coin_in_the_judge_is_found_and_measured(bank: Path) -> None:
    coin = random.Random(11)

    def bias(_: str) -> tuple[int, int]:
        return (1, 1) if coin.random() < 0.3 else (0, 0)

    result = only(bank, PlantedJudge(bias), "repeat")
    # One level on all criteria is one step of the signal; the two calls differ with probability 2 * 0.3 * 0.7.
    assert result.flips.low is not None
    assert result.flips.high is not None
    assert result.flips.low <= 0.42 <= result.flips.high
    assert result.findings == ("flips",)


def test_a_taste_for_an_order_is_found(bank: Path) -> None:
    def last(answer: str) -> str:
        return answer.rstrip(".").rsplit(". ", 1)[-1]

    result = only(bank, PlantedJudge(lambda a: (0, "small start" in last(a))), "reorder")
    assert result.lift.low is not None
    assert result.lift.low <= -15 * result.fell.value <= 0 if result.fell.value is not None else False
    assert "lowers" in result.findings


def test_levels_without_evidence_do_not_fall(bank: Path) -> None:
    stubborn = PlantedJudge(lambda a: (3 - merit(a), 3 - merit(a)))
    assert only(bank, stubborn, "unsupport").findings == ("does not fall",)


def test_evidence_taken_out_of_a_sound_judge_costs_what_it_gave(bank: Path) -> None:
    result = only(bank, PlantedJudge(), "unsupport")
    assert result.lift.value == pytest.approx(-50)  # levels 1, 2 and 3 by turns, all gone
    assert result.verdict == "clean"


def test_a_judge_that_does_not_read_the_question_is_found(bank: Path) -> None:
    result = only(bank, PlantedJudge(knows_topic=False), "swap")
    assert result.findings == ("stays up",)
    assert result.above_floor.value == 1.0


def test_a_bias_below_what_counts_is_no_finding(bank: Path) -> None:
    # 10 points for one answer in twenty: 0.5 on average.
    rare = PlantedJudge(lambda a: (len(a.split()) > 100 and draw(a, 0.05), 0))
    assert only(bank, rare, "pad").verdict == "clean"


def test_the_smallest_effect_seen_shrinks_with_the_sample(bank: Path) -> None:
    judge = PlantedJudge(lambda a: (draw(a, 0.5), 0))
    coach = Coach(judge=judge, bank=load_bank(bank), embedder=HashEmbedder())

    def detectable(count: int) -> float:
        run = asyncio.run(run_probes(coach, answers()[:count], probes=chosen_probes(["pad"])))
        return report_card(run).results[0].detectable_lift or 0.0

    assert detectable(60) < detectable(18)


def test_few_answers_make_no_judge_clean(bank: Path) -> None:
    coach = Coach(judge=PlantedJudge(), bank=load_bank(bank), embedder=HashEmbedder())
    run = asyncio.run(run_probes(coach, answers()[:6], probes=chosen_probes(["repeat"])))
    assert report_card(run).results[0].verdict == "too few"


class Abstaining(PlantedJudge):
    async def judge(self, task: JudgeTask) -> Judgement:
        return Judgement(verdicts=tuple(Abstained(criterion_id=c, reason="cannot tell") for c in (LIGHT, HEAVY)))


def test_answers_that_get_no_grade_are_counted_not_probed(bank: Path) -> None:
    found = card(bank, Abstaining())
    assert (found.answers, found.graded) == (ANSWERS, 0)
    assert all(r.pairs == 0 and r.verdict == "too few" for r in found.results)


def test_an_unknown_probe_is_told() -> None:
    with pytest.raises(InputError, match="no probe 'rewrod'"):
        chosen_probes(["rewrod"])
