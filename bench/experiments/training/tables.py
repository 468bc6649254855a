"""The experiment's tables: every arm, and every question."""

from __future__ import annotations

from ...pages.table import Table
from ..shared.estimates import Estimate
from .arms import DENSE
from .findings import Reader
from .questions import Question, written
from .reading import HEADLINES

__all__ = ["every_arm", "headlines", "question"]


def headlines(reader: Reader) -> Table:
    """Lay out the comparisons that tell most; those beyond their interval are bold."""
    table = Table("In short", ("", "", *reader.tasks), words=2)
    for one in HEADLINES.values():
        cells = []
        for task in reader.tasks:
            loss, accuracy = (
                reader.difference(task, one.pairs, what) for what in ("loss", "accuracy")
            )
            cells.append(f"{_bold(loss, 1, 3)} ({accuracy.write(100, sign=True)})")
        if any(cell != "- (-)" for cell in cells):
            table.add(one.heading, one.words, *cells)
    return table


def every_arm(reader: Reader, task: str) -> Table:
    """Lay out all arms of a task."""
    head = (
        "pattern | method | estimator | every | loss | less dense's | accuracy, % | less dense's | "
        "kept, % | density, % | flips, % | moved, %"
    )
    table = Table(f"{task}: every arm", head, words=4)
    for arm in reader.arms:
        measured = {
            name: reader.mean(task, arm, name)
            for name in ("loss", "accuracy", "kept", "density", "flips", "moved")
        }
        pair = [(arm, DENSE.label)]
        loss, accuracy = (reader.difference(task, pair, m) for m in ("loss", "accuracy"))
        dense = arm == DENSE.label
        table.add(
            *_words(arm),
            measured["loss"].write(places=3),
            "" if dense else loss.write(places=3, sign=True),
            measured["accuracy"].write(100),
            "" if dense else accuracy.write(100, sign=True),
            *(
                f"{100 * measured[name].mean:.{places}f}"
                for name, places in (("kept", 1), ("density", 1), ("flips", 2), ("moved", 1))
            ),
        )
    return table


def _words(label: str) -> tuple[str, ...]:
    """Spread a label over four columns: what is unusual goes with the last but one."""
    usual, _, unusual = label.partition(" (")
    words = [written(word) for word in usual.split()]
    words += [""] * (4 - len(words))
    if unusual:
        place = 2 if unusual.startswith("decay") else 0
        words[place] += f" ({unusual}"
    return tuple(words)


def question(reader: Reader, asked: Question) -> Table:
    """Lay out a question; differences beyond their interval are bold."""
    words = asked.head.split(" | ")
    heads = [f"{task}, {what}" for task in reader.tasks for what in ("loss", "accuracy")]
    table = Table(asked.title, (*words, *heads), words=len(words))
    for row in asked.rows:
        cells = []
        for task in reader.tasks:
            loss = reader.difference(task, row.pairs, "loss")
            accuracy = reader.difference(task, row.pairs, "accuracy")
            cells += [_bold(loss, 1, 3), _bold(accuracy, 100, 2)]
        if any(cell != "-" for cell in cells):
            table.add(*row.words, *cells)
    return table


def _bold(value: Estimate, scale: float, places: int) -> str:
    text = value.write(scale, places, sign=True)
    return f"**{text}**" if value.sure else text
