"""Stand-ins for the edges, deterministic and quick."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from coach.embed import Vectors
from coach.lexical import content_stems


class HashEmbedder:
    """Bag of stems hashed into a vector: texts that share words are close, and nothing is downloaded or exported."""

    name = "hash"
    dimension = 64

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(tuple(texts))
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 0.1
            for stem in content_stems(text):
                row[hashlib.sha256(stem.encode()).digest()[0] % (self.dimension - 1) + 1] += 1.0
        unit: Vectors = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return unit
