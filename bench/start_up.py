"""How long a command takes from nothing."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.figures import Figure, time_command

ROOT = Path(__file__).parent.parent
ANSWER = ROOT / "examples" / "q01-model-first.md"
_REFERENCE = """
import sys
from pathlib import Path
from sentence_transformers import SentenceTransformer
from coach.bank import load_bank
from coach.segment import segment
from coach.weights import model_folder
answer = Path(sys.argv[1]).read_text(encoding="utf-8")
question = load_bank().question("q01")
texts = [s.text for s in segment(answer)] + [answer, question.question, question.reference] + [p.text for p in question.points]
SentenceTransformer(str(model_folder()), device="cpu", local_files_only=True).encode(texts)
"""


def measure() -> tuple[Figure, ...]:
    """Help, a second critique, and the same sentences through sentence-transformers."""
    python = sys.executable
    coach = str(Path(python).with_name("coach"))
    typer = time_command([python, "-c", "import typer"], runs=9)
    help_text = time_command([coach, "--help"], runs=9)
    critique = [coach, "critique", str(ANSWER), "--question", "q01", "--judge", "offline"]
    time_command(critique, runs=1)  # the first use exports the encoder
    second = time_command(critique)
    reference = time_command([python, "-c", _REFERENCE, str(ANSWER)], runs=3)
    slower = help_text.seconds / typer.seconds
    faster = reference.seconds / second.seconds
    return (
        Figure("`coach --help` against `import typer`", f"{slower:.2f}x", "2.5x", slower <= 2.5),
        Figure("second offline critique, wall", f"{second.seconds:.2f} s", "1.2 s", second.seconds <= 1.2),
        Figure("second offline critique, memory", f"{second.megabytes:.0f} MB", "300 MB", second.megabytes <= 300),
        Figure("faster than sentence-transformers on the same texts", f"{faster:.1f}x", "5x", faster >= 5),
    )
