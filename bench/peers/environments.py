"""A virtual environment for each library, under `build/peers`, with exactly what its requirements file pins."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "build" / "peers"
REQUIREMENTS = Path(__file__).parent / "requirements"
INSTALL_SECONDS = 1200


class NotInstalled(Exception):
    """The environment could not be made."""


def python_of(name: str) -> Path:
    """The interpreter of a library's environment, which is made where it is missing or its pins have changed.

    Raises:
        NotInstalled: a package cannot be had, or not within 20 minutes.
    """
    requirements, folder = REQUIREMENTS / f"{name}.txt", FOLDER / name
    mark, digest = folder / "installed", hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if mark.exists() and mark.read_text(encoding="ascii") == digest:
        return python
    print(f"Installing {name} ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    _pip(python, "--upgrade", "pip>=25")
    _pip(python, "--requirement", str(requirements))
    mark.write_text(digest, encoding="ascii")
    return python


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    try:
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"pip did not finish in {INSTALL_SECONDS // 60} minutes") from error
    except subprocess.CalledProcessError as error:
        raise NotInstalled(last_line(error.stderr)) from error


def last_line(text: str) -> str:
    """What a program said last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
