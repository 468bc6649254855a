"""The experiment's tables."""

from __future__ import annotations

from collections import Counter

from ...pages.table import Table
from ...pages.words import listing, plain
from .reader import QUESTIONS, Reader

__all__ = ["architectures", "dense", "kinds", "reasons", "unmade"]


def kinds(reader: Reader) -> Table:
    """Lay out the kinds of models: how many, masked shares, and yes to every question."""
    first = reader.patterns[0]
    table = Table(
        f"by kind, {first}",
        ("kind", "types", "masked by module, %", "by file, %", *QUESTIONS.values()),
    )
    counts = Counter(run["kind"] for run in reader.compared)
    for kind, count in counts.most_common():
        found = [run["outcomes"][first] for run in reader.compared if run["kind"] == kind]
        shares = [
            f"{100 * sum(one[way] for one in found) / count:.1f}"
            for way in ("module_share", "file_share")
        ]
        yes = [str(sum(bool(one[question]) for one in found)) for question in QUESTIONS]  # type: ignore[literal-required]
        table.add(kind, str(count), *shares, *yes)
    return table


def reasons(reader: Reader) -> Table:
    """Lay out what explains each no, with the types that it holds for."""
    table = Table("why not", ("", "why", "types", "which"), words=2)
    for number, (sentence, types) in enumerate(reader.sentences().items(), 1):
        table.add(str(number), plain(sentence), str(len(types)), plain(listing(types, 6)))
    return table


def dense(reader: Reader) -> Table:
    """Lay out why matrices get no masks by the module way."""
    table = Table("left dense", ("why", *(f"matrices, {p}" for p in reader.patterns)))
    counts = [reader.left_out(pattern) for pattern in reader.patterns]
    for why in sorted(
        set().union(*counts), key=lambda why: (-sum(one[why] for one in counts), why)
    ):
        table.add(plain(why), *(f"{one[why]:,}" for one in counts))
    return table


def architectures(reader: Reader) -> Table:
    """Lay out every type that was compared."""
    head = ["type", "kind", "made", "parameters"]
    for pattern in reader.patterns:
        head += [f"{pattern}: module, %", "file, %", "same", "loads", "obeys"]
    table = Table("every architecture", head, words=3)
    numbers = {sentence: k for k, sentence in enumerate(reader.sentences(), 1)}
    for run in reader.compared:
        cells = [plain(run["model_type"]), run["kind"], run["made"], f"{run['parameters']:,}"]
        for pattern in reader.patterns:
            outcome = run["outcomes"][pattern]
            cells += [f"{100 * outcome[f'{way}_share']:.1f}" for way in ("module", "file")]  # type: ignore[literal-required]
            for question in QUESTIONS:
                why = [str(numbers[one]) for one in reader.why_not(run, pattern, question)]
                cells.append(f"no ({', '.join(why)})" if why else "yes")
        table.add(*cells)
    return table


def unmade(reader: Reader) -> Table:
    """Lay out the types that were not compared, by why."""
    table = Table("not compared", ("why", "types", "which"))
    by_why: dict[str, list[str]] = {}
    for run in reader.unmade:
        by_why.setdefault(run["why"], []).append(run["model_type"])
    for why, types in sorted(by_why.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        table.add(plain(why), str(len(types)), plain(listing(types)))
    return table
