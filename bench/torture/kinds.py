"""The kinds of torture, by the letters that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .caches import caches
from .changes import changes
from .damage import damage
from .disks import disks
from .kills import kills
from .solver import solver
from .trial import Trial
from .writers import writers

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """What it is called in tables, and what does a round of it."""

    title: str
    round: Callable[[Trial], None]


KINDS: Mapping[str, Kind] = {
    "a": Kind("solver against HiGHS", solver),
    "b": Kind("kills and resumes", kills),
    "c": Kind("damaged files", damage),
    "d": Kind("full disks", disks),
    "e": Kind("inputs rewritten", changes),
    "f": Kind("several writers", writers),
    "g": Kind("damaged caches", caches),
}
