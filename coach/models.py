"""What an answer is judged on: bank, question, rubric, answer, matches, findings. Data only; nothing here acts on anything.

Offsets everywhere are in characters (code points) of the answer as graded, half-open: `text[start:end]`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

MAX_LEVEL = 4
"""Highest level of every criterion; levels run 0..MAX_LEVEL without a gap."""

MAX_WEIGHT = 100.0

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, pattern=r"\S")]
LevelValue = Annotated[int, Field(ge=0, le=MAX_LEVEL)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Frozen(BaseModel):
    """Immutable, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- bank -----------------------------------------------------------------------------------------------------------


class Level(Frozen):
    """One step of a criterion: what it means, and an anchor answer that shows it."""

    value: LevelValue
    descriptor: Text
    anchor: Text


class Criterion(Frozen):
    """A criterion with a descriptor and an anchor for every level 0..4."""

    id: Id
    title: Text
    description: Text
    levels: tuple[Level, ...]


class RedFlag(Frozen):
    """A fault that caps the total, whatever else the answer does well."""

    id: Id
    title: Text
    description: Text
    cap: Annotated[float, Field(ge=0, le=100)] = Field(description="highest total, 0..100, an answer with it can get")
    applies_by_default: bool = True
    shows: Text = Field(description="a short answer that shows the flag")
    only_warns: Text = Field(description="a short answer that names the fault to warn against it, and is not flagged")


class ExpertPoint(Frozen):
    """One thing the expert answer says."""

    id: Id
    text: Text


class Signal(Frozen):
    """A phrase interviewers like to hear, and what must stand behind it for it to count."""

    phrase: Text
    behind: Text


BROUGHT = "brought"
"""Id of a question that was brought along without one."""


class Question(Frozen):
    """A question with what is expected of its answer.

    Only `question` and `reference` are needed: a question brought along has no bank behind it, is graded on the
    generic criteria, and its points are cut from the reference when none are given.
    """

    id: Id = BROUGHT
    question: Text
    reference: Text = Field(description="the expert answer")
    points: tuple[ExpertPoint, ...] = ()
    why: str = ""
    example: str = ""
    weights: dict[Id, Finite | None] = Field(
        default_factory=dict,
        description="criterion id to weight; weights sum to 100; null leaves the criterion out of this question",
    )
    red_flags: dict[Id, Text] = Field(
        default_factory=dict, description="red flag id to what it looks like in this very question"
    )
    signal: Signal | None = None
    follow_ups: tuple[Text, ...] = ()


class WeightedCriterion(Frozen):
    """A criterion as it counts for one question."""

    criterion: Criterion
    weight: Annotated[float, Field(gt=0, le=MAX_WEIGHT)]

    @property
    def id(self) -> str:
        """The criterion's id."""
        return self.criterion.id


class ApplicableFlag(Frozen):
    """A red flag as it applies to one question."""

    flag: RedFlag
    looks_like: str = ""

    @property
    def id(self) -> str:
        """The flag's id."""
        return self.flag.id


class Rubric(Frozen):
    """What one question is graded on. Weights sum to 100."""

    criteria: tuple[WeightedCriterion, ...]
    red_flags: tuple[ApplicableFlag, ...]


# --- answer, matches, screening -------------------------------------------------------------------------------------


class Span(NamedTuple):
    """A piece of the answer: `answer[start:end]`."""

    start: int
    end: int


SegmentKind = Literal["sentence", "bullet", "heading", "code"]


class Segment(NamedTuple):
    """A sentence, bullet, heading or code block of the answer; `answer[start:end] == text` always."""

    start: int
    end: int
    text: str
    kind: SegmentKind = "sentence"


class Passage(NamedTuple):
    """A place in the answer that is close to an expert point."""

    start: int
    end: int
    cosine: float
    """Cosine of the embeddings, -1..1. Says where to look; no level follows from it."""
    overlap: float
    """Share of the point's content words (stemmed) found in the passage, 0..1."""


class PointMatch(NamedTuple):
    """The passages closest to one expert point, best first."""

    point: ExpertPoint
    passages: tuple[Passage, ...]


class Landmarks(NamedTuple):
    """Where each kind of talk first appears in the answer; None where it never does."""

    objective: Span | None = None
    constraint: Span | None = None
    model: Span | None = None
    metric: Span | None = None


class Matches(NamedTuple):
    """Expert points against the answer, and the order in which the answer takes things up."""

    points: tuple[PointMatch, ...]
    landmarks: Landmarks
    similarity: float
    """Cosine of whole answer and whole expert answer, -1..1."""
    topicality: float
    """Highest cosine of any segment with the question, its points or its expert answer, -1..1."""
    vectors: Any = None
    """Shape (s + 1, d), float32, rows of unit length: the answer's s segments, then the answer as a whole."""


class Finding(NamedTuple):
    """What a check of the screen found. It has authority over any judge."""

    check: str
    message: str
    spans: tuple[Span, ...]
    cap: float
    """Highest total, 0..100, this answer can get."""
    flag_id: str | None = None
    """The red flag it raises, if any."""
    decides: bool = False
    """True where no judge is needed: every criterion is at level 0."""


# --- what a judge is given ------------------------------------------------------------------------------------------


class JudgeTask(NamedTuple):
    """All a judge gets to see. The answer is untrusted text."""

    question: Question
    rubric: Rubric
    answer: str
    segments: tuple[Segment, ...]
    matches: Matches
    findings: tuple[Finding, ...] = ()
