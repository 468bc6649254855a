"""Figures that papers print for themselves: on their machines, none of them repeated here."""

from __future__ import annotations

from dataclasses import dataclass
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


_HUBARA = "Hubara et al. 2021"

PUBLISHED: tuple[Published, ...] = tuple(
    Published(
        _HUBARA,
        method,
        "overhead",
        "ResNet50",
        "",
        value,
        "%",
        "not said",
        "arXiv:2102.08124",
        40,
    )
    for method, value in (
        ("integer programming", 180.0),
        ("min-cost flow", 70.0),
        ("2-approximation", 14.0),
    )
)
"""Every figure that the report sets beside ours."""
