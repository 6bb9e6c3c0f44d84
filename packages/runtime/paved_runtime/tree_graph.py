"""An ONNX graph of decision trees that decides as their library does: in double precision, whatever the precision of the features.

Thresholds of a library that compares doubles lie between two float32 numbers. Rounded to float32, one may fall upon a feature's value, and
every row that has it goes the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

OPSET, TREES = 21, 5  # of ONNX, and of its ai.onnx.ml: the first whose trees may ask whether a feature is one of several values
LESS_OR_EQUAL, MEMBER = 0, 6  # TreeEnsemble's names for what a node asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What a node asks of a feature: is it at most `threshold`? Or, where there are `members`, is its whole part one of them?

    `missing` is the answer for NaN. `yes` and `no` come next; a float is a leaf, in log-odds.
    """

    feature: int
    threshold: float = 0.0
    members: tuple[int, ...] = ()
    missing: bool
    yes: Tree
    no: Tree


Tree = Split | float


@dataclass
class Nodes:
    """Trees as TreeEnsemble has them: an entry for each split, in one list for each of its properties, and the leaves."""

    roots: list[int] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    yes: list[tuple[int, bool]] = field(default_factory=list)  # position, and whether it is a leaf's
    no: list[tuple[int, bool]] = field(default_factory=list)

    def plant(self, tree: Tree) -> None:
        """Add a tree. One that is nothing but a leaf asks a question all the same: it has the same answer twice."""
        root = tree if isinstance(tree, Split) else Split(feature=0, missing=True, yes=tree, no=tree)
        waiting = [(root, self._reserve(root))]
        self.roots.append(waiting[0][1])
        while waiting:
            split, at = waiting.pop()
            for answers, child in ((self.yes, split.yes), (self.no, split.no)):
                if isinstance(child, Split):
                    waiting.append((child, self._reserve(child)))
                    answers[at] = (waiting[-1][1], False)
                else:
                    self.leaves.append(child)
                    answers[at] = (len(self.leaves) - 1, True)

    def _reserve(self, split: Split) -> int:
        self.splits.append(split)
        self.yes.append((0, False))
        self.no.append((0, False))
        return len(self.splits) - 1

    def attributes(self, features: int) -> dict[str, Any]:
        """Those of TreeEnsemble, in whose input the whole parts of the `features` stand behind them."""
        from onnx import numpy_helper

        def tensor(name: str, values: list[float] | list[int], kind: type) -> Any:
            return numpy_helper.from_array(np.array(values, dtype=kind), name)

        members = [value for split in self.splits if split.members for value in (*split.members, np.nan)]
        modes = [MEMBER if split.members else LESS_OR_EQUAL for split in self.splits]
        return {
            "tree_roots": self.roots,
            "n_targets": 1,
            "nodes_featureids": [split.feature + features * bool(split.members) for split in self.splits],
            "nodes_modes": tensor("nodes_modes", modes, np.uint8),
            "nodes_splits": tensor("nodes_splits", [split.threshold for split in self.splits], np.float64),
            "nodes_missing_value_tracks_true": [int(split.missing) for split in self.splits],
            "nodes_truenodeids": [position for position, _ in self.yes],
            "nodes_trueleafs": [int(leaf) for _, leaf in self.yes],
            "nodes_falsenodeids": [position for position, _ in self.no],
            "nodes_falseleafs": [int(leaf) for _, leaf in self.no],
            "leaf_targetids": [0] * len(self.leaves),
            "leaf_weights": tensor("leaf_weights", self.leaves, np.float64),
            **({"membership_values": tensor("membership_values", members, np.float64)} if members else {}),
        }


def binary(trees: list[Tree], features: int, *, name: str) -> bytes:
    """The graph of trees whose leaves add up to log-odds: `features` float32 [rows, features] → `probabilities` float32 [rows, 2]."""
    import onnx
    from onnx import TensorProto, helper

    nodes = Nodes()
    for tree in trees:
        nodes.plant(tree)
    whole = [
        helper.make_node("Sign", ["doubles"], ["signs"]),
        helper.make_node("Abs", ["doubles"], ["sizes"]),
        helper.make_node("Floor", ["sizes"], ["whole_sizes"]),
        helper.make_node("Mul", ["signs", "whole_sizes"], ["whole"]),
        helper.make_node("Concat", ["doubles", "whole"], ["asked"], axis=1),
    ]
    categories = any(split.members for split in nodes.splits)
    steps = [
        helper.make_node("Cast", ["features"], ["doubles"], to=TensorProto.DOUBLE),
        *(whole if categories else []),
        helper.make_node(
            "TreeEnsemble", ["asked" if categories else "doubles"], ["log_odds"], domain="ai.onnx.ml", **nodes.attributes(features)
        ),
        helper.make_node("Sigmoid", ["log_odds"], ["positive"]),
        helper.make_node("Neg", ["log_odds"], ["opposite"]),
        helper.make_node("Sigmoid", ["opposite"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["both"], axis=1),
        helper.make_node("Cast", ["both"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES)]
    model = helper.make_model(helper.make_graph(steps, name, [given], [answer]), opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized
