"""Several boosters as one: all their trees, each leaf divided by their number.

A booster's raw score is the sum of its trees, so the merged booster's is the members' mean, in log-odds. It is an
ordinary LightGBM model: it loads, predicts and is explained (TreeSHAP) like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import lightgbm as lgb

TREES_END = "end of trees"
DIVIDED = ("leaf_value", "internal_value", "shrinkage")


def merge(members: Sequence[lgb.Booster], rounds: Sequence[int]) -> lgb.Booster:
    """One booster whose raw score is the mean of the members' after so many `rounds` each, to about 1e-14.

    The members have the same inputs in the same order, and one output. Raises ValueError when they do not, or
    when there is none.
    """
    if not members or len(members) != len(rounds):
        raise ValueError(f"{len(members)} members and {len(rounds)} numbers of rounds cannot be merged")
    texts = [m.model_to_string(num_iteration=n) for m, n in zip(members, rounds, strict=True)]
    if len({_inputs(text) for text in texts}) > 1:
        raise ValueError("the members differ in their inputs")
    head, _, tail = texts[0].partition("\nTree=0\n")
    _, _, tail = tail.partition(TREES_END)
    trees = [_divided(tree, len(texts)) for text in texts for tree in _trees(text)]
    numbered = "".join(f"Tree={number}\n{tree}" for number, tree in enumerate(trees))
    # without tree_sizes LightGBM reads the trees one after the other, and writes the sizes itself
    return lgb.Booster(model_str=re.sub(r"(?m)^tree_sizes=.*\n", "", head) + f"\n{numbered}{TREES_END}{tail}")


def _inputs(text: str) -> tuple[str, ...]:
    kept = ("num_tree_per_iteration=", "objective=", "feature_names=")
    return tuple(line for line in text.partition("\nTree=0\n")[0].splitlines() if line.startswith(kept))


def _trees(text: str) -> list[str]:
    body = text.partition("\nTree=0\n")[2].partition(TREES_END)[0]
    return re.split(r"(?m)^Tree=\d+\n", body)


def _divided(tree: str, members: int) -> str:
    lines = []
    for line in tree.splitlines(keepends=True):
        name, _, values = line.partition("=")
        if name in DIVIDED:
            line = f"{name}={' '.join(repr(float(value) / members) for value in values.split())}\n"
        lines.append(line)
    return "".join(lines)
