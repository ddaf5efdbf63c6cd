"""Labelled answers, training of the offline judge, and comparisons that need a checkout."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
ANSWERS = ROOT / "evals" / "answers"
SECOND_LABELS = ANSWERS / "second-labels.jsonl"
KEPT_OUT = ANSWERS / "kept-out.txt"
"""A fifth of the questions of `ANSWERS`, one id or topic a line, drawn by chance: on these the offline judge is measured."""
FOREIGN = ROOT / "evals" / "foreign"
"""Questions from other fields, never trained on."""
FRESH = ROOT / "evals" / "fresh"
"""Questions on ML in products, never trained on; no single grade of them was looked at while the judge was made."""
PRACTICE = ROOT / "evals" / "practice"
"""New answers to the bank's questions, by writers who wrote none of `ANSWERS`; never trained on."""
PINS = ROOT / "evals" / "pins.yaml"
RECORDS = ROOT / "evals" / "replay" / "smollm2-135m.jsonl"
"""Replies of the model that the tests run; `make record` writes them anew."""
