from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fakes import HashEmbedder

from coach.vectors import cached_encode


def test_a_text_is_encoded_once(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    first = cached_encode(embedder, ["goal", "model"], tmp_path)
    second = cached_encode(embedder, ["model", "goal"], tmp_path)
    assert embedder.calls == [("goal", "model")]
    assert np.array_equal(first, second[::-1])


def test_only_what_is_new_is_encoded(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    cached_encode(embedder, ["goal"], tmp_path)
    cached_encode(embedder, ["goal", "model"], tmp_path)
    assert embedder.calls[1] == ("model",)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * (8 + 4 * 64)])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    embedder = HashEmbedder()
    good = cached_encode(embedder, ["goal"], tmp_path)
    next((tmp_path / "vectors").iterdir()).write_bytes(damage)
    assert np.array_equal(cached_encode(embedder, ["goal"], tmp_path), good)
    assert len(embedder.calls) == 2


def test_a_file_under_another_texts_name_is_made_anew(tmp_path: Path) -> None:
    embedder = HashEmbedder()
    cached_encode(embedder, ["goal"], tmp_path)
    (first,) = (tmp_path / "vectors").iterdir()
    good = cached_encode(embedder, ["model"], tmp_path)
    (second,) = set((tmp_path / "vectors").iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    assert np.array_equal(cached_encode(embedder, ["model"], tmp_path), good)


def test_vectors_of_another_embedder_are_never_taken(tmp_path: Path) -> None:
    first, second = HashEmbedder(), HashEmbedder()
    second.name = "other"
    cached_encode(first, ["goal"], tmp_path)
    cached_encode(second, ["goal"], tmp_path)
    assert second.calls == [("goal",)]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "vectors").write_text("in the way", encoding="utf-8")
    assert cached_encode(HashEmbedder(), ["goal"], tmp_path).shape == (1, 64)


def test_no_text_gives_no_row(tmp_path: Path) -> None:
    assert cached_encode(HashEmbedder(), [], tmp_path).shape == (0, 64)


def test_without_a_cache_it_just_encodes() -> None:
    assert cached_encode(HashEmbedder(), ["goal"], None).shape == (1, 64)
