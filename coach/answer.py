"""An answer as it comes in: bytes to text, and text to text that is safe to handle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from coach.errors import InputError

MAX_ANSWER_CHARS = 50_000
"""A longer answer is refused: it is no answer to an interview question, and would cost a judge a fortune."""
MAX_FILE_BYTES = 4_000_000

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]?)")
_REMOVED = (
    ("terminal escape sequence", _ANSI),
    ("control character", re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")),
    ("bidirectional control", re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")),
    ("invisible character", re.compile(r"[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")),
)
"""What is taken out of every answer, in this order. Joiners (U+200C, U+200D) stay: scripts and emoji need them."""

_LONE = re.compile("[\ud800-\udfff]")
_APOSTROPHE = re.compile(r"(?<=\w)[\u2019\u02bc\uff07](?=\w)")
"""As phones and word processors type it; inside a word all that follows knows the plain one only."""


class CleanAnswer(NamedTuple):
    """The answer as graded, and what was done to it. All offsets in a report point into `text`."""

    text: str
    warnings: tuple[str, ...]


def plain_apostrophes(text: str) -> str:
    """Apostrophes inside words as keyboards type them; as long as before."""
    return _APOSTROPHE.sub("'", text)


def clean_answer(text: str) -> CleanAnswer:
    """Take out what only a machine would notice, and say so.

    Raises:
        InputError: nothing is left, or the answer is longer than MAX_ANSWER_CHARS.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    warnings = []
    for name, pattern in _REMOVED:
        text, count = pattern.subn("", text)
        if count:
            warnings.append(f"{count} {name}{'s' if count > 1 else ''} taken out of the answer.")
    text, lone = _LONE.subn("\ufffd", text)
    if lone:
        warnings.append(f"{lone} broken character{'s' if lone > 1 else ''} replaced in the answer.")
    text = plain_apostrophes(text)
    if not text.strip():
        raise InputError("the answer is empty", hint="Write an answer first; there is nothing to grade.")
    if len(text) > MAX_ANSWER_CHARS:
        raise InputError(
            f"the answer has {len(text):,} characters, more than {MAX_ANSWER_CHARS:,}",
            hint="Is this the right file? Grade one answer at a time, or shorten it.",
        )
    return CleanAnswer(text, tuple(warnings))


def decode_answer(data: bytes, *, source: str) -> str:
    """Bytes of a file or stream as text: UTF-8, with or without a mark, or UTF-16 with one.

    Args:
        data: all of the bytes.
        source: what to call them in an error.

    Raises:
        InputError: the bytes are no text; names the first bad byte.
    """
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        kind = "looks binary" if b"\x00" in data[:1024] else "is not UTF-8"
        raise InputError(
            f"{source} {kind}: byte {error.start} cannot be read",
            hint="Save it as UTF-8 text, e.g. `iconv -f latin1 -t utf-8 FILE`; a PDF or Word file must be exported.",
        ) from None


def read_answer_file(path: Path) -> str:
    """The text of a file.

    Raises:
        InputError: it cannot be read, is too large, or holds no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="Check the path.") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes", hint="Is this the right file?")
    return decode_answer(data, source=str(path))
