"""Labelled answers, training of the offline judge, and comparisons that need a checkout."""

from pathlib import Path

ANSWERS = Path(__file__).parent / "answers"
PINS = Path(__file__).parent / "pins.yaml"
RECORDS = Path(__file__).parent / "replay" / "smollm2-135m.jsonl"
"""Replies of the model that the tests run; `make record` writes them anew."""
