"""The libraries, and the modes each is measured in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Mode(NamedTuple):
    """One way of asking one library; a row of the table."""

    name: str
    adapter: str
    """Module of `bench.peers.adapters`."""
    mode: str
    """What the adapter is told."""
    form: str
    """Key of `bench.peers.replies`."""
    requests: int
    """A graded answer costs so many; another number is an error."""
    environment: str | None = None
    """Name of its requirements file; None for the environment this runs in."""


SHIPPED = Mode("coach batch, journal on", "ours", "batch", "coach", 1)
KNOWN = Mode("coach batch, journal on, vectors known", "ours", "batch, vectors known", "coach", 1)
OURS = (
    SHIPPED,
    Mode("coach `agrade_many`", "ours", "library", "coach", 1),
    KNOWN,
    Mode("coach `agrade_many`, vectors known", "ours", "library, vectors known", "coach", 1),
)
PEERS = (
    Mode("rubric `PerCriterionOneShotGrader`", "rubric", "one-shot", "rubric-one-shot", 1, "rubric"),
    Mode("autorubric `per_item`", "autorubric", "per_item", "autorubric-per-item", 1, "autorubric"),
    Mode("autoevals `LLMClassifier` x6", "autoevals", "", "autoevals", 6, "autoevals"),
    Mode("rubric `PerCriterionGrader`", "rubric", "per-criterion", "rubric-per-criterion", 6, "rubric"),
    Mode("openevals async x6", "openevals", "", "openevals", 6, "openevals"),
    Mode("autorubric per criterion", "autorubric", "per_criterion", "autorubric-per-criterion", 6, "autorubric"),
    Mode("inspect_ai `model_graded_qa` x6", "inspect", "", "inspect", 6, "inspect_ai"),
    Mode("deepeval `GEval` x6, `evaluation_steps`", "deepeval", "", "deepeval", 6, "deepeval"),
)
QUIET: Mapping[str, str] = {
    "DEEPEVAL_NO_INSPECT_PROMPT": "1",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_API_KEY": "not-checked",
}
"""Variables that keep the libraries from reaching for the network, and from asking."""
