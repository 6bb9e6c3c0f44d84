"""Scores come from ONNX Runtime, in training's evaluation and in serving alike."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort  # type: ignore[import-untyped]

from paved_runtime import artifact
from paved_runtime.table import Matrix


class Scorer:
    """A loaded model. Safe to call from several threads."""

    def __init__(self, onnx: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._run = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"]).run

    @classmethod
    def load(cls, model: Path) -> Scorer:
        """Load a model folder's `model.onnx`. Raises ArtifactError if ONNX Runtime refuses it, for whatever reason."""
        try:
            return cls((model / artifact.ONNX).read_bytes())
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            raise artifact.ArtifactError(f"{artifact.ONNX} cannot be loaded: {error}") from error

    def matrix(self, features: Matrix) -> Matrix:
        """Probabilities of the positive outcome, float32 [rows]."""
        probabilities: Matrix = self._run(["probabilities"], {"features": features})[0]
        return probabilities[:, 1]
