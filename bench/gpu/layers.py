"""What sparse products buy a layer, and what exact masks cost a block that is trained."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from .block import train_in_turns
from .products import PARTS, compare

__all__ = ["FULL", "TINY", "Sizes", "measure"]


@dataclass(frozen=True)
class Sizes:
    """What is measured.

    Attributes
    ----------
    tokens : tuple of int
        Rows of a layer's input.
    layers : tuple of (int, int)
        Inputs and outputs.
    block : tuple of int
        Width, heads, batch and length of the block's training.
    rounds, steps : int
        Timings of each product; steps of each block.
    """

    tokens: tuple[int, ...]
    layers: tuple[tuple[int, int], ...]
    block: tuple[int, int, int, int]
    rounds: int
    steps: int


FULL = Sizes(
    tokens=(128, 1024, 4096, 16384),
    layers=((1024, 1024), (1024, 4096), (4096, 4096), (4096, 16384), (16384, 4096), (8192, 8192)),
    block=(4096, 32, 4, 2048),
    rounds=20,
    steps=20,
)
TINY = Sizes(tokens=(8, 32), layers=((64, 64), (64, 128)), block=(64, 2, 2, 8), rounds=2, steps=2)
"""For tests, and wherever there is no GPU: no figure of it says anything about one."""


def measure(device: torch.device, console: Console, sizes: Sizes | None = None) -> dict[str, Any]:
    """Time linear layers with dense and sparse products, and a block's training.

    Parameters
    ----------
    device : torch.device
    console : rich.console.Console
        Gets tables.
    sizes : Sizes, optional
        Default: `FULL` on a GPU, else `TINY`.

    Returns
    -------
    dict
        ``gpu``: whether these are a GPU's times; ``layers``: one record a size, with the
        seconds and speed-ups of its products; ``does_not_pay``: the sizes whose training
        step is no faster; ``block``: steps, overheads and the share of renewals. For JSON.
    """
    on_gpu = device.type == "cuda"
    if sizes is None:
        sizes = FULL if on_gpu else TINY
    with warnings.catch_warnings():
        # Records say so; and of torch's prototype everyone has heard by then.
        warnings.filterwarnings("ignore", "the products of a SparseLinear run dense")
        warnings.filterwarnings("ignore", "The PyTorch API of SparseSemiStructuredTensor")
        layers = [
            compare(tokens, *layer, device, sizes.rounds)
            for layer in sizes.layers
            for tokens in sizes.tokens
        ]
        block = train_in_turns(*sizes.block, device, sizes.steps)
    found = {
        "gpu": on_gpu,
        "layers": layers,
        "does_not_pay": [
            {key: row[key] for key in ("tokens", "inputs", "outputs")}
            for row in layers
            if not row["pays"]
        ],
        "block": block,
    }
    if not on_gpu:
        console.print("no GPU: these times, of tiny sizes on a CPU, say nothing about one")
    console.print(_layers_table(layers))
    console.print(_block_table(block))
    return found


def _layers_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="a linear layer in bfloat16: dense milliseconds, and sparse speed-up")
    for heading in ("tokens", "inputs", "outputs"):
        table.add_column(heading, justify="right")
    for part in PARTS:
        table.add_column(part, justify="right")
    table.add_column("compressing, of a step", justify="right")
    table.add_column("")
    for row in rows:
        parts = [
            f"{1e3 * row['seconds'][f'dense {part}']:.3f}  x {row['speed_up'][part]:.2f}"
            for part in PARTS
        ]
        said = "ran dense" if row["why_dense"] else "" if row["pays"] else "does not pay"
        sizes = [str(row[key]) for key in ("tokens", "inputs", "outputs")]
        table.add_row(*sizes, *parts, f"{row['compress_share']:.0%}", said)
    return table


def _block_table(block: dict[str, Any]) -> Table:
    table = Table(
        title=f"a block of width {block['width']}, {block['batch']} x {block['length']} "
        "tokens, masks renewed at every step"
    )
    table.add_column("")
    for heading in ("step, ms", "overhead", "renewal, ms", "of the step", "overhead without it"):
        table.add_column(heading, justify="right")
    for arm in block["arms"]:
        masked = arm["renewal"] is not None
        table.add_row(
            arm["name"] + (", which ran dense" if arm["dense_products"] else ""),
            f"{1e3 * arm['step']:.2f}",
            f"{arm['overhead']:+.1%}",
            f"{1e3 * arm['renewal']:.2f}" if masked else "",
            f"{arm['renewal_share']:.1%}" if masked else "",
            f"{arm['overhead_without_renewal']:+.1%}",
        )
    return table
