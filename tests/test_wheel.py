"""The wheel, installed elsewhere, holds all that grading needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "q01-model-first.md"


def test_the_wheel_grades_an_answer_away_from_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        (
            "import coach, coach.resources, coach.prompting;"
            "assert coach.__file__.startswith('FOLDER'), coach.__file__;"
            "report = coach.Coach(judge='offline').grade('q01', ANSWER);"
            "assert report.total is not None;"
            "coach.prompting.prompt_fingerprint()"
        )
        .replace("FOLDER", str(tmp_path))
        .replace("ANSWER", repr(EXAMPLE.read_text(encoding="utf-8")))
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=_environment(tmp_path / "site"))


def _environment(site: Path) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(site)}
