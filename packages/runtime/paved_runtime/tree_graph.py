"""An ONNX graph of decision trees that decides as their library does: in double precision, whatever the precision of the features.

Thresholds of a library that compares doubles lie between two float32 numbers. Rounded to float32, one may fall upon a feature's value, and
every row that has it goes the other way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

OPSET, TREES = 21, 5  # of ONNX, and of its ai.onnx.ml: the first whose trees may ask whether a feature is one of several values
LESS_OR_EQUAL, MEMBER = 0, 6  # TreeEnsemble's names for what a node asks
Link = Literal["logistic", "softmax", "identity", "exponential"]  # what turns sums of leaves into scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What a node asks of a feature: is it at most `threshold`? Or, where there are `members`, is its whole part one of them?

    `missing` is the answer for NaN. `yes` and `no` come next; a float is a leaf.
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
    """Trees as TreeEnsemble has them: an entry for each split, in one list for each of its properties, and the leaves.

    There are so many `targets`, each with a sum of its own; trees of the first, the second … take turns.
    """

    targets: int = 1
    roots: list[int] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    target: list[int] = field(default_factory=list)  # whose sum each leaf is of
    yes: list[tuple[int, bool]] = field(default_factory=list)  # position, and whether it is a leaf's
    no: list[tuple[int, bool]] = field(default_factory=list)

    def plant(self, tree: Tree) -> None:
        """Add a tree. One that is nothing but a leaf asks a question all the same: it has the same answer twice."""
        target = len(self.roots) % self.targets
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
                    self.target.append(target)
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
            "n_targets": self.targets,
            "nodes_featureids": [split.feature + features * bool(split.members) for split in self.splits],
            "nodes_modes": tensor("nodes_modes", modes, np.uint8),
            "nodes_splits": tensor("nodes_splits", [split.threshold for split in self.splits], np.float64),
            "nodes_missing_value_tracks_true": [int(split.missing) for split in self.splits],
            "nodes_truenodeids": [position for position, _ in self.yes],
            "nodes_trueleafs": [int(leaf) for _, leaf in self.yes],
            "nodes_falsenodeids": [position for position, _ in self.no],
            "nodes_falseleafs": [int(leaf) for _, leaf in self.no],
            "leaf_targetids": self.target,
            "leaf_weights": tensor("leaf_weights", self.leaves, np.float64),
            **({"membership_values": tensor("membership_values", members, np.float64)} if members else {}),
        }


def graph(trees: list[Tree], features: int, *, link: Link, targets: int, name: str) -> bytes:
    """The graph of trees: `features` float32 [rows, features] → `probabilities` float32 [rows, outcomes], or `values` [rows, 1].

    With a logistic link, leaves add up to the log-odds of the second of two outcomes; with softmax, those of each of `targets` outcomes
    to its logit; else they add up to a number, or to its logarithm.
    """
    import onnx
    from onnx import TensorProto, helper

    nodes = Nodes(targets)
    for tree in trees:
        nodes.plant(tree)
    categories = any(split.members for split in nodes.splits)
    asked = "asked" if categories else "doubles"
    output, width = ("probabilities", max(targets, 2)) if link in ("logistic", "softmax") else ("values", 1)
    steps = [
        helper.make_node("Cast", ["features"], ["doubles"], to=TensorProto.DOUBLE),
        *(_whole_parts() if categories else []),
        helper.make_node("TreeEnsemble", [asked], ["sums"], domain="ai.onnx.ml", **nodes.attributes(features)),
        *_linked(link),
        helper.make_node("Cast", ["scores"], [output], to=TensorProto.FLOAT),
    ]
    matrix = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])
    answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREES)]
    model = helper.make_model(helper.make_graph(steps, name, [matrix], [answer]), opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _whole_parts() -> list[Any]:
    """From `doubles` to `asked`, where their whole parts stand behind them."""
    from onnx import helper

    return [
        helper.make_node("Sign", ["doubles"], ["signs"]),
        helper.make_node("Abs", ["doubles"], ["sizes"]),
        helper.make_node("Floor", ["sizes"], ["whole_sizes"]),
        helper.make_node("Mul", ["signs", "whole_sizes"], ["whole"]),
        helper.make_node("Concat", ["doubles", "whole"], ["asked"], axis=1),
    ]


def _linked(link: Link) -> list[Any]:
    """From `sums` to `scores`, both doubles."""
    from onnx import helper

    if link != "logistic":
        operator = {"softmax": "Softmax", "identity": "Identity", "exponential": "Exp"}[link]
        return [helper.make_node(operator, ["sums"], ["scores"])]
    return [
        helper.make_node("Sigmoid", ["sums"], ["positive"]),
        helper.make_node("Neg", ["sums"], ["opposite"]),
        helper.make_node("Sigmoid", ["opposite"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["scores"], axis=1),
    ]
