"""The report as text: terminal, Markdown, HTML, JSON. A renderer is any `Callable[[FeedbackReport, str], str]`.

The second argument is the answer as it was graded; the report's offsets point into it.
"""

from __future__ import annotations

from collections.abc import Callable

from coach.render import html, json_, markdown, terminal
from coach.report import FeedbackReport

RENDERERS: dict[str, Callable[[FeedbackReport, str], str]] = {
    "terminal": terminal.render,
    "md": markdown.render,
    "html": html.render,
    "json": json_.render,
}
