"""What every judge keeps to."""

from __future__ import annotations

from typing import Protocol

from coach.judgement import Judgement
from coach.models import JudgeTask
from coach.report import JudgeKind


class Judge(Protocol):
    """Levels and evidence for one answer; arithmetic is none of its business."""

    @property
    def kind(self) -> JudgeKind:
        """Which sort of judge this is."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    @property
    def model(self) -> str | None:
        """The model behind it, if there is one."""

    @property
    def fingerprint(self) -> str:
        """Digest of all its verdicts depend on, besides prompt, rubric and answer."""

    @property
    def prompt_fingerprint(self) -> str:
        """Digest of the prompts it sends; of nothing where it sends none."""

    async def judge(self, task: JudgeTask) -> Judgement:
        """One verdict for every criterion of the rubric, in the rubric's order.

        Raises:
            JudgeError: nothing at all could be judged. A failure is never a verdict.
        """

    async def aclose(self) -> None:
        """Close connections."""
