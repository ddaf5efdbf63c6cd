"""The encoder written once as ONNX into the cache: later starts need no PyTorch.

The folder is named after all that its content depends on; `manifest.json` beside the graph holds its size and SHA-256,
    {"weights": "53aa…", "graph": "9c1f…", "bytes": 90387606, "checked": [<size>, <mtime_ns>]}
A copy whose size or time differ from those at the last check is hashed again, and one that fails is made anew.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coach.errors import ModelFilesError
from coach.weights import MODEL_NAME, WEIGHTS_SHA256, check_weights, model_folder, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

OPSET = 18
EXPORT_VERSION = 2
"""Raised when the exported graph changes, so that older copies are left alone and not used."""
_ONE_AT_A_TIME = threading.Lock()
GRAPH, MANIFEST = "encoder.onnx", "manifest.json"


def export_folder(cache_dir: Path) -> Path:
    """Where the exported encoder lies."""
    return cache_dir / f"{MODEL_NAME}-{WEIGHTS_SHA256[:12]}-v{EXPORT_VERSION}"


def exported_encoder(cache_dir: Path) -> Path:
    """The exported graph, made at first use and made anew when the copy is damaged.

    Raises:
        ModelFilesError: the weights are missing or altered, or the cache cannot be written.
    """
    # The exporter is not made for threads; processes may export side by side, the first to rename wins.
    with _ONE_AT_A_TIME:
        return _exported(cache_dir, export_folder(cache_dir))


def _exported(cache_dir: Path, folder: Path) -> Path:
    if intact(folder):
        return folder / GRAPH
    source = model_folder()
    check_weights(source)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=cache_dir))
    except OSError as error:
        raise _unwritable(cache_dir, error) from None
    try:
        _export(source, fresh / GRAPH)
        _write_manifest(fresh)
        _put_in_place(fresh, folder)
    except OSError as error:
        raise _unwritable(cache_dir, error) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / GRAPH


def intact(folder: Path) -> bool:
    """Whether the copy is the one that was exported.

    Hashing 90 MB at each start would cost more than the encoding: a copy with the size and time it had when it was last
    hashed is trusted, any other is hashed again.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["weights"] != WEIGHTS_SHA256:
            return False
        if manifest["checked"] == _state(folder / GRAPH):
            return True
        if sha256_of(folder / GRAPH) != manifest["graph"]:
            return False
    except (OSError, ValueError, KeyError, TypeError, ModelFilesError):
        return False
    with suppress(OSError):  # A read-only cache is hashed each time: slower, never wrong.
        _write_manifest(folder)
    return True


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _write_manifest(folder: Path) -> None:
    graph = folder / GRAPH
    content = {"weights": WEIGHTS_SHA256, "graph": sha256_of(graph), "checked": _state(graph)}
    temporary = folder / f"{MANIFEST}.{os.getpid()}"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(folder / MANIFEST)


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Rename into place. Another process may have been first: its copy is as good, a damaged one is moved away."""
    for _ in range(2):
        try:
            fresh.rename(folder)
        except OSError:
            if intact(folder):
                return
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return
    if not intact(folder):
        raise OSError(None, f"{folder} is in the way and cannot be replaced")


def _unwritable(cache_dir: Path, error: OSError) -> ModelFilesError:
    return ModelFilesError(
        f"the encoder cannot be written to the cache {cache_dir}: {error.strerror or error}",
        hint="Make the folder writable, or set COACH_CACHE_DIR to one that is; 100 MB are needed.",
    )


def _export(source: Path, target: Path) -> None:
    """Write tokens-to-vector as one graph: encoder, mean over the tokens, unit length."""
    with _silence():
        import torch
        from transformers import AutoModel

        class Sentence(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.encoder = AutoModel.from_pretrained(
                    str(source), attn_implementation="eager", local_files_only=True
                )

            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
                return torch.nn.functional.normalize(mean, p=2, dim=1)

        # Two tensors, not one twice: the exporter would take them for the same input.
        ids, mask = torch.ones((2, 16), dtype=torch.int64), torch.ones((2, 16), dtype=torch.int64)
        batch, tokens = torch.export.Dim("batch", min=1), torch.export.Dim("tokens", min=2, max=512)
        program = torch.onnx.export(
            Sentence().eval(),
            (ids, mask),
            dynamo=True,
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_shapes={"input_ids": {0: batch, 1: tokens}, "attention_mask": {0: batch, 1: tokens}},
            opset_version=OPSET,
            verbose=False,
        )
        program.save(str(target), external_data=False)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the exporter's chatter from the user: it is written for the authors of models."""
    previous = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
