"""Made-up results of the shape and size of real ones, for the report to be tried on."""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple, get_origin, get_type_hints

import numpy as np

from masksolve.bench.results import (
    FORMAT,
    QUANTILES,
    Agreement,
    Quality,
    Results,
    Timing,
    Training,
    blank,
)

PATTERNS = ("1:4", "2:4", "2:8", "4:8", "8:16", "16:32", "32:64")
SIZES = tuple(2**k for k in range(4, 15))
CASES = (
    *("normal", "heavy tails", "lognormal", "uniform", "bf16 grid", "int8 grid", "zeros"),
    *("low rank", "encoder", "greedy's worst", "two_approx's worst"),
)


class Player(NamedTuple):
    """A contestant, and roughly how it does in 8:16."""

    name: str
    ours: bool
    exact: bool
    seconds: float  # a tile, on two cores
    power: float  # of m, that the time grows with
    loss: float
    short: float = 0.0
    only: str = ""  # patterns that it takes: all if empty
    per_weight: float = 1.0  # bytes of peak memory
    guarantee: str = ""


PLAYERS = (
    Player("exact", True, True, 0.25e-6, 2.6, 0, guarantee="the optimum, proven"),
    Player("min_cost_flow", True, True, 220e-6, 3.0, 0, per_weight=24, guarantee="the optimum"),
    Player("enumerate", True, True, 2e-6, 3.0, 0, only="1:4 2:4", guarantee="the optimum"),
    Player("greedy", True, False, 5e-6, 2.3, 0.011, 0.2, guarantee="kept score at least 1/2"),
    Player("two_approx", True, False, 5.3e-6, 2.3, 0.09, 0.9, "", 0.9, "pruned at most 2 times"),
    Player("entropic", True, False, 15e-6, 2.2, 0.004),
    Player("local_search", True, False, 9e-6, 2.5, 0.0011),
    Player("bi_nm", True, False, 0.2e-6, 2.0, 0.12, 0.8, per_weight=0.2),
    Player("best_random", True, False, 90e-6, 2.0, 0.15),
    Player("torch 2-approximation", False, False, 15e-6, 3.4, 0.09, 0.9, per_weight=30),
    Player("torch entropic", False, False, 300e-6, 2.2, 0.006, per_weight=20),
    Player("pattern product", False, True, 3e-6, 2.0, 0, only="2:4", per_weight=90),
    Player("PuLP + CBC", False, True, 19e-3, 2.2, 0, per_weight=900),
    Player("OR-Tools, tile by tile", False, True, 300e-6, 2.8, 0, per_weight=3),
    Player("SciPy HiGHS", False, True, 1e-3, 2.0, 0, per_weight=60),
    Player("SciPy assignment", False, True, 30e-6, 2.0, 0, only="1:4"),
    Player("my | own *solver*", False, False, 40e-6, 2.2, 0.03),
)
MISSING = ("SciPy HiGHS",)
LIMIT = 60.0


def results(seed: int = 0) -> Results:
    """Make a whole file: statuses of all kinds, rivals, and a user's own solver."""
    rng = np.random.default_rng(seed)
    return {
        "format": FORMAT,
        "machine": {"cpu": "Made-up CPU", "cores": 2, "memory_bytes": 8 * 2**30}
        | {"platform": "Linux", "commit": "0123456789", "date": "2026-01-02 03:04"},
        "versions": {"Python": "3.11.7", "numpy": "2.2.0", "numba": "0.61.0"},
        "settings": {"seed": 7, "limit": LIMIT, "rounds": 5, "sizes": list(SIZES)},
        "contestants": [_contestant(player) for player in PLAYERS],
        "cases": [
            {"case": case, "description": f"what {case} is", "status": "ok", "reason": ""}
            for case in CASES
        ],
        "timings": _timings(rng),
        "quality": _quality(rng),
        "agreement": _agreement(),
        "training": _training(rng),
    }


def only(whole: Results, **names: str) -> Results:
    """Keep the records whose field of that name has that value, in every list."""

    def fits(record: Any) -> bool:
        return all(record.get(key, value) == value for key, value in names.items())

    return {  # type: ignore[return-value]
        key: [record for record in value if fits(record)] if isinstance(value, list) else value
        for key, value in whole.items()
    }


def empty() -> Results:
    """Make a file in which nothing ran."""
    return {  # type: ignore[return-value]
        key: [] if get_origin(kind) is list else {} for key, kind in get_type_hints(Results).items()
    } | {"format": FORMAT}


def _m(pattern: str) -> int:
    return int(pattern.split(":")[1])


def _contestant(player: Player) -> Any:
    return {
        "contestant": player.name,
        **_status(player.name, "8:16", 0.0),
        "ours": player.ours,
        "exact": player.exact,
        "takes": "matrix" if player.ours else "tiles",
        "reference": f"where {player.name.split()[0]} comes from",
        "guarantee": player.guarantee,
        "quirks": "" if player.ours else "written for this comparison",
    }


def _status(name: str, pattern: str, seconds: float) -> dict[str, str]:
    player = next(p for p in PLAYERS if p.name == name)
    if name in MISSING:
        return {"status": "missing", "reason": "needs highspy, which is not installed"}
    if player.only and pattern not in player.only.split() and seconds:
        return {"status": "does not fit", "reason": f"takes {player.only} only"}
    if seconds > 8 * LIMIT:
        return {"status": "too slow", "reason": f"would have taken {seconds:.0f} s"}
    if seconds > LIMIT:
        return {"status": "cut off", "reason": f"passed {LIMIT:.0f} s"}
    if name == "torch entropic" and pattern == "32:64" and seconds:
        return {"status": "failed", "reason": "RuntimeError: out of | memory"}
    if name.startswith("my |") and pattern == "2:8" and seconds:
        return {"status": "invalid", "reason": "a row holds 3 of at most 2"}
    return {"status": "ok", "reason": ""}


def _timings(rng: np.random.Generator) -> list[Any]:
    records = []
    for player in PLAYERS:
        for pattern in PATTERNS:
            side = 4096 if player.seconds < 50e-6 else 256
            records.append(_timing(rng, player, "pattern", pattern, side, 2))
        for pattern in ("2:4", "4:8", "8:16", "16:32"):
            records += [_timing(rng, player, "size", pattern, side, 2) for side in SIZES]
        for cores in (1, 2):
            records.append(_timing(rng, player, "cores", "8:16", 2048, cores))
    return records


def _timing(
    rng: np.random.Generator, player: Player, section: str, pattern: str, side: int, cores: int
) -> Any:
    m = _m(pattern)
    tiles = math.ceil(side / m) ** 2
    base = player.seconds * (m / 16) ** player.power * (2 / cores) ** (0.9 if player.ours else 0.3)
    fixed = 30e-6 if player.ours else 150e-6
    seconds = float((fixed + base * tiles) * rng.uniform(0.95, 1.05))
    status = _status(player.name, pattern, seconds)
    measured = {
        "seconds": [seconds * k for k in (0.98, 1.0, 1.03)],
        "loops": 1,
        "median": seconds,
        "spread": 0.02 * seconds,
        "peak_bytes": int(2**18 + player.per_weight * side * side),
    }
    place = {"rows": side, "columns": side, "tiles": tiles, "cores": cores, "pattern": pattern}
    known = {"contestant": player.name, "section": section, "case": "normal", "seconds": []}
    found = measured if status["status"] == "ok" else {}
    return blank(Timing, **(known | place | status | found))


def _quality(rng: np.random.Generator) -> list[Any]:
    return [_quality_of(rng, *what) for what in product(PLAYERS, PATTERNS, CASES)]


def _quality_of(rng: np.random.Generator, player: Player, pattern: str, case: str) -> Any:
    slow = player.seconds > 5e-3
    status = _status(player.name, pattern, 1e-9)
    if slow and pattern == "32:64":
        status = {"status": "cut off", "reason": f"passed {LIMIT:.0f} s"}
    scale = player.loss * (16 / _m(pattern)) ** 0.25 * rng.uniform(0.6, 1.4)
    if player.name == "greedy" and pattern == "2:4":
        scale = -0.002
    curve = sorted(float(scale * (4 * q**3 - 0.4 * player.short)) for q in QUANTILES)
    mean = float(np.mean(curve))
    worst = 0.5 if case == "greedy's worst" and player.name == "greedy" else 1 - curve[-1]
    numbers = {
        "optimum": 1000.0,
        "kept": 1000.0 * (1 - mean),
        "loss_mean": mean,
        "loss_worst": max(curve[-1], 1 - worst),
        "loss_quantiles": curve,
        "at_optimum": 1.0 if player.exact else 0.1,
        "kept_ratio_worst": worst,
        "pruned_ratio_worst": 1.98 if "worst" in case and player.loss > 0.05 else 1 + curve[-1],
        "short_lines": player.short * float(rng.uniform(0.5, 1)),
        "rows_valid": True,
        "columns_valid": True,
    }
    place = {"case": case, "pattern": pattern, "tiles": 64 if slow else 4096, "proven": True}
    found = numbers if status["status"] == "ok" else {}
    return blank(Quality, contestant=player.name, **status, **place, **found)


def _agreement() -> list[Any]:
    records = []
    for name, pattern, case in product((p.name for p in PLAYERS if p.exact), PATTERNS, CASES):
        status = _status(name, pattern, 1e-9)
        off = (name, case, pattern) == ("PuLP + CBC", "int8 grid", "4:8")
        place = {"case": case, "pattern": pattern, "tiles": 1000}
        found = {"agreeing": 1000 - 3 * off, "largest_loss": 2e-4 if off else 1e-12}
        record = place | (found if status["status"] == "ok" else {})
        records.append(blank(Agreement, contestant=name, **status, **record))
    return records


def _training(rng: np.random.Generator) -> list[Any]:
    dense = 0.0121
    records = [_trained("dense", None, 0.98 * dense, dense) | {"overhead": None}]
    ours = {"exact": 0.0007, "greedy": 0.004, "two_approx": 0.0042, "min_cost_flow": 0.18}
    theirs = {"torch 2-approximation": 0.012, "torch entropic": 0.21, "my | own *solver*": 0.03}
    for name, renewal in (ours | theirs).items():
        records.append(_trained(name, None, dense, dense) | {"overhead": None})
        for every in (1, 10, 40):
            step = (dense + renewal / every) * float(rng.uniform(0.998, 1.002))
            records.append(_trained(name, every, step, dense))
    slow = {"status": "too slow", "reason": "about 80 s a renewal expected", "seconds": []}
    late = blank(Training, contestant="PuLP + CBC", pattern="8:16", **slow)
    return [*records, late]


def _trained(name: str, every: int | None, step: float, dense: float) -> dict[str, Any]:
    times = {"seconds": [step] * 3, "loops": 2, "median": step, "spread": 0.004 * step}
    known = {"contestant": name, "pattern": "8:16", "every": every, "overhead": step / dense - 1}
    return blank(Training, **known, **times)
