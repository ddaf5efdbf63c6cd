"""The encoder: parity with the reference, and files that are wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coach import encoder_export, weights
from coach.embed import BATCH_TOKENS, OnnxEmbedder, SentenceTransformerEmbedder, default_embedder, model_status
from coach.encoder_export import MANIFEST, export_folder, exported_encoder, intact
from coach.errors import ModelFilesError

TEXTS = [
    "I would start from the objective, not the model.",
    "",
    "🙂",
    "a " * 1000,
    "Wie geht es dir? これは何ですか。 هل هذا نموذج؟",
    "x" * 3000,
    "line\nbreak\tand  spaces",
    "\ud800 lone",
]


@pytest.fixture(scope="module")
def embedder(shared_cache: Path) -> OnnxEmbedder:
    return default_embedder(shared_cache)


@pytest.mark.filterwarnings("ignore")  # the reference's own packages warn
def test_the_exported_encoder_agrees_with_the_reference(embedder: OnnxEmbedder) -> None:
    assert np.abs(embedder.encode(TEXTS) - SentenceTransformerEmbedder().encode(TEXTS)).max() <= 1e-5


def test_rows_have_unit_length(embedder: OnnxEmbedder) -> None:
    assert np.linalg.norm(embedder.encode(TEXTS), axis=1) == pytest.approx(1.0, abs=1e-5)


def test_rows_come_in_the_order_of_the_texts(embedder: OnnxEmbedder) -> None:
    one_by_one = np.vstack([embedder.encode([t]) for t in TEXTS])
    assert np.abs(embedder.encode(TEXTS) - one_by_one).max() <= 1e-5


def test_more_texts_than_a_batch_holds(embedder: OnnxEmbedder) -> None:
    assert embedder.encode(["some words here"] * (BATCH_TOKENS // 4)).shape == (BATCH_TOKENS // 4, 384)


def test_no_text_gives_no_row(embedder: OnnxEmbedder) -> None:
    assert embedder.encode([]).shape == (0, 384)


def test_later_starts_import_no_torch(embedder: OnnxEmbedder, shared_cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from coach.embed import default_embedder;"
        f"default_embedder(Path({str(shared_cache)!r})).encode(['hello']);"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'sentence_transformers', 'onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def copied(embedder: OnnxEmbedder, shared_cache: Path, tmp_path: Path) -> Path:
    """The exported folder in a cache of its own."""
    shutil.copytree(export_folder(shared_cache), export_folder(tmp_path))
    return export_folder(tmp_path)


def test_a_moved_copy_is_hashed_again_and_kept(copied: Path) -> None:
    assert intact(copied)
    assert intact(copied)


def test_a_cut_graph_is_not_intact(copied: Path) -> None:
    graph = copied / encoder_export.GRAPH
    graph.write_bytes(graph.read_bytes()[:-1])
    assert not intact(copied)


def test_a_changed_byte_is_not_intact(copied: Path) -> None:
    graph = copied / encoder_export.GRAPH
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    assert not intact(copied)


@pytest.mark.parametrize("manifest", ["", "{}", "[]", '{"weights": "other"}'])
def test_a_damaged_manifest_is_not_intact(copied: Path, manifest: str) -> None:
    (copied / MANIFEST).write_text(manifest, encoding="utf-8")
    assert not intact(copied)


def test_a_damaged_copy_is_made_anew(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = copied / encoder_export.GRAPH
    good = graph.read_bytes()
    graph.write_bytes(b"rubbish")
    # The real export takes ten seconds and runs in every session; here only the replacing is looked at.
    monkeypatch.setattr(encoder_export, "_export", lambda source, target: target.write_bytes(good))
    assert exported_encoder(copied.parent).read_bytes() == good


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelFilesError, match="altered") as caught:
        weights.check_weights(tmp_path)
    assert "pip install" in caught.value.hint


@pytest.fixture
def altered_tokenizer(tmp_path: Path) -> Path:
    """The model's folder with two words' token ids swapped."""
    for name in (weights.WEIGHTS, weights.CONFIG):
        (tmp_path / name).symlink_to(weights.model_folder() / name)
    content = json.loads((weights.model_folder() / weights.TOKENIZER).read_text(encoding="utf-8"))
    words = content["model"]["vocab"]
    words["goal"], words["model"] = words["model"], words["goal"]
    (tmp_path / weights.TOKENIZER).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_an_altered_tokenizer_is_refused_at_every_start(
    embedder: OnnxEmbedder, shared_cache: Path, altered_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coach.embed.model_folder", lambda: altered_tokenizer)
    with pytest.raises(ModelFilesError, match=r"tokenizer\.json is altered"):
        default_embedder(shared_cache)


def test_the_status_tells_of_an_altered_tokenizer(
    shared_cache: Path, altered_tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coach.embed.model_folder", lambda: altered_tokenizer)
    assert not model_status(shared_cache).ok


def test_a_changed_byte_under_the_old_time_is_not_intact(copied: Path) -> None:
    assert intact(copied)
    graph = copied / encoder_export.GRAPH
    before = graph.stat()
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    os.utime(graph, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not intact(copied)


def test_a_graph_that_cannot_be_loaded_is_made_anew(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = copied / encoder_export.GRAPH
    good = graph.read_bytes()
    graph.write_bytes(b"rubbish")
    encoder_export._write_manifest(copied, weights.sha256_of(graph), encoder_export._state(graph))
    monkeypatch.setattr(encoder_export, "_export", lambda source, target: target.write_bytes(good))
    assert default_embedder(copied.parent).encode(["goal"]).shape == (1, weights.DIMENSION)


def test_an_export_that_differs_from_its_source_is_refused(copied: Path) -> None:
    import torch

    def other(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(ids), weights.DIMENSION)

    with pytest.raises(ModelFilesError, match="does not agree"):
        encoder_export._compare(other, copied / encoder_export.GRAPH)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModelFilesError, match="not installed"):
        weights.model_folder()


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(ModelFilesError, match="cannot be written") as caught:
        exported_encoder(tmp_path / "file" / "cache")
    assert "COACH_CACHE_DIR" in caught.value.hint


def test_the_status_tells_of_a_copy_to_be_made(tmp_path: Path) -> None:
    assert "to be exported at first use" in model_status(tmp_path).found
