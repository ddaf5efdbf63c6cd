"""Labelled answers, training of the offline judge, and comparisons that need a checkout."""

from pathlib import Path

ANSWERS = Path(__file__).parent / "answers"
