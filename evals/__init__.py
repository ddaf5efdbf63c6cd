"""Labelled answers, training of the offline judge, and comparisons that need a checkout."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
ANSWERS = ROOT / "evals" / "answers"
"""What the offline judge's network learns from."""
HELD_OUT = ROOT / "evals" / "held-out"
"""Answers its network never sees, most of them to questions it never sees. The decision behind it is fitted on what it reads
of them, and measured on folds of their questions."""
SECOND_LABELS = "second-labels.jsonl"
"""In each of these folders, where there are blind labels."""
FOREIGN = ROOT / "evals" / "foreign"
"""Questions from other fields, never trained on."""
FRESH = ROOT / "evals" / "fresh"
"""Questions on ML in products, never trained on."""
PRACTICE = ROOT / "evals" / "practice"
"""New answers to the bank's questions, by writers who wrote none of `ANSWERS`; never trained on."""
PINS = ROOT / "evals" / "pins.yaml"
RECORDS = ROOT / "evals" / "replay" / "smollm2-135m.jsonl"
"""Replies of the model that the tests run; `make record` writes them anew."""
