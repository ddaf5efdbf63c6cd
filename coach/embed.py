"""Texts to vectors. sentence-transformers is the reference; an exported ONNX copy of it serves the usual path."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from coach.encoder_export import GraphUnusable, distrust, export_folder, exported_encoder, intact, open_graph
from coach.errors import CoachError, ModelFilesError
from coach.weights import (
    DIMENSION,
    MAX_TOKENS,
    MODEL_NAME,
    WEIGHTS_SHA256,
    check_weights,
    model_folder,
    read_tokenizer,
)

if TYPE_CHECKING:
    import tokenizers

BATCH_TOKENS = 2048
"""Tokens, padding included, encoded at once; larger batches were no faster on two cores and cost memory."""
PADDED_TO, PADDED_BY = 1.25, 4
"""A text is encoded beside others of at most so many times its tokens and a few. Without this bound a long text among a few
short ones made eight answers cost 60% more processor time; a tighter one gains no more."""

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """Names model and weights; vectors of different names must never be compared."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, dimension), rows of unit length, in the order of the texts; (0, dimension) for no text."""


class TokenEmbedder(ABC):
    """The shipped encoder's way from texts to tokens; how tokens become vectors is left to what runs it.

    Args:
        tokenizer: content of the model's `tokenizer.json`.
    """

    dimension = DIMENSION

    def __init__(self, tokenizer: bytes) -> None:
        self._tokenizer = sentence_tokenizer(tokenizer)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.encode`."""
        return self.encode_tokens(self.tokens(texts))

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, as many as the encoder reads."""
        return [t.ids for t in self._tokenizer.encode_batch([encodable(t) for t in texts])]

    @abstractmethod
    def encode_tokens(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """`encode` for texts that are tokens already."""


class OnnxEmbedder(TokenEmbedder):
    """The shipped encoder as exported to ONNX.

    Args:
        graph: the exported graph.
        tokenizer: content of the model's `tokenizer.json`.

    Raises:
        GraphUnusable: the graph cannot be loaded.
    """

    name = f"{MODEL_NAME}@{WEIGHTS_SHA256[:12]}"

    def __init__(self, graph: Path, tokenizer: bytes) -> None:
        super().__init__(tokenizer)
        self._session = open_graph(graph)

    def encode_tokens(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """See `TokenEmbedder.encode_tokens`. Texts are encoded by length, so that little of a batch is padding."""
        vectors = np.zeros((len(tokens), self.dimension), dtype=np.float32)
        lengths = [len(t) for t in tokens]
        for rows in _batches(sorted(range(len(tokens)), key=lengths.__getitem__), lengths):
            vectors[rows] = self._run([tokens[i] for i in rows])
        return vectors

    def _run(self, ids: list[Sequence[int]]) -> Vectors:
        found: Vectors = self._session.run(None, padded(ids, max(len(row) for row in ids)))[0]
        return found


class SentenceTransformerEmbedder:
    """Any model sentence-transformers can load; the reference the exported encoder is compared with.

    Args:
        model: name or folder; the shipped weights, checked, when not given. `HF_HUB_OFFLINE` is respected.

    Raises:
        ModelFilesError: the model is missing, altered, or none that sentence-transformers can load.
    """

    def __init__(self, model: str | None = None) -> None:
        from sentence_transformers import SentenceTransformer

        if model is None:
            folder = model_folder()
            check_weights(folder)
            self.name = OnnxEmbedder.name
            self._model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        else:
            try:
                self._model = SentenceTransformer(model)
            except (OSError, ValueError) as error:
                raise ModelFilesError(
                    f"sentence-transformers cannot load {model}: {str(error)[:200]}",
                    hint="Check the name or folder; with HF_HUB_OFFLINE set, only models on this machine are found.",
                ) from None
            self.name = f"{model}@{_fingerprint(self._model)}"
        self.dimension = int(self._model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.encode`."""
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        found = self._model.encode([encodable(t) for t in texts], normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)


def default_embedder(cache_dir: Path) -> OnnxEmbedder:
    """The shipped encoder; its first use in a cache exports it, which takes some seconds.

    Raises:
        ModelFilesError: model missing or altered, cache not writable.
    """
    tokenizer = read_tokenizer(model_folder())
    try:
        return OnnxEmbedder(exported_encoder(cache_dir), tokenizer)
    except GraphUnusable as error:
        # Only our own copy is at fault, for instance after a change of onnxruntime: it is made anew, once.
        if not distrust(cache_dir):
            raise error from None
        return OnnxEmbedder(exported_encoder(cache_dir), tokenizer)


class ModelStatus(NamedTuple):
    """What `coach doctor` says of the model."""

    ok: bool
    found: str
    mend: str = ""


def model_status(cache_dir: Path) -> ModelStatus:
    """Look at weights and exported copy without making anything."""
    try:
        check_weights(model_folder())
    except CoachError as error:
        return ModelStatus(False, error.message, error.hint)
    folder = export_folder(cache_dir)
    copy = "exported copy in the cache" if intact(folder) else "to be exported at first use"
    return ModelStatus(True, f"{MODEL_NAME}, SHA-256 as known; {copy}")


def padded(ids: Sequence[Sequence[int]], length: int) -> dict[str, NDArray[np.int64]]:
    """The graph's inputs for some texts' tokens, each of shape (number of texts, length)."""
    tokens = np.zeros((len(ids), length), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, values in enumerate(ids):
        tokens[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return {"input_ids": tokens, "attention_mask": mask}


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Rows in order of length, cut so that a batch stays within BATCH_TOKENS and little of it is padding."""
    batch: list[int] = []
    for row in order:
        longest = PADDED_TO * lengths[batch[0]] + PADDED_BY if batch else 0
        if batch and (lengths[row] > longest or (len(batch) + 1) * lengths[row] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _fingerprint(model: Any) -> str:
    """Of the weights and how they are used: a name or folder stays the same when the model in it is changed."""
    import torch

    content = hashlib.sha256(f"{model!r}{model.max_seq_length}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        content.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()[:12]


def encodable(text: str) -> str:
    """A text with its lone surrogates replaced, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def sentence_tokenizer(content: bytes) -> tokenizers.Tokenizer:
    """The encoder's tokenizer, which cuts off what the encoder does not read."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(content)
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer
