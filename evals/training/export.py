"""The trained network as ONNX with weights of eight bits: a quarter of the size, faster, and no PyTorch to run it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from coach.encoder_export import OPSET
from coach.judges.cross_encoder import TARGETS
from evals.training.network import Network

OUTPUTS = ("levels", "flags", "points", "level_tokens", "flag_tokens")
INPUTS = ("input_ids", "token_type_ids", "answer_mask", "point_masks")


def export(network: Network, target: Path) -> None:
    """Write a network for one answer at a time, any number of tokens and points."""
    plain = _eager(network)
    n, p = 40, 3
    ids, types = torch.full((1, n), 2000), torch.cat([torch.zeros(1, 20), torch.ones(1, n - 20)], dim=1).long()
    answer, points = types.float(), torch.zeros(1, p, n)
    for i in range(p):
        points[0, i, 3 + 4 * i : 6 + 4 * i] = 1.0
    tokens, count = torch.export.Dim("tokens", min=4, max=512), torch.export.Dim("points", min=1, max=256)
    shapes: Any = ({1: tokens}, {1: tokens}, {1: tokens}, {1: count, 2: tokens})
    program = torch.onnx.export(
        plain,
        (ids, types, answer, points),
        dynamo=True,
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=shapes,
        opset_version=OPSET,
        verbose=False,
    )
    with tempfile.TemporaryDirectory() as folder:
        whole, ready = Path(folder) / "whole.onnx", Path(folder) / "ready.onnx"
        program.save(str(whole), external_data=False)
        quant_pre_process(str(whole), str(ready), skip_symbolic_shape=True)
        # Seven bits: older processors without VNNI overflow on eight.
        quantize_dynamic(
            str(ready),
            str(target),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul", "Gather"],
        )
    _forget_where_it_was_made(target)


def _forget_where_it_was_made(graph: Path) -> None:
    """Drop the exporter's notes, stack traces with paths of the machine among them."""
    model = onnx.load(graph)
    parts = (model.graph.node, model.graph.value_info, model.graph.input, model.graph.output, model.graph.initializer)
    for noted in (model, model.graph, *(item for part in parts for item in part)):
        del noted.metadata_props[:]
        noted.doc_string = ""
    onnx.save(model, graph)


def _eager(network: Network) -> Network:
    """The same network with attention written out, which the exporter can follow."""
    blank = (torch.zeros(len(TARGETS)).tolist(), torch.ones(len(TARGETS)).tolist())
    plain = Network(*blank, attention="eager")
    plain.load_state_dict(network.state_dict())
    plain.eval()
    return plain
