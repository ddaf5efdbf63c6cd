"""What is handed to a library's environment, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Job(NamedTuple):
    """Runs of one library in one mode."""

    mode: str
    work: str
    """File of `bench.peers.work.write_work`."""
    url: str
    """Base URL of the endpoint, ends in /v1."""
    answers: int
    runs: int
    """At most: none is begun after `budget` seconds of grading."""
    budget: float
    warm_up: int
    """Answers graded before the clock starts; 0 for none."""
    criteria: int
    level: float
    """What every criterion must come out as."""

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(self._asdict()), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """What `write` wrote."""
        return Job(**json.loads(path.read_text(encoding="utf-8")))


class Took(NamedTuple):
    """What the runs cost; the median where there are several."""

    seconds: float
    cpu: float
    megabytes: float
    """Most memory of the process, over all runs."""
    imported: float
    """Seconds."""
    runs: int = 1
