"""A network as an ONNX graph, whose bytes depend on the network alone: the exporter's notes of source lines are left out."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch
from torch import Tensor, nn

ROWS = 3  # of the example that the network is traced with: no number that a network may have a meaning for, such as 1


class Probabilities(nn.Module):
    """float32 [rows, 2] of both outcomes, from a network's logits [rows] or [rows, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        positive = torch.sigmoid(self.network(features).reshape(-1))
        return torch.stack([1 - positive, positive], dim=1)


def width(network: nn.Module) -> int:
    """How many features a network takes. Raises ValueError where it does not say."""
    try:
        return int(network.in_features)  # type: ignore[arg-type]
    except AttributeError as error:
        raise ValueError(f"{type(network).__name__} does not say how many features it takes: give it the attribute in_features") from error


def export(module: nn.Module, features: int) -> bytes:
    """The graph of a module that takes float32 [rows, features] and gives probabilities, float32 [rows, 2]: input `features`, output
    `probabilities`, as many rows as there are.

    Raises:
        ValueError: the network does what ONNX has no words for.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nobody asked for
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch's own use of itself
            program = torch.onnx.export(
                module.eval(),
                (torch.zeros(ROWS, features),),
                input_names=["features"],
                output_names=["probabilities"],
                dynamic_shapes={"features": {0: torch.export.Dim("rows")}},
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        why = next((line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()), "it gave no reason")
        raise ValueError(f"the network cannot be written as ONNX: {why}: use operations that torch.onnx knows in forward") from error
    assert program is not None
    return _plain(program.model_proto)


def _plain(model: onnx.ModelProto) -> bytes:
    """Without the notes on each node, and under one name whatever the network's class is called."""
    model.graph.name, model.graph.doc_string, model.doc_string = "network", "", ""
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.value_info):
        del part.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    written: bytes = model.SerializeToString(deterministic=True)
    return written
