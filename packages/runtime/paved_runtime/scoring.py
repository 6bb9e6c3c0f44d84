"""Who answers for a model, in evaluation and in serving alike: ONNX Runtime where its framework writes a graph, else the framework."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from paved_runtime import artifact
from paved_runtime.frameworks import Framework
from paved_runtime.table import Matrix

Score = Callable[[Matrix], Matrix]  # features float32 [rows, features] → scores float32 [rows]; of several classes, [rows, classes]
PROBABILITIES, VALUES = "probabilities", "values"  # outputs of a graph: of outcomes, and of a regression


class Graph:
    """A loaded graph. Safe to call from several threads.

    It has the output `probabilities`, float32 [rows, outcomes], or, of a regression, `values`, float32 [rows] or [rows, 1].
    """

    def __init__(self, onnx: bytes) -> None:
        import onnxruntime as ort  # type: ignore[import-untyped]  # here, for who asks a framework's module only what it is called

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self._run, self.output = session.run, VALUES if VALUES in {output.name for output in session.get_outputs()} else PROBABILITIES

    def __call__(self, features: Matrix) -> Matrix:
        answer: Matrix = self._run([self.output], {"features": features})[0]
        if self.output == VALUES:
            return answer.reshape(-1)
        return answer[:, 1] if answer.shape[1] == 2 else answer


def load(framework: Framework, model: Path) -> Score:
    """What answers for a model folder. Raises ArtifactError if ONNX Runtime, or the framework, refuses a file, for whatever reason."""
    return graph(model) if artifact.ONNX in framework.FILES else partial(framework.predict, framework.load(model))


def graph(model: Path) -> Graph:
    """The graph of a model folder. Raises ArtifactError if ONNX Runtime refuses it, for whatever reason."""
    try:
        return Graph((model / artifact.ONNX).read_bytes())
    except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
        raise artifact.ArtifactError(f"{artifact.ONNX} cannot be loaded: {' '.join(str(error).split())}") from error
