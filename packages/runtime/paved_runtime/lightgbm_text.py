"""LightGBM's text, looked through before LightGBM reads it: a text that is not whole ends its process, or makes it read what lies beside.

Read is what a server needs, the header and the trees; what the booster was trained with stands behind them, for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from paved_runtime.tree_graph import Link

LINKS: Mapping[str, Link] = {  # objectives as a booster writes them, and what its sums of leaves are; MULTICLASS is another
    "binary sigmoid:1": "logistic",
    **dict.fromkeys(("regression", "regression_l1", "huber", "fair", "quantile", "mape"), "identity"),
    **dict.fromkeys(("poisson", "gamma", "tweedie"), "exponential"),
}
MULTICLASS = re.compile(r"multiclass num_class:([1-9]\d{0,3})")
END = "\nend of trees\n"
WHOLE = "\nend of parameters\n\npandas_categorical:null\n"
HEADER = {"version": "v4", "label_index": "0"}
OF_TASK = ("objective", "num_class", "num_tree_per_iteration")
COUNTED = ("feature_names", "feature_infos", "monotone_constraints")  # a word for each feature; the last may be left out
OF_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
OF_INNER = ("internal_value", "internal_weight", "internal_count")
OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
OF_CATEGORIES = ("cat_boundaries", "cat_threshold")
ALONE = ("num_leaves", "num_cat", "is_linear", "shrinkage")
CATEGORY, BITS = 1, 32  # of decision_type; values that a word of cat_threshold stands for


def link(objective: str) -> tuple[Link, int]:
    """What the leaves of a booster add up to, and how many sums there are.

    Raises:
        ValueError: no scores are made of its leaves.
    """
    if classes := MULTICLASS.fullmatch(objective):
        return "softmax", int(classes[1])
    if objective not in LINKS:
        raise ValueError(f"objective is {objective!r}: accepted are multiclass, {', '.join(LINKS)}")
    return LINKS[objective], 1


def trees(text: str) -> str:
    """The header and the trees of a whole text, with its end.

    Raises:
        ValueError: it is not whole, or not what a booster writes whose leaves add up to scores, whatever the link.
    """
    if not text.startswith("tree\n") or not text.endswith(WHOLE) or text.count(END) != 1:
        raise ValueError("it is not the whole text of a booster")
    model = text[: text.index(END) + len(END)]
    head, _, rest = model.partition("\n\n")
    header = _fields(head.removeprefix("tree\n"))
    _header(header)
    for number, size in enumerate(_integers(header["tree_sizes"])):
        tree, rest = rest[:size], rest[size:]
        if not tree.startswith(f"Tree={number}\n") or not tree.endswith("\n\n\n"):
            raise ValueError(f"tree {number} has another size than tree_sizes says")
        try:
            _tree(_fields(tree[:-2].partition("\n")[2]), int(header["max_feature_idx"]))
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error
    if rest != END.removeprefix("\n"):
        raise ValueError("there are more trees than tree_sizes says")
    return model


def _header(header: dict[str, str]) -> None:
    for name, value in HEADER.items():
        if header.get(name) != value:
            raise ValueError(f"{name} is {header.get(name)!r}: expected {value!r}")
    if lacking := {"max_feature_idx", "tree_sizes", *COUNTED[:2], *OF_TASK} - set(header):
        raise ValueError(f"{min(lacking)} is missing")
    if unknown := set(header) - {"max_feature_idx", "tree_sizes", *COUNTED, *HEADER, *OF_TASK}:
        raise ValueError(f"{min(unknown)!r} is unknown")
    _, sums = link(header["objective"])
    for name in OF_TASK[1:]:
        if header[name] != str(sums):
            raise ValueError(f"{name} is {header[name]!r}: expected '{sums}'")
    if len(_integers(header["tree_sizes"])) % sums:
        raise ValueError(f"tree_sizes has {len(_integers(header['tree_sizes']))} values: expected {sums} a round")
    for name in COUNTED:
        _count(header, name, int(header["max_feature_idx"]) + 1, optional=name == COUNTED[-1])


def _tree(tree: dict[str, str], last: int) -> None:
    """Refuse a tree whose lists have other lengths than its leaves ask for, or point out of themselves. `last` is the last feature."""
    known = (*ALONE, *OF_SPLITS, *OF_INNER, *OF_LEAVES)
    leaves, categories = int(tree["num_leaves"]), int(tree["num_cat"])
    if set(tree) != {*known, *(OF_CATEGORIES if categories else ())} or tree["is_linear"] != "0" or leaves < 1:
        raise ValueError("it has other fields than a tree of constant leaves")
    float(tree["shrinkage"])
    for name in (*OF_SPLITS, *OF_INNER):
        _count(tree, name, leaves - 1)
    for name in OF_LEAVES:
        _count(tree, name, leaves, optional=leaves == 1 and name != "leaf_value")
    _between("split_feature", _integers(tree["split_feature"]), 0, last)
    children = _integers(tree["left_child"]) + _integers(tree["right_child"])
    if sorted(children) != [*range(-leaves, 0), *range(1, leaves - 1)] and leaves > 1:
        raise ValueError("left_child and right_child are no tree")
    for parent, child in enumerate(children):
        if 0 <= child <= parent % (leaves - 1):
            raise ValueError(f"node {child} stands before its parent")
    kinds, thresholds = _integers(tree["decision_type"]), _floats(tree["threshold"])
    _between("decision_type", kinds, 0, 15)
    asked = [threshold for kind, threshold in zip(kinds, thresholds, strict=True) if kind & CATEGORY]
    _between("threshold of a category", asked, 0, categories - 1)
    if categories:
        _categories(_integers(tree["cat_boundaries"]), len(_integers(tree["cat_threshold"])), categories)


def _categories(boundaries: list[int], words: int, categories: int) -> None:
    if len(boundaries) != categories + 1 or boundaries != sorted(boundaries) or boundaries[0] != 0 or boundaries[-1] != words:
        raise ValueError("cat_boundaries do not fit cat_threshold")


def _fields(lines: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in filter(None, lines.split("\n")):
        name, equals, value = line.partition("=")
        if not equals or name in fields:
            raise ValueError(f"{line[:40]!r} is no field, or one that is there twice")
        fields[name] = value
    return fields


def _count(fields: dict[str, str], name: str, count: int, *, optional: bool = False) -> None:
    """Refuse a field that has not so many words or, but for the features' own, words that are no numbers."""
    words = fields.get(name, "").split(" ") if fields.get(name) else []
    if len(words) != count and (words or not optional):
        raise ValueError(f"{name} has {len(words)} values: expected {count}")
    if name not in COUNTED[:2]:
        _floats(" ".join(words))


def _between(name: str, values: Sequence[float], least: int, most: int) -> None:
    for value in values:
        if not least <= value <= most:
            raise ValueError(f"{name} is {value:g}: expected at least {least} and at most {most}")


def _integers(words: str) -> list[int]:
    return [int(word) for word in words.split()]


def _floats(words: str) -> list[float]:
    return [float(word) for word in words.split()]
