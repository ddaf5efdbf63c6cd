"""What is shown on standard error while an LLM works: criteria as they complete."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from coach.judgement import Judged
    from coach.judges.base import Judge
    from coach.settings import Settings


class Progress:
    """A status line on a terminal, one plain line elsewhere; nothing for judges that answer at once."""

    def __init__(self, settings: Settings) -> None:
        from coach.settings import shown_url

        self._where = shown_url(settings.base_url) if settings.base_url else "OpenAI"
        self._update: Callable[[str], None] | None = None
        self._levels: dict[str, int] = {}
        """What was heard last of each criterion, from all calls that run side by side."""

    def listener(self) -> Callable[[tuple[Judged, ...]], None] | None:
        """To be told verdicts as they come in; None where nobody looks on, so that replies need not be streamed."""
        return self._heard if sys.stderr.isatty() else None

    @contextmanager
    def showing(self, judge: Judge) -> Iterator[None]:
        """Show that the judge works, for as long as it does."""
        if judge.kind not in {"llm", "panel"}:
            yield
            return
        from coach.render.plain import inert

        self._line = f"Asking {inert(judge.model or 'the model')} at {inert(self._where)} ..."
        if not sys.stderr.isatty():
            typer.echo(self._line, err=True)
            yield
            return
        from rich.console import Console

        with Console(stderr=True, markup=False, highlight=False).status(self._line) as status:
            self._update = status.update
            yield

    def _heard(self, verdicts: tuple[Judged, ...]) -> None:
        if self._update and verdicts:
            self._levels |= {v.criterion_id: v.level for v in verdicts}
            told = ", ".join(f"{id} {level}" for id, level in self._levels.items())
            self._update(f"{self._line} {told}")
