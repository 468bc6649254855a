"""Masks and sparse products on a GPU, measured: `make bench-gpu`.

The exact solver beside a plain copy of the weights and beside the other methods on the same
device, cold, warm and replayed from a CUDA graph; the CPU engine on the same weights; linear
layers with sparse products and a transformer block. Prints tables, and leaves all figures in
bench-output/gpu.json with a page and pictures beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("NUMBA_THREADING_LAYER", "workqueue")  # its idle threads sleep

from rich.console import Console

from masksolve.errors import FileFormatError

from ..machine import machine, versions
from ..pages.command import add_options, page_of
from ..pages.findings import load
from ..pages.table import show
from .page import fill
from .sizes import FULL, TINY, Sizes
from .tables import tables

__all__ = ["main", "measure"]

NEEDED = ("machine", "versions", "device", "gpu", "exact", "rivals", "warm", "graphs")
PARTS = ("exact", "rivals", "warm", "graphs", "layers")
NO_DEVICE = (
    "no CUDA device: expected one (--interpret runs everything in tiny sizes on the CPU, and "
    "times nothing)"
)


def measure(
    device: Any, sizes: Sizes, console: Console, wanted: Collection[str] = PARTS
) -> Iterator[dict[str, Any]]:
    """Measure one part after the other; yield all that was found so far."""
    from . import exact, layers, rivals

    found: dict[str, Any] = {
        "gpu": device.type == "cuda",
        "device": _device(device),
        "machine": machine(),
        "versions": versions(("masksolve", "numba", "numpy", "torch", "triton")),
        "sizes": asdict(sizes),
    }
    parts: dict[str, Callable[..., Iterator[dict[str, Any]]]] = {
        "exact": exact.cold,
        "rivals": rivals.compare,
        "warm": exact.warm,
        "graphs": exact.graphs,
    }
    found |= {name: [] for name in parts} | {"failures": {}}
    for name in (name for name in parts if name in wanted):
        with console.status(name) as status:
            for row in parts[name](sizes, device):
                found[name].append(row)
                status.update(f"{name}: {row['pattern']} {row['failed']}")
        yield found
    if "layers" in wanted:
        try:
            found["layers"] = layers.measure(device)
        except Exception as error:  # the rest is worth having
            found["failures"]["layers"] = f"{type(error).__name__}: {error}"
    yield found


def _device(device: Any) -> dict[str, Any]:
    import torch

    if device.type != "cuda":
        return {"name": "the CPU, in Triton's interpreter"}
    facts = torch.cuda.get_device_properties(device)
    return {
        "name": facts.name,
        "compute capability": f"{facts.major}.{facts.minor}",
        "multiprocessors": facts.multi_processor_count,
        "memory in GB": round(facts.total_memory / 1e9, 1),
        "CUDA": torch.version.cuda,
    }


def _run(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    interpreted = options.interpret or options.device == "cpu"
    if interpreted:
        os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are imported
    import torch

    if not interpreted and not torch.cuda.is_available():
        console.print(NO_DEVICE)
        sys.exit(2)
    device = torch.device("cpu" if interpreted else options.device)
    sizes = TINY if interpreted else FULL
    if options.sides:
        sizes = replace(sizes, sides=tuple(options.sides))
    if options.patterns:
        patterns = tuple(options.patterns)
        sizes = replace(sizes, patterns=patterns, compared=patterns)
    if options.rounds:
        sizes = replace(sizes, rounds=options.rounds)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    with TemporaryDirectory(prefix="masksolve-gpu-") as cache:
        os.environ["TRITON_CACHE_DIR"] = cache  # compiling is measured, so it must happen
        for found in measure(device, sizes, console, options.parts):
            options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure or read, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m masksolve.bench.gpu",
        description="Time exact masks, their rivals and sparse products on a CUDA device.",
    )
    parser.add_argument("--device", default="cuda", help="default: %(default)s")
    parser.add_argument(
        "--interpret", action="store_true", help="tiny sizes on the CPU, to see that it runs"
    )
    parser.add_argument("--sides", type=int, nargs="+", help="of square matrices")
    parser.add_argument("--patterns", nargs="+", help="such as 2:4 8:16,at-most")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: all",
    )
    parser.add_argument("--rounds", type=int, help="timings of each call")
    add_options(parser, "gpu.json")
    options = parser.parse_args(arguments)
    console = Console(width=170, highlight=False)
    if options.read:
        try:
            found = load(options.read, NEEDED, "python -m masksolve.bench.gpu")
        except FileFormatError as error:
            sys.exit(f"error: {error}")
    else:
        found = _run(options, console)
        console.print(f"wrote {options.out}")
    if not found["gpu"]:
        console.print("NOT a GPU: no time below says anything about one")
    show(tables(found), console)
    page = page_of(options)
    fill(page, found)
    for path in page.write():
        console.print(f"wrote {path}")


if __name__ == "__main__":
    main()
