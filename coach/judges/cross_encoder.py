"""The offline judge's reading: question, expert points and answer in one pass of a small cross-encoder.

The text it reads, with the types 0 for the expert's side and 1 for the answer,
    [CLS] question [SEP] point 1 [SEP] point 2 [SEP] … [SEP] answer [SEP]
Levels are linear in the mean over the answer's tokens, so what each token adds to a level can be read off exactly. An answer
longer than the room left is read in windows, each beside the whole expert's side.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from coach.encoder_export import open_graph, processors
from coach.weights import model_folder, read_tokenizer

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers
    from numpy.typing import NDArray

GRAPH = "cross-encoder.onnx"
TARGETS = (
    "overall",
    "product_framing",
    "tradeoffs",
    "long_term_metrics",
    "systems_thinking",
    "expert_coverage",
    "communication",
)
"""What the network estimates as levels: the hiring signal (1..5), then the criteria (0..4)."""
FLAGS = (
    "absolutes",
    "blame_or_ego",
    "engagement_is_truth",
    "gaming",
    "hype",
    "jargon_first",
    "model_first",
    "no_exploration",
    "no_monitoring",
    "off_topic",
    "offline_is_enough",
    "one_time_fix",
    "panic_response",
    "short_term_metrics",
)
MAX_TOKENS = 512
"""Positions the network has."""
MIN_ROOM = 192
"""Tokens an answer gets at least; points beyond that are cut off from the back."""
MAX_WINDOWS = 4
"""Windows read of one answer, about a thousand words; of a longer one the rest is left to the features."""
_CLS, _SEP = 101, 102


UNREAD = np.float32(-100.0)
"""Log-odds of a point that did not fit into what the network reads at once: nothing speaks for its being made."""


class Window(NamedTuple):
    """What the network is given: n tokens, p points."""

    ids: NDArray[np.int64]
    """Shape (n,)."""
    types: NDArray[np.int64]
    """Shape (n,)."""
    answer: NDArray[np.float32]
    """Shape (n,), 1 for tokens of the answer."""
    points: NDArray[np.float32]
    """Shape (p, n), 1 for tokens of each point; a point that was cut off has none."""
    offsets: tuple[tuple[int, int], ...]
    """Start and end in the answer's text of each of its tokens, in order."""


class Reading(NamedTuple):
    """What the network makes of one answer."""

    levels: NDArray[np.float32]
    """Shape (len(TARGETS),), in the labels' units."""
    flags: NDArray[np.float32]
    """Shape (len(FLAGS),), log-odds."""
    points: NDArray[np.float32]
    """Shape (p,), log-odds that each point is made."""
    level_tokens: NDArray[np.float32]
    """Shape (t, len(TARGETS)): the share of each of the answer's t tokens in the levels; a level is their sum and a constant."""
    flag_tokens: NDArray[np.float32]
    """Shape (t, len(FLAGS)): the weight each token has in a flag, times what it says of it."""
    offsets: tuple[tuple[int, int], ...]
    """Start and end of each of the t tokens in the answer."""


class CrossEncoder:
    """The trained network.

    Args:
        graph: as `make network` wrote it.

    Raises:
        GraphUnusable: it cannot be loaded.
        ModelFilesError: the tokenizer is missing or altered.
    """

    def __init__(self, graph: Path) -> None:
        self._graph = graph
        self._alone: onnxruntime.InferenceSession = open_graph(graph)
        self._beside: onnxruntime.InferenceSession | None = None
        self._under_way = 0
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(processors())
        self._tokenizer = load_tokenizer()

    def read(self, question: str, points: Sequence[str], answer: str) -> Reading:
        """One pass a window. Every pass is of one answer, as the graph's eight bits are scaled to all that is in a pass.

        A pass has all processors to itself when it is the only one; beside others it keeps to one, which makes more of them,
        and as many go on at once as there are processors. The numbers are the same.

        Args:
            question: its wording.
            points: what the expert says, p texts.
            answer: not empty.
        """
        asked = windows(self._tokenizer, question, points, answer)
        reading = _together([self._run(w) for w in asked])
        return reading._replace(points=np.where(asked[0].points.any(axis=1), reading.points, UNREAD))

    def _run(self, window: Window) -> Reading:
        with self._lock:
            self._under_way += 1
            session = self._alone if self._under_way == 1 else self._one_thread()
        try:
            with self._room:
                levels, flags, points, level_tokens, flag_tokens = session.run(None, inputs(window))
        finally:
            with self._lock:
                self._under_way -= 1
        own = window.answer > 0
        return Reading(levels[0], flags[0], points[0], level_tokens[0][own], flag_tokens[0][own], window.offsets)

    def _one_thread(self) -> onnxruntime.InferenceSession:
        if self._beside is None:
            self._beside = open_graph(self._graph, threads=1)
        return self._beside


def inputs(window: Window) -> dict[str, NDArray[Any]]:
    """What the graph takes for one window."""
    return {
        "input_ids": window.ids[None],
        "token_type_ids": window.types[None],
        "answer_mask": window.answer[None],
        "point_masks": window.points[None],
    }


def _together(parts: Sequence[Reading]) -> Reading:
    """Levels are means over all tokens read; a flag or a point stands where one window shows it."""
    if len(parts) == 1:
        return parts[0]
    sizes = np.array([len(p.offsets) for p in parts], dtype=np.float32)
    shares = sizes / sizes.sum()
    return Reading(
        levels=np.asarray(sum(s * p.levels for s, p in zip(shares, parts, strict=True)), dtype=np.float32),
        flags=np.max([p.flags for p in parts], axis=0),
        points=np.max([p.points for p in parts], axis=0),
        level_tokens=np.concatenate([s * p.level_tokens for s, p in zip(shares, parts, strict=True)]),
        flag_tokens=np.concatenate([p.flag_tokens for p in parts]),
        offsets=tuple(o for p in parts for o in p.offsets),
    )


def windows(tokenizer: tokenizers.Tokenizer, question: str, points: Sequence[str], answer: str) -> tuple[Window, ...]:
    """What the network reads of an answer, at least one window.

    Args:
        tokenizer: from `load_tokenizer`.
        question: its wording.
        points: p texts.
        answer: any text.
    """
    prefix, owners = _prefix(tokenizer, question, tuple(points))
    encoded = tokenizer.encode(answer, add_special_tokens=False)
    room = MAX_TOKENS - len(prefix) - 1
    starts = range(0, max(1, min(len(encoded.ids), room * MAX_WINDOWS)), room)
    return tuple(
        _window(prefix, owners, len(points), encoded.ids[s : s + room], tuple(encoded.offsets[s : s + room]))
        for s in starts
    )


@lru_cache(512)
def _prefix(
    tokenizer: tokenizers.Tokenizer, question: str, points: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Token ids of the expert's side, and for each the index of its point or -1. Many answers have the same."""
    ids = [_CLS, *tokenizer.encode(question, add_special_tokens=False).ids[: MAX_TOKENS // 4], _SEP]
    owners = [-1] * len(ids)
    for index, point in enumerate(points):
        said = tokenizer.encode(point, add_special_tokens=False).ids
        if len(ids) + len(said) + 1 > MAX_TOKENS - MIN_ROOM:
            break
        ids += [*said, _SEP]
        owners += [*[index] * len(said), -1]
    return tuple(ids), tuple(owners)


def _window(
    prefix: Sequence[int], owners: Sequence[int], points: int, ids: list[int], offsets: tuple[tuple[int, int], ...]
) -> Window:
    whole = len(prefix) + len(ids) + 1
    answer = np.zeros(whole, dtype=np.float32)
    answer[len(prefix) : -1] = 1.0
    types = np.zeros(whole, dtype=np.int64)
    types[len(prefix) :] = 1
    masks = np.zeros((points, whole), dtype=np.float32)
    masks[:, : len(prefix)] = np.array(owners) == np.arange(points)[:, None]
    return Window(np.array([*prefix, *ids, _SEP], dtype=np.int64), types, answer, masks, offsets)


@cache
def load_tokenizer() -> tokenizers.Tokenizer:
    """The encoder's tokenizer, without its truncation.

    Raises:
        ModelFilesError: it is missing or altered.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(read_tokenizer(model_folder()))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
