"""A network as an ONNX graph, whose bytes depend on the network alone: the exporter's notes of source lines are left out."""

from __future__ import annotations

import logging
import warnings

import onnx
import torch
from torch import Tensor, nn

from paved_runtime.networks import outputs
from paved_runtime.spec import TaskName

ROWS = 3  # of the example that the network is traced with: no number that a network may have a meaning for, such as 1


class Answers(nn.Module):
    """What callers get of a network (paved_runtime.networks.outputs)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.task = network, outputs.task(network)

    def forward(self, features: Tensor) -> Tensor:
        scores = outputs.scores(self.network(features), features.shape[0], self.task)  # len() would be that of the example
        return outputs.answers(scores, self.task)


def width(network: nn.Module) -> int:
    """How many features a network takes. Raises ValueError where it does not say."""
    try:
        return int(network.in_features)  # type: ignore[arg-type]
    except AttributeError as error:
        raise ValueError(f"{type(network).__name__} does not say how many features it takes: give it the attribute in_features") from error


def export(module: nn.Module, features: int, task: TaskName) -> bytes:
    """The graph of a module that takes float32 [rows, features] and gives a task's answers: input `features`, output `probabilities`,
    float32 [rows, outcomes], or of a regression `values`, float32 [rows]; as many rows as there are.

    Raises:
        ValueError: the network gives what is no answer of its task, or does what ONNX has no words for.
    """
    example = torch.zeros(ROWS, features)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nobody asked for
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of torch's own use of itself
            module.eval()(example)  # an error here says what it is
            program = torch.onnx.export(
                module,
                (example,),
                input_names=["features"],
                output_names=[outputs.GIVES[task]],
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
