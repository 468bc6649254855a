"""The page of what was measured on a device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..experiments import page
from ..experiments.findings import where
from .sizes import KINDS
from .tables import tables

__all__ = ["write_page"]


def write_page(found: Mapping[str, Any], path: Path, folder: Path | None) -> list[Path]:
    """Write the page and its pictures; return all files."""
    from .picture import draw_copies, draw_methods

    pictures = {
        "gpu-methods.png": lambda: draw_methods(found),
        "gpu-exact.png": lambda: draw_copies(found),
    }
    return page.write(path, folder, pictures, lambda there: _blocks(found, there))


def _blocks(found: Mapping[str, Any], there: str) -> Iterator[str]:
    device = found["device"]
    yield "# Exact masks on a GPU, measured"
    if not found["gpu"]:
        yield (
            "**There was no GPU.** The kernels ran in Triton's interpreter, on tiny matrices: "
            "no time on this page says anything about a device."
        )
    facts = ", ".join(f"{key} {value}" for key, value in device.items() if key != "name")
    yield f"On {device['name']} ({facts}); host: {where(found)}."
    yield (
        "Times are medians by the device's own events, after warm-up; methods and the copy, "
        "from the device's memory to its memory, take turns in the same run. The exact "
        "solver's include its float64 certificate of every tile. Before the first result the "
        "kernels are compiled, once for each pattern and dtype. The peak is what a call holds "
        "beyond the weights, its mask included. Weights: "
        + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
        + "."
    )
    yield f"![time against loss]({there}/gpu-methods.png)"
    yield f"![exact masks]({there}/gpu-exact.png)"
    for table in tables(found):
        yield f"**{table.title[0].upper()}{table.title[1:]}**"
        yield table.markdown()
    for name, reason in found["failures"].items():
        yield f"What could not be measured: {name}: {reason}"
