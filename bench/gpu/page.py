"""The page of what was measured on a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..pages.findings import where
from ..pages.page import Page
from .picture import draw_copies, draw_methods
from .sizes import KINDS
from .tables import tables

__all__ = ["fill"]


def fill(page: Page, found: Mapping[str, Any]) -> None:
    """Write what was found onto a page."""
    device = found["device"]
    page.heading(1, "Exact masks on a GPU, measured")
    if not found["gpu"]:
        page.say(
            "**There was no GPU.** The kernels ran in Triton's interpreter, on tiny matrices: "
            "no time on this page says anything about a device."
        )
    facts = ", ".join(f"{key} {value}" for key, value in device.items() if key != "name")
    page.say(f"On {device['name']} ({facts}); host: {where(found)}.")
    page.say(
        "Times are medians by the device's own events, after warm-up; methods and the copy, "
        "from the device's memory to its memory, take turns in the same run. The exact "
        "solver's include its float64 certificate of every tile. Before the first result the "
        "kernels are compiled, once for each pattern and dtype. The peak is what a call holds "
        "beyond the weights, its mask included. Weights: "
        + "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
        + "."
    )
    page.picture("gpu-methods", "time against loss", draw_methods(found))
    page.picture("gpu-exact", "exact masks", draw_copies(found))
    for table in tables(found):
        page.say(f"**{table.title[0].upper()}{table.title[1:]}**")
        page.table(table)
    for name, reason in found["failures"].items():
        page.say(f"What could not be measured: {name}: {reason}")
