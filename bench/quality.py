"""Masks: how far from the proven optimum, case by case, and whether the exact agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import masksolve as ms

from .cases import CASES, Case, make_scores
from .contest import Contest, needs, noting
from .judge import Judge
from .results import Agreement, Quality, blank
from .tiling import to_tiles

__all__ = ["agree", "judge_masks"]

ACROSS = 32
"""Tiles side by side in the matrix that a case's tiles come from."""
FEWEST = 16
"""Tiles that even the slowest must solve."""
AGREEMENT = ("normal", "2:4")


def judge_masks(contest: Contest, name: str) -> list[Quality]:
    """Judge everybody's masks of one pattern on every case."""
    pattern = ms.Pattern.parse(name)
    cases = [CASES[case] for case in contest.settings.cases or CASES]
    contest.section(f"quality, {name}", len(cases) * len(contest.entrants(pattern)))
    found = []
    for case in cases:
        found += [_blank(case.name, name, **absent) for absent in contest.absent(pattern)]
        here = contest.entrants(pattern)
        records = [_blank(case.name, name, contestant=one.name) for one in here]
        found += records
        if case.missing() or not case.fits(pattern.n, pattern.m):
            for record in records:
                record["status"] = "missing" if case.missing() else "does not fit"
                record["reason"] = needs(case.missing()) or f"no such case for {name}"
        else:
            _judge_case(contest, case, pattern, records)
    return found


def _judge_case(contest: Contest, case: Case, pattern: ms.Pattern, records: list[Quality]) -> None:
    most = contest.settings.quality_tiles
    with _judged(contest, case.name, str(pattern), most) as (judge, path):
        for contestant, record in zip(contest.entrants(pattern), records, strict=True):
            contest.tick(f"{contestant.name}, {case.name}")
            # Who was not timed on this pattern had trouble with it.
            each = contest.per_tile.get((contestant.name, str(pattern)), inf)
            tiles = max(FEWEST, int(contest.settings.quality_patience / each))
            tiles = min(tiles, most)
            with noting(record):
                mask = contest.mask(contestant, path, tiles * pattern.m, pattern)
                record.update(judge.quality(mask))  # type: ignore[typeddict-item]
                if not (record["rows_valid"] and record["columns_valid"]):
                    record["status"] = "invalid"
                    record["reason"] = f"a line of a tile keeps more than {pattern.n}"


def agree(contest: Contest) -> list[Agreement]:
    """Compare the exact methods on every tile of a 2:4 matrix."""
    case, name = AGREEMENT
    pattern, side = ms.Pattern.parse(name), contest.settings.agreement_side
    exact = [c for c in contest.entrants(pattern) if c.exact]
    contest.section("agreement of the exact methods", len(exact))
    tiles = (side // pattern.m) ** 2
    found: list[Agreement] = []
    with _judged(contest, case, name, tiles) as (judge, path):
        for contestant in exact:
            contest.tick(contestant.name)
            record: Agreement = blank(
                Agreement, contestant=contestant.name, case=case, pattern=name, tiles=tiles
            )
            with noting(record):
                mask = contest.mask(contestant, path, tiles * pattern.m, pattern)
                record.update(judge.agreement(mask))  # type: ignore[typeddict-item]
            found.append(record)
    return found


@contextmanager
def _judged(contest: Contest, case: str, pattern: str, tiles: int) -> Iterator[tuple[Judge, Path]]:
    """Make so many tiles of a case, one below the other: any number can be taken."""
    m = ms.Pattern.parse(pattern).m
    rows, columns = tiles // ACROSS * m, ACROSS * m
    scores = make_scores(case, rows, columns, pattern, contest.settings.seed)
    stack = to_tiles(scores, m).reshape(-1, m)
    with contest.on_disk(stack) as path:
        yield Judge(stack, ms.Pattern.parse(pattern)), path


def _blank(case: str, pattern: str, **outcome: Any) -> Quality:
    return blank(Quality, case=case, pattern=pattern, tiles=0, proven=False, **outcome)
