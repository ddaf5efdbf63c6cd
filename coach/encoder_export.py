"""The encoder written once as ONNX into the cache: later starts need no PyTorch.

The folder is named after all that its content depends on; `manifest.json` beside the graph holds its size and SHA-256,
    {"weights": "53aa…", "graph": "9c1f…", "checked": [<size>, <mtime_ns>, <ctime_ns>]}
A copy whose size or times differ from those at the last check is hashed again, and one that fails is made anew.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from coach.errors import ModelFilesError
from coach.weights import MODEL_NAME, WEIGHTS_SHA256, check_weights, model_folder, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnxruntime

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment] # a module elsewhere

OPSET = 18
EXPORT_VERSION = 2
"""Raised when the exported graph changes, so that older copies are left alone and not used."""
TOLERANCE = 1e-5
"""Largest difference allowed in any entry of a unit vector; float32 sums in another order differ by about 1e-7."""
COMPARED_SHAPES = ((1, 3), (4, 37))
"""Rows and tokens the export is tried with: neither is the shape it was traced with."""
_TORCH = "Install the PyTorch this was tested with: pip install -c constraints.txt torch"
_ONE_AT_A_TIME = threading.Lock()
GRAPH, MANIFEST = "encoder.onnx", "manifest.json"


class GraphUnusable(ModelFilesError):
    """The exported copy is there and cannot be loaded."""


def export_folder(cache_dir: Path) -> Path:
    """Where the exported encoder lies."""
    return cache_dir / f"{MODEL_NAME}-{WEIGHTS_SHA256[:12]}-v{EXPORT_VERSION}"


def exported_encoder(cache_dir: Path) -> Path:
    """The exported graph, made at first use and made anew when the copy is damaged.

    Raises:
        ModelFilesError: the weights are missing or altered, or the cache cannot be written.
    """
    folder = export_folder(cache_dir)
    # The exporter is not made for threads.
    with _ONE_AT_A_TIME:
        if intact(folder):
            return folder / GRAPH
        source = model_folder()
        check_weights(source)
        try:
            cache_dir.mkdir(parents=True, exist_ok=True)
            with _other_processes_wait(folder):
                if not intact(folder):  # Another process may have made it meanwhile.
                    _make(source, folder)
        except OSError as error:
            raise _unwritable(cache_dir, error) from None
    return folder / GRAPH


def distrust(cache_dir: Path) -> bool:
    """Have the copy made anew at its next use; False where the cache cannot be written."""
    try:
        (export_folder(cache_dir) / MANIFEST).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def open_graph(graph: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """A session on an exported graph.

    Args:
        graph: the file.
        threads: that one pass uses; 0 for all there are.

    Raises:
        GraphUnusable: onnxruntime cannot load it.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as told

    options = onnxruntime.SessionOptions()
    # The arena keeps the largest batch's memory for good; weights are read once and not copied into it.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Passes go on beside others: a thread that spins while it waits takes the processor from them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except (told.Fail, told.InvalidArgument, told.InvalidGraph, told.InvalidProtobuf, told.NoSuchFile) as error:
        raise GraphUnusable(
            f"the exported encoder {graph.name} cannot be loaded: {str(error)[:200]}",
            hint=f"Delete {graph.parent}; it is made anew at the next use.",
        ) from None


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _make(source: Path, folder: Path) -> None:
    # Not mkdtemp, whose folders nobody else can read: a cache may be filled by one user and used by others.
    fresh = folder.with_name(f".{folder.name}.{uuid4().hex}")
    fresh.mkdir()
    try:
        _export(source, fresh / GRAPH)
        _write_manifest(fresh, sha256_of(fresh / GRAPH), _state(fresh / GRAPH))
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _other_processes_wait(folder: Path) -> Iterator[None]:
    """Keep two processes from exporting the same. Without locks (Windows, some network drives) the first to rename wins."""
    with folder.with_name(f".{folder.name}.lock").open("wb") as file:
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def intact(folder: Path) -> bool:
    """Whether the copy is the one that was exported.

    Hashing 90 MB takes 80 ms to half a second, as long as all the rest of a start: a copy with the size and times it had
    when it was last hashed is trusted, any other is hashed again. The time of the last change of its entry (ctime) is
    among them, which tools that put an old mtime back cannot set.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["weights"] != WEIGHTS_SHA256:
            return False
        # Taken before hashing: what is changed while it is hashed is hashed again at the next start.
        state = _state(folder / GRAPH)
        if manifest["checked"] == state:
            return True
        if sha256_of(folder / GRAPH) != manifest["graph"]:
            return False
    except (OSError, ValueError, KeyError, TypeError, ModelFilesError):
        return False
    with suppress(OSError):  # A read-only cache is hashed each time: slower, never wrong.
        _write_manifest(folder, manifest["graph"], state)
    return True


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _write_manifest(folder: Path, digest: str, state: list[int]) -> None:
    content = {"weights": WEIGHTS_SHA256, "graph": digest, "checked": state}
    temporary = folder / f"{MANIFEST}.{uuid4().hex}"
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

        class Sentence(torch.nn.Module):  # type: ignore[misc] # torch has no types here
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
        sentence = Sentence().eval()
        try:
            program = torch.onnx.export(
                sentence,
                (ids, mask),
                dynamo=True,
                input_names=["input_ids", "attention_mask"],
                output_names=["vectors"],
                dynamic_shapes={"input_ids": {0: batch, 1: tokens}, "attention_mask": {0: batch, 1: tokens}},
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ModelFilesError(f"the encoder cannot be exported: {str(error)[:200]}", hint=_TORCH) from None
        program.save(str(target), external_data=False)
        _compare(sentence, target)


def _compare(sentence: Any, target: Path) -> None:
    """Run the graph beside its source: another torch or onnxruntime than those tested could export something else.

    Raises:
        ModelFilesError: the two differ.
    """
    import torch

    session = open_graph(target)
    for rows, tokens in COMPARED_SHAPES:
        ids = 1000 + torch.arange(rows * tokens).reshape(rows, tokens)
        # Each row one token shorter than the one before, so that padding is compared too.
        mask = (torch.arange(tokens) < tokens - torch.arange(rows)[:, None]).long()
        with torch.no_grad():
            wanted = sentence(ids, mask).numpy()
        found = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
        # Written so that a NaN fails.
        if not abs(found - wanted).max() <= TOLERANCE:
            raise ModelFilesError("the exported encoder does not agree with its source and is not used", hint=_TORCH)


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
