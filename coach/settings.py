"""What the environment says, read once at the edge (command line, server) and passed down as plain values."""

from __future__ import annotations

import os
import shlex
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path
from pydantic import Field, ValidationError

from coach.errors import InputError
from coach.models import Frozen

OPENAI_MODEL = "gpt-5.4-mini"
"""Model asked for at the endpoint of OpenAI when none is named."""

Precision = Literal["auto", "fp32", "bf16"]
"""`auto`: bf16 for batches where the processor has AMX and it agrees with fp32, else fp32."""

ENVIRONMENT = {
    "api_key": ("COACH_API_KEY", "OPENAI_API_KEY"),
    "base_url": ("COACH_BASE_URL", "OPENAI_BASE_URL"),
    "model": ("COACH_MODEL",),
    "bank": ("COACH_BANK",),
    "cache_dir": ("COACH_CACHE_DIR",),
    "price_file": ("COACH_PRICES",),
    "replay_file": ("COACH_REPLAY_FILE",),
    "timeout": ("COACH_TIMEOUT",),
    "tries": ("COACH_TRIES",),
    "precision": ("COACH_PRECISION",),
}
"""Setting to the variables that set it, first one wins."""


def shown_url(url: str) -> str:
    """An address as it may be shown: without the name and password that can stand in it."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Settings(Frozen):
    """Settings of one run. Command-line options override them with `with_options`."""

    api_key: str | None = Field(default=None, repr=False, description="key of the LLM endpoint")
    base_url: str | None = Field(
        default=None, pattern=r"^https?://[^/\s]+", description="base URL of an OpenAI-compatible endpoint, ends in /v1"
    )
    model: str | None = Field(default=None, description="model to ask for")
    bank: Path | None = Field(default=None, description="folder of a bank; the shipped one when not given")
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("coach"), description="exported encoder, vectors, endpoint notes"
    )
    price_file: Path | None = Field(default=None, description="prices that override the shipped table")
    replay_file: Path | None = Field(default=None, description="recorded replies for the judge `replay`")
    record_file: Path | None = Field(default=None, description="where an LLM judge's replies are written down")
    timeout: float = Field(default=120.0, gt=0, description="seconds one call to the judge may take")
    tries: int = Field(default=4, ge=1, le=20, description="HTTP requests one call may cost before it is given up")
    repair_calls: int = Field(
        default=2, ge=0, le=10, description="calls that ask again for what is missing or does not hold"
    )
    samples: int = Field(default=1, ge=1, le=25, description="judgements drawn per answer; the median counts")
    per_call: int = Field(default=0, ge=0, description="criteria asked for in one call, 0 for all of them")
    max_cost: float | None = Field(default=None, gt=0, description="US dollars after which no call starts")
    use_cache: bool = Field(default=True, description="reuse the verdict of an identical request")
    few_shot: int = Field(default=0, ge=0, le=20, description="labelled answers shown to the LLM for calibration")
    precision: Precision = Field(
        default="auto",
        description="the encoder's: `fp32`, `bf16`, or `auto`, which is bf16 for batches where the processor has AMX",
    )
    few_shot_file: Path | None = Field(default=None, description="labelled answers to choose from, JSONL")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the variables of `ENVIRONMENT`.

        Raises:
            InputError: if a variable's value cannot be used; names the variable.
        """
        env = os.environ if environment is None else environment  # noqa: TID251 - the one place
        found = {
            name: next((env[v].strip() for v in names if env.get(v, "").strip()), None)
            for name, names in ENVIRONMENT.items()
        }
        return cls._checked({k: v for k, v in found.items() if v is not None}, ENVIRONMENT)

    def with_options(self, **options: object) -> Settings:
        """A copy in which every option that was given (is not None) wins."""
        given = {k: v for k, v in options.items() if v is not None}
        flags = {k: (f"--{k.replace('_', '-')}",) for k in given}
        return self._checked(self.model_dump() | given, flags)

    @classmethod
    def _checked(cls, values: Mapping[str, object], sources: Mapping[str, tuple[str, ...]]) -> Settings:
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            told = "a base URL starts with http:// or https://" if name == "base_url" else first["msg"]
            raise InputError(
                f"{' or '.join(sources.get(name, (name,)))} cannot be used: {told} (got {first['input']!r})"
            ) from None

    @property
    def llm_configured(self) -> bool:
        """Whether a key or a base URL says where an LLM is."""
        return bool(self.api_key or self.base_url)

    def means_offline(self, choices: Sequence[str]) -> bool:
        """Whether `auto` is among the choices and stands for the offline judge here."""
        return "auto" in choices and not self.llm_configured

    def required_model(self) -> str:
        """The model to ask for.

        Raises:
            InputError: for an endpoint of one's own without a model named.
        """
        if self.model:
            return self.model
        if self.base_url is None or "api.openai.com" in self.base_url:
            return OPENAI_MODEL
        raise InputError(
            f"no model is named for the endpoint {shown_url(self.base_url)}",
            hint="Add --model NAME or set COACH_MODEL; `coach doctor` lists what the endpoint offers.",
        )


def editor_command() -> list[str]:
    """The user's editor with its arguments: $VISUAL, $EDITOR, else vi."""
    env = os.environ  # noqa: TID251 - the one place
    return shlex.split(env.get("VISUAL") or env.get("EDITOR") or "vi") or ["vi"]


def wants_color() -> bool:
    """Whether colours are welcome, by the convention of no-color.org."""
    return not os.environ.get("NO_COLOR")  # noqa: TID251 - the one place


def without_ray_reports() -> None:
    """Ask Ray, before it is imported, not to send reports on its use; whoever wants to sets the variable themselves."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # noqa: TID251 - the one place


def ray_address() -> str | None:
    """Where Ray is told that its cluster is; None where it looks for one on this machine."""
    return os.environ.get("RAY_ADDRESS")  # noqa: TID251 - the one place
