"""Figures that papers print for themselves: on their machines, none of them repeated here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

__all__ = ["PUBLISHED", "Published"]


@dataclass(frozen=True)
class Published:
    """One figure of one paper."""

    paper: str  # "Hubara et al. 2021"
    method: str  # as the paper calls it
    quantity: Literal["time", "overhead", "loss"]
    size: str  # of the matrix, or the network that was trained
    pattern: str  # "8:16"; empty where the paper says none
    value: float
    unit: str  # "s", "%"
    hardware: str
    where: str  # "arXiv:2102.08124, section 5"
    every: int | None = None  # training steps between two masks


_OVERHEADS = {"integer programming": 180.0, "min-cost flow": 70.0, "2-approximation": 14.0}
_SECONDS = {  # on matrices of 512 x 512 and of 8192 x 8192
    ("network flow", "a CPU"): (1.82, 350.0),
    ("2-approximation", "a CPU"): (0.13, 3.23),
    ("TSENOR", "NVIDIA H100"): (0.08, 0.12),
}
_HUBARA = partial(Published, "Hubara et al. 2021")
_MENG = partial(Published, "Meng et al. 2025")
_SUMMARY = "arXiv:2505.23949, as a summary quotes it"
_SUMMARIES = "arXiv:2102.08124, as summaries quote it"
_ABSTRACT = "arXiv:2505.23949, abstract: the"

PUBLISHED: tuple[Published, ...] = (
    *(
        _HUBARA(method, "overhead", "ResNet50", "", value, "%", "not said", _SUMMARIES, 40)
        for method, value in _OVERHEADS.items()
    ),
    *(
        _MENG(method, "time", size, "8:16", value, "s", hardware, _SUMMARY)
        for (method, hardware), values in _SECONDS.items()
        for size, value in zip(("512 x 512", "8192 x 8192"), values, strict=True)
    ),
    *(
        _MENG("TSENOR", "loss", "not said", "", value, "%", "not said", f"{_ABSTRACT} {end}")
        for end, value in (("low end of a range", 1.0), ("high end of a range", 10.0))
    ),
)
"""Every figure that the report sets beside ours. Only the abstract was read first-hand."""
