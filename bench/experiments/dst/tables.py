"""The experiment's tables."""

from __future__ import annotations

import numpy as np

from ...pages.table import Table
from .findings import Reader
from .published import ROWS
from .tasks import MAIN, PROJECTED

__all__ = ["layers", "masks", "published", "sweep", "variants"]


def sweep(reader: Reader, task: str) -> Table:
    """Lay out a network's sweep over alpha."""
    head = "alpha | remaining, % | accuracy, % | less dense's | came back, % | resets | ms a step"
    table = Table(f"{task}: the sweep", head)
    arms = {"dense": "dense"} | {_short(a): label for a, label in reader.swept(task).items()}
    for name, arm in arms.items():
        left, less = _left_and_less(reader, task, arm)
        back, resets = (reader.mean(task, arm, k).mean for k in ("back", "resets"))
        pruned = ("", "", "") if arm == "dense" else (less, f"{100 * back:.1f}", f"{resets:g}")
        accuracy = reader.mean(task, arm, "accuracy").write(100)
        left = "100" if arm == "dense" else left
        table.add(name, left, accuracy, *pruned, _milliseconds(reader, task, arm))
    return table


def layers(reader: Reader, task: str) -> Table:
    """Lay out what each matrix keeps at the end, by alpha."""
    swept = reader.swept(task)
    table = Table(f"{task}: what is kept of each matrix, %", ("matrix", *map(_short, swept)))
    names = reader.runs(task, next(iter(swept.values())))[0]["layers"]
    for name in names:
        curves = (reader.curve(task, arm, "layers", name) for arm in swept.values())
        table.add(name, *(f"{100 * curve[-1]:.1f}" for curve in curves))
    return table


def variants(reader: Reader) -> Table:
    """Lay out other thresholds, another start and another reset rule, beside the usual."""
    head = "network | arm | remaining, % | accuracy less dense's | resets"
    table = Table("Other thresholds, another start, another reset rule", head, words=2)
    for task in reader.tasks:
        others = [arm for arm in reader.arms(task) if _is_variant(arm)]
        usual = {arm.partition(",")[0] for arm in others}
        for arm in (a for a in reader.arms(task) if a in usual or a in others):
            resets = f"{reader.mean(task, arm, 'resets').mean:g}"
            table.add(task, arm, *_left_and_less(reader, task, arm), resets)
    return table


def masks(reader: Reader) -> Table:
    """Lay out N:M masks: chosen by thresholds in training or after it, and uniform ones."""
    head = (
        "masks | alpha | room, % | remaining, % | accuracy less dense's | N of each layer | "
        "ms a step"
    )
    table = Table(f"{MAIN}: N:M masks both ways", head, words=2)
    for m in PROJECTED:
        for alpha, plain in reader.swept(MAIN).items():
            arm = f"{plain}, N:{m}"
            if arm not in reader.arms(MAIN):
                continue
            for label, cut in ((arm, False), (plain, True)):
                table.add(*_row_of_masks(reader, label, m, alpha, cut))
    for arm in reader.arms(MAIN):
        if arm.startswith("uniform"):
            room, took = _room(reader, arm), _milliseconds(reader, MAIN, arm)
            table.add(arm, "", room, *_left_and_less(reader, MAIN, arm), "", took)
    return table


def _row_of_masks(reader: Reader, arm: str, m: int, alpha: float, cut: bool) -> tuple[str, ...]:
    if cut:
        stored, kept = (reader.cut(MAIN, arm, str(m), k) for k in ("stored", "remaining"))
        less = reader.less_dense(MAIN, arm, str(m)).write(100, sign=True)
        room = f"{100 * stored.mean:.1f}"
        return f"N:{m} after training", _short(alpha), room, kept.write(100), less, "", ""
    patterns = [
        np.array([run["patterns"][name][-1] for run in reader.runs(MAIN, arm)])
        for name in reader.runs(MAIN, arm)[0]["patterns"]
    ]
    return (
        f"N:{m} in training",
        _short(alpha),
        _room(reader, arm),
        *_left_and_less(reader, MAIN, arm),
        ", ".join("-".join(dict.fromkeys((str(n.min()), str(n.max())))) for n in patterns),
        _milliseconds(reader, MAIN, arm),
    )


def _left_and_less(reader: Reader, task: str, arm: str) -> tuple[str, str]:
    """Write the share that remains, and the accuracy less the dense networks'."""
    left, less = reader.mean(task, arm, "remaining"), reader.less_dense(task, arm)
    return left.write(100), less.write(100, sign=True)


def _room(reader: Reader, arm: str) -> str:
    return f"{100 * reader.mean(MAIN, arm, 'stored').mean:.1f}"


def _milliseconds(reader: Reader, task: str, arm: str) -> str:
    return f"{reader.mean(task, arm, 'milliseconds').mean:.2f}"


def published() -> Table:
    """Lay out the paper's own figures, with the commands for the real data."""
    head = "data | network | alpha | where | command | remaining, % | accuracy, % | dense, %"
    table = Table("The paper's own figures (Liu et al. 2020), not ours", head, words=5)
    for row in ROWS:
        alpha = "not given" if row.alpha is None else f"{row.alpha:g}"
        shares = (row.remaining, row.sparse, row.dense)
        numbers = ("-" if share is None else f"{share:.2f}" for share in shares)
        table.add(row.data, row.network, alpha, row.where, f"`{row.command}`", *numbers)
    return table


def _is_variant(arm: str) -> bool:
    return any(word in arm for word in ("thresholds", "reset", "from dense"))


def _short(alpha: float) -> str:
    return f"{alpha:g}"
