"""Where the shipped rubrics and prompts lie: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from coach.errors import CoachError

_PACKAGE = Path(__file__).parent


def data_dir(name: Literal["rubrics", "prompts"]) -> Path:
    """The folder of shipped data files.

    Raises:
        CoachError: the installation lacks it.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise CoachError(f"this installation of coach lacks its {name} folder", hint="Install coach again.")
