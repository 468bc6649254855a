"""What was measured on a device, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..pages.table import Table

__all__ = ["tables"]

Rows = Sequence[Mapping[str, Any]]


def tables(found: Mapping[str, Any]) -> Iterator[Table]:
    """Lay the findings out."""
    for kind in dict.fromkeys(row["weights"] for row in found["exact"]):
        yield _exact(kind, [row for row in found["exact"] if row["weights"] == kind])
    for kind in dict.fromkeys(row["weights"] for row in found["rivals"]):
        yield _rivals(kind, [row for row in found["rivals"] if row["weights"] == kind])
    if found["warm"]:
        yield _warm(found["warm"])
    if found["graphs"]:
        yield _graphs(found["graphs"])
    if found.get("layers"):
        yield _layers(found["layers"]["layers"])
        yield _block(found["layers"]["block"])


def _fill(table: Table, rows: Rows, keys: str, write: Callable[[Mapping[str, Any]], str]) -> Table:
    """Add rows: what each is of, and the cells that `write` gives; one that failed says why."""
    for row in rows:
        head = [str(row[key]) for key in keys.split()]
        rest = [""] * (len(table.columns) - len(head) - 1)
        table.add(*head, *([row["failed"], *rest] if row["failed"] else write(row).split(" | ")))
    return table


def _exact(kind: str, rows: Rows) -> Table:
    title = f"exact masks, {kind} weights: device time, beside a copy of the weights"
    head = (
        "pattern | side | ms | copy, ms | copies | first result, s | of it compiled | peak, MB | "
        "tiles proven | gap | off the CPU's by | CPU, ms"
    )

    def write(row: Mapping[str, Any]) -> str:
        peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}"
        return (
            f"{_ms(row['seconds'])} | {_ms(row['copy_seconds'])} | {row['copies']:.1f} | "
            f"{row['first_seconds']:.2f} | {row['compile_seconds']:.2f} | {peak} | "
            f"{_proven(row)} | {row['gap']:.1g} | {row['engine_difference']:.1g} | "
            f"{_ms(row['engine_seconds'])}"
        )

    return _fill(Table(title, head), rows, "pattern side", write)


def _rivals(kind: str, rows: Rows) -> Table:
    title = f"methods on the same device in the same run, {kind} weights"
    head = "pattern | method | side | ms | below the optimum | lines short"

    def write(row: Mapping[str, Any]) -> str:
        loss = f"{max(0.0, row['loss']):.4%}"
        return f"{_ms(row['seconds'])} | {loss} | {row['short_lines']:.2%}"

    return _fill(Table(title, head, words=2), rows, "pattern method side", write)


def _warm(rows: Rows) -> Table:
    title = "warm starts from earlier potentials, float32 weights"
    head = "pattern | side | relative change | cold, ms | warm, ms | times as fast | tiles proven"

    def write(row: Mapping[str, Any]) -> str:
        cold, warm = row["cold"], row["warm"]
        return f"{_ms(cold)} | {_ms(warm)} | {cold / warm:.2f} | {_proven(row)}"

    return _fill(Table(title, head), rows, "pattern side change", write)


def _graphs(rows: Rows) -> Table:
    title = "replayed from a CUDA graph, float32 weights"
    head = "pattern | side | launched, ms | replayed, ms | same mask"

    def write(row: Mapping[str, Any]) -> str:
        same = "yes" if row["same"] else "NO"
        return f"{_ms(row['launched'])} | {_ms(row['replayed'])} | {same}"

    return _fill(Table(title, head), rows, "pattern side", write)


def _proven(row: Mapping[str, Any]) -> str:
    return "all" if row["proven"] == 1 else f"{row['proven']:.6%}"


def _layers(rows: Rows) -> Table:
    parts = tuple(rows[0]["speed_up"])
    table = Table(
        "a linear layer in bfloat16: milliseconds of the dense products, and how many times as "
        "fast the 2:4 sparse ones are",
        ("tokens", "inputs", "outputs", *parts, "compressing, of a step", ""),
    )
    for row in rows:
        cells = [
            f"{_ms(row['seconds'][f'dense {part}'])}, x {row['speed_up'][part]:.2f}"
            for part in parts
        ]
        said = "ran dense" if row["why_dense"] else "" if row["pays"] else "does not pay"
        sizes = (str(row[key]) for key in ("tokens", "inputs", "outputs"))
        table.add(*sizes, *cells, f"{row['compress_share']:.0%}", said)
    return table


def _block(block: Mapping[str, Any]) -> Table:
    table = Table(
        f"a transformer block of width {block['width']}, {block['batch']} x {block['length']} "
        "tokens, masks renewed at every step",
        " | step, ms | over the dense one | renewal, ms | of the step | without renewals",
    )
    for arm in block["arms"]:
        name = arm["name"] + (", which ran dense" if arm["dense_products"] else "")
        renewals = ("", "")
        if arm["renewal"] is not None:
            renewals = _ms(arm["renewal"]), f"{arm['renewal_share']:.1%}"
        over, without = arm["overhead"], arm["overhead_without_renewal"]
        table.add(name, _ms(arm["step"]), f"{over:+.1%}", *renewals, f"{without:+.1%}")
    return table


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3f}"
