"""What a network learns to do: by its task, how far its outputs are from what turned out to be."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from paved_runtime.networks.outputs import rowwise
from paved_runtime.networks.target import Standard
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName


@dataclass(frozen=True, slots=True)
class Objective:
    """The log loss of outcomes; of a regression the squared error, in standard deviations of the training labels, so that steps are of
    like size whatever the unit.
    """

    task: TaskName
    classes: int
    deviation: float

    @classmethod
    def of(cls, run: TrainingRun) -> Objective:
        """That of a run."""
        return cls(run.task, run.classes, Standard.of(run.labels).deviation if run.task == "regression" else 1.0)

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The sum over rows, of a network's outputs and the labels, float [rows]. Raises ValueError for outputs of another shape."""
        outputs = rowwise(outputs, len(labels), self.task, self.classes)
        if self.task == "multiclass":
            return cross_entropy(outputs, labels.long(), reduction="sum")
        if self.task == "regression":
            return mse_loss(outputs / self.deviation, labels / self.deviation, reduction="sum")
        return binary_cross_entropy_with_logits(outputs, labels, reduction="sum")
