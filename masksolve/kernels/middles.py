"""Networks for the middle pair of 16 and of 32 values, as a search found them.

Comparators ``a:b`` put the larger value on wire a. The pair ends on the two middle wires, in
either order. Tests check them by the 0-1 principle; what they came from is Batcher's merge
sort, changed at random as long as no operation was added.
"""

from __future__ import annotations

__all__ = ["MIDDLES"]

_16 = """
    7:15 10:5 2:14 6:2 0:12 5:12 3:11 4:1 15:11 8:4 1:14 12:15 0:8 14:15 5:9 1:13 1:5 4:8 2:10
    9:13 5:9 2:6 4:6 3:7 4:3 8:10 5:7 0:5 12:9 2:5 13:10 8:14 1:3 3:5 5:8 13:11 9:14 9:13 6:9
    5:12 7:9 7:12 6:8 13:12 8:13 3:7 6:7
"""
_32 = """
    0:2 24:26 20:22 28:30 12:14 16:18 8:10 4:6 2:6 10:14 2:10 18:22 8:12 24:28 6:14 26:30 9:11
    0:4 22:30 6:22 16:20 18:26 10:26 13:15 4:12 16:24 17:19 20:28 12:28 26:28 25:27 4:20 2:18
    10:20 0:8 12:18 14:30 8:24 21:23 14:22 14:26 6:24 18:20 29:31 0:16 2:4 0:29 22:28 14:24
    17:21 20:24 8:16 2:8 9:13 1:3 5:7 25:29 19:23 2:11 10:12 1:5 21:29 4:16 4:8 3:7 14:18 5:13
    17:25 11:15 6:16 15:30 1:9 5:21 13:29 27:31 3:11 12:16 9:25 23:31 5:9 7:15 15:31 19:27 3:19
    11:27 11:21 1:17 8:5 27:29 7:23 3:17 4:1 13:19 9:17 7:25 19:21 15:23 23:29 15:27 7:17 15:25
    11:13 6:7 13:17 22:23 10:11 5:3 14:29 12:13 3:9 14:16 15:19 26:27 7:11 3:20 21:25 7:9 5:26
    15:17 22:26 14:15 24:25 7:26 11:13 20:19 18:21 22:24 16:17 11:16 9:24 18:20 13:15 2:22 28:20
    1:28 7:22 16:18 13:28 18:22 13:9 15:18 9:16
"""


def _comparators(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (pair.split(":") for pair in text.split())
    return tuple((int(a), int(b)) for a, b in pairs)


MIDDLES = {16: _comparators(_16), 32: _comparators(_32)}
"""Comparators by how many values they are for."""
