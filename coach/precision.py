"""Which precision the encoder computes in: bfloat16 for batches, where the processor multiplies matrices in it, else fp32.

OpenVINO runs the same exported graph; a single critique does without it, as it starts faster on ONNX Runtime. What is chosen
depends on the machine alone and never on a measured time, so that the same run again finds its grades.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coach import embed
from coach.embed import BATCH_TOKENS, OnnxEmbedder, TokenEmbedder, padded
from coach.encoder_export import exported_encoder, processors
from coach.errors import InputError
from coach.vectors import cached_encode
from coach.weights import model_folder, read_tokenizer

if TYPE_CHECKING:
    from coach.embed import Embedder, Vectors
    from coach.settings import Precision

MIN_COSINE = 0.998
"""Least cosine of a text's bf16 vector with its fp32 vector; over 1,091 texts of the labelled answers it was 0.99995 or more."""
STEP = 16
"""Tokens; a text is padded to the next multiple and encoded among texts of the same, so its vector depends on nothing else."""
PROBES = (
    "Saves, not clicks.",
    "I would first ask what the feed is for, and whom it serves, before I name any model.",
    "Latency, freshness and cost decide whether a two-tower network may run at this stage; a tree on few features may do.",
    "If offline NDCG rises and sessions get shorter, I believe the sessions: the metric was a stand-in for them. "
    "I'd hold out two per cent of users for a quarter, watch what they keep and come back to, and roll back by a switch. "
    * 3,
)
"""What the two precisions are compared on at the start: short, usual and long texts."""
_PROCESSORS = Path("/proc/cpuinfo")
"""Where Linux tells what the processor can do; elsewhere bf16 must be asked for."""
_MEND = "Set COACH_PRECISION=auto or fp32."


class Bf16Embedder(TokenEmbedder):
    """The shipped encoder in bfloat16: the same graph, vectors within MIN_COSINE of those of `OnnxEmbedder`.

    Args:
        graph: the exported graph.
        tokenizer: content of the model's `tokenizer.json`.

    Raises:
        InputError: OpenVINO is not installed, cannot load the graph, or does not choose bfloat16 on this processor.
    """

    name = f"{OnnxEmbedder.name}+bf16"

    def __init__(self, graph: Path, tokenizer: bytes) -> None:
        super().__init__(tokenizer)
        if find_spec("openvino") is None:
            raise InputError("precision bf16 needs openvino", hint=f"pip install 'coach[fast]'. {_MEND}")
        import openvino

        passes = processors()
        # Each pass keeps to one thread: how sums are split among threads may then never show in a vector.
        # And none is tied to a processor, where something else may be busy.
        options = {"NUM_STREAMS": passes, "INFERENCE_NUM_THREADS": passes, "ENABLE_CPU_PINNING": False}
        # No precision is asked for: OpenVINO takes bfloat16 by itself where the processor has AMX or AVX512-BF16, and on request
        # also where it would have to be imitated.
        try:
            self._model: Any = openvino.Core().compile_model(str(graph), "CPU", options)
        except RuntimeError as error:
            told = f"precision bf16 is not to be had: OpenVINO cannot load the encoder: {str(error)[:200]}"
            raise InputError(told, hint=_MEND) from None
        chosen = self._model.get_property("INFERENCE_PRECISION_HINT")
        if chosen != openvino.Type.bf16:
            raise InputError(
                "precision bf16 is not to be had: this processor has neither AMX nor AVX512-BF16", hint=_MEND
            )
        self._passes = passes

    def encode_tokens(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """See `TokenEmbedder.encode_tokens`. As many passes go on at once as there are processors."""
        # Requests in turn and no AsyncInferQueue: its callbacks need the interpreter's lock, which whoever frees the model holds.
        requests = [self._model.create_infer_request() for _ in range(self._passes)]
        under_way: list[list[int]] = [[] for _ in requests]
        vectors = np.zeros((len(tokens), self.dimension), dtype=np.float32)

        def take(which: int) -> None:
            if under_way[which]:
                requests[which].wait()
                vectors[under_way[which]] = requests[which].get_output_tensor(0).data

        for number, (length, rows) in enumerate(_alike([len(t) for t in tokens])):
            which = number % len(requests)
            take(which)
            requests[which].start_async(padded([tokens[i] for i in rows], length))
            under_way[which] = rows
        for which in range(len(requests)):
            take(which)
        return vectors


def make_encoder(precision: Precision, cache_dir: Path, *, many: bool) -> Embedder:
    """The shipped encoder in the precision that goes with a setting.

    Args:
        precision: see `Precision`.
        cache_dir: where the exported encoder lies.
        many: for batches.

    Raises:
        InputError: bf16 is asked for and not to be had.
        ModelFilesError: see `default_embedder`.
    """
    exact = embed.default_embedder(cache_dir)
    if is_fp32(precision, many=many):
        return exact
    try:
        fast = Bf16Embedder(exported_encoder(cache_dir), read_tokenizer(model_folder()))
        _compare(fast, exact, cache_dir)
    except InputError:
        if precision == "bf16":
            raise
        return exact
    return fast


def settled(precision: Precision, cache_dir: Path) -> Precision:
    """What a setting comes to for batches on this machine: `fp32` or `bf16`, for others to keep to.

    Raises:
        InputError: bf16 is asked for and not to be had.
    """
    if is_fp32(precision, many=True):
        return "fp32"
    return "bf16" if isinstance(make_encoder(precision, cache_dir, many=True), Bf16Embedder) else "fp32"


def is_fp32(precision: Precision, *, many: bool) -> bool:
    """Whether it comes to fp32 before the two precisions are compared."""
    return precision == "fp32" or (
        precision == "auto" and not (many and find_spec("openvino") is not None and gains_by_bf16())
    )


def gains_by_bf16() -> bool:
    """Whether bfloat16 is the faster one here: with AMX five times, with AVX512-BF16 alone it takes half as long again."""
    try:
        return "amx_bf16" in _PROCESSORS.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def least_cosine(fast: Embedder, exact: Embedder, cache_dir: Path | None = None) -> float:
    """The least cosine of the two encoders' vectors over PROBES; 0 where there is a vector that is none."""
    cosines = np.sum(fast.encode(PROBES) * cached_encode(exact, PROBES, cache_dir), axis=1)
    return float(np.nan_to_num(cosines, nan=0.0).min())


def _compare(fast: Embedder, exact: Embedder, cache_dir: Path) -> None:
    found = least_cosine(fast, exact, cache_dir)
    if found < MIN_COSINE:
        told = (
            f"precision bf16 is not used: its vectors agree with fp32 to a cosine of {found:.4f} only, not {MIN_COSINE}"
        )
        raise InputError(told, hint=_MEND)


def _alike(lengths: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Rows of one padded length together, in batches of BATCH_TOKENS at most; longest first, so that passes end together."""
    groups: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        groups.setdefault(-(-length // STEP) * STEP, []).append(row)
    return [
        (length, rows[start : start + BATCH_TOKENS // length])
        for length, rows in sorted(groups.items(), reverse=True)
        for start in range(0, len(rows), BATCH_TOKENS // length)
    ]
