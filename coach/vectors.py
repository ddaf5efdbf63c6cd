"""Vectors of the bank's texts, kept on disk by content: computed once, and again when the file is damaged.

One file per text, named by SHA-256 of embedder and text: 8 bytes of checksum, then the float32 values. The checksum is
of name and values, so that a file under another's name is no more trusted than a damaged one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import numpy as np

from coach.embed import Embedder, Vectors

_CHECKSUM_BYTES = 8


def cached_encode(embedder: Embedder, texts: Sequence[str], cache_dir: Path | None) -> Vectors:
    """Vectors of texts, shape (n, dimension), rows of unit length; read from the cache where they lie there whole.

    A cache that cannot be written is done without: the vectors are the same.
    """
    if cache_dir is None:
        return embedder.encode(texts)
    folder = cache_dir / "vectors"
    paths = [folder / _name(embedder, text) for text in texts]
    found = [_read(path, embedder.dimension) for path in paths]
    missing = [i for i, vector in enumerate(found) if vector is None]
    if missing:
        fresh = embedder.encode([texts[i] for i in missing])
        for i, vector in zip(missing, fresh, strict=True):
            found[i] = vector
            _write(paths[i], vector)
    if not found:
        return np.zeros((0, embedder.dimension), dtype=np.float32)
    return np.stack([vector for vector in found if vector is not None])


def _name(embedder: Embedder, text: str) -> str:
    content = f"{embedder.name}\0{embedder.dimension}\0{text}".encode("utf-8", "backslashreplace")
    return hashlib.sha256(content).hexdigest()


def _read(path: Path, dimension: int) -> Vectors | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    checksum, values = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if len(values) != 4 * dimension or _checksum(path.name, values) != checksum:
        return None
    return np.frombuffer(values, dtype="<f4").astype(np.float32)


def _write(path: Path, vector: Vectors) -> None:
    values = vector.astype("<f4").tobytes()
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_checksum(path.name, values) + values)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()


def _checksum(name: str, values: bytes) -> bytes:
    return hashlib.sha256(name.encode("ascii") + values).digest()[:_CHECKSUM_BYTES]
