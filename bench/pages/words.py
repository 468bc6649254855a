"""Numbers and names as words, for tables, sentences and pictures alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = [
    "TOLERANCE",
    "bytes_",
    "duration",
    "factor",
    "listing",
    "number",
    "percent",
    "plain",
    "short_name",
]

TOLERANCE = 1e-6
"""Losses smaller than this count as none, as they do in the result file."""

_MARKUP = re.compile(r"[\\`*\[\]<>|$~{}#&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def plain(text: object) -> str:
    """Escape what Markdown would take for markup, on one line."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def short_name(name: str, width: int = 26) -> str:
    """Shorten a name for a picture."""
    name = " ".join(name.split())
    return name if len(name) <= width else name[: width - 1].rstrip() + "…"


def number(value: float) -> str:
    """Write three significant digits, without an exponent; whole thousands have commas."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.3g}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    return _scaled(seconds, ((1e-9, "ns"), (1e-6, "us"), (1e-3, "ms"), (1.0, "s")), 1000)


def bytes_(count: float) -> str:
    """Write a size in the unit that suits it."""
    units = ((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"))
    return _scaled(count, units, 1024)


def _scaled(value: float, units: tuple[tuple[float, str], ...], step: int) -> str:
    fitting = (u for u in units if abs(value) < 0.9995 * step * u[0])
    scale, unit = next(fitting, units[-1])
    return f"{number(value / scale)} {unit}"


def percent(share: float) -> str:
    """Write a share in per cent, without the sign; 0 if below the tolerance."""
    if abs(share) <= TOLERANCE:
        return "0"
    return number(100 * share) if abs(share) > 0.9e-5 else f"{100 * share:.1e}"


def factor(ratio: float) -> str:
    """Write how many times as much."""
    return f"{number(ratio)} x"


def listing(words: Iterable[str], most: int | None = None) -> str:
    """Join words: a, b and c; beyond `most` they are only counted.

    Semicolons part those that hold commas themselves.
    """
    found = list(words)
    if most is not None and len(found) > most:
        found = [*found[:most], f"{len(found) - most} more"]
    comma = "; " if any(", " in word for word in found) else ", "
    return " and ".join([comma.join(found[:-1]), found[-1]] if len(found) > 1 else found)
