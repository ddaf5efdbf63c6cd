"""The shipped network as one that can learn on: its eight-bit weights turned back into numbers, biases as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from evals.training.network import Network

_QUANTIZED, _SCALE, _ZERO_POINT, _WEIGHT, _BIAS = "_quantized", "_scale", "_zero_point", ".weight", ".bias"


def resume(graph: Path) -> Network:
    """The network that `evals.training.export` wrote to a graph, up to the rounding of its weights.

    Args:
        graph: as `export` wrote it.

    Raises:
        ValueError: it lacks some of the network's weights, or they do not lie around zero.
    """
    model = onnx.load(graph)
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    if any(np.any(values) for name, values in held.items() if name.endswith(_ZERO_POINT)):
        raise ValueError(f"{graph} holds weights that do not lie around zero")
    names = _names(model.graph)
    for name in [n for n in held if n.endswith(_QUANTIZED)]:
        plain = name.removesuffix(_QUANTIZED)
        values = held[name].astype(np.float32) * held[plain + _SCALE]
        held[names.get(name, plain)] = values.T if name in names else values
    # Both start from nothing and are moved by the same error, so they are equal, and the exporter keeps one.
    if "level.bias" in held:
        held.setdefault("first.bias", held["level.bias"])
    network = Network(held["mean"], held["spread"])
    state = network.state_dict()
    if lacking := [n for n in state if n not in held and ".pooler." not in n]:
        raise ValueError(f"{graph} lacks {', '.join(lacking)}")
    network.load_state_dict({n: torch.tensor(held[n]) for n in state if n in held}, strict=False)
    return network


def _names(graph: onnx.GraphProto) -> dict[str, str]:
    """Which of the network's weights each quantized matrix is.

    Either its name tells, with a note of how the exporter turned it, or the bias that is added to its product.
    """
    users = {taken: node for node in graph.node for taken in node.input}
    found = {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        matrix = node.input[1]
        if _WEIGHT in matrix:
            found[matrix] = matrix.split(_WEIGHT)[0] + _WEIGHT
            continue
        step = node
        while step.op_type != "Add":
            step = users[step.output[0]]
        found[matrix] = next(t for t in step.input if t.endswith(_BIAS)).removesuffix(_BIAS) + _WEIGHT
    return found
