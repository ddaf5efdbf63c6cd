"""Labelled answers, training of the offline judge, and comparisons that need a checkout."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
ANSWERS = ROOT / "evals" / "answers"
FOREIGN = ROOT / "evals" / "foreign"
"""Questions from other fields, never trained on."""
PINS = ROOT / "evals" / "pins.yaml"
RECORDS = ROOT / "evals" / "replay" / "smollm2-135m.jsonl"
"""Replies of the model that the tests run; `make record` writes them anew."""
