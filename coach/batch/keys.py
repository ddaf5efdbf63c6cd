"""The key under which a grade is kept: a digest of all that it depends on."""

from __future__ import annotations

import hashlib

from coach.batch.rows import Entry
from coach.fingerprints import digest_of
from coach.pipeline import Pipeline
from coach.report import SCHEMA_VERSION


class Keys:
    """Keys of rows for one pipeline: judge and its parameters, prompts, encoder; then question with rubric; then answer.

    The answer counts as it came in, letter by letter: cleaning it first would cost more than all the rest.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        judge, encoder = pipeline.judge, pipeline.preparer.embedder_name
        self._questions = pipeline.questions
        scope = digest_of([SCHEMA_VERSION, judge.fingerprint, judge.prompt_fingerprint, encoder])
        self._start = hashlib.sha256(scope.encode("ascii"))

    def key(self, entry: Entry) -> bytes:
        """32 bytes.

        Raises:
            InputError: the question is unknown or blank.
        """
        found = self._start.copy()
        found.update(self._questions.ready(entry.asked).fingerprint.encode("ascii"))
        found.update(entry.answer.encode("utf-8", "surrogatepass"))
        return found.digest()
