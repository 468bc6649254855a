"""Oracles that are strangers to masksolve: they import nothing of it.

Three ways to the best kept score of a tile, from the plainest to the largest tiles:
every valid mask written down (m <= 4), a table over the fill of the columns (5 x 5,
and tiles that are not square), and the linear program, whose optima are integral,
solved by HiGHS.
"""

from fractions import Fraction
from functools import cache
from itertools import combinations, permutations, product

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

LP_VARIABLES = 4096
"""Size of one linear program: HiGHS gets through most tiles per second near this."""


def obeys(mask, n, at_most=False):
    """Tell whether every row and every column of one mask holds n (or at most n)."""
    fill = np.concatenate([mask.sum(axis=0), mask.sum(axis=1)])
    return bool(((fill <= n) if at_most else (fill == n)).all())


def room(mask, n):
    """Mark the entries that one mask lacks and could still take: at most n in every line."""
    return (mask.sum(axis=1) < n)[:, None] & (mask.sum(axis=0) < n) & ~mask


@cache
def valid_masks(n, m, at_most):
    """Write down every valid m x m mask: shape (count, m, m)."""
    rows = [r for r in product((0, 1), repeat=m) if sum(r) == n or (at_most and sum(r) < n)]
    masks = [
        tile
        for tile in product(rows, repeat=m)
        if all(k == n or (at_most and k < n) for k in map(sum, zip(*tile, strict=True)))
    ]
    return np.array(masks, dtype=bool)


def best_of_all(scores, n, at_most):
    """Best kept score of each of the (t, m, m) tiles, by enumeration."""
    tiles, m, _ = scores.shape
    masks = valid_masks(n, m, at_most).reshape(-1, m * m)
    return (scores.reshape(tiles, m * m) @ masks.T.astype(float)).max(axis=1)


def best_by_rows(scores, n, at_most):
    """Best kept score of one tile: row by row, the best for every fill of the columns."""
    width = scores.shape[1]
    sizes = range(min(n, width) + 1) if at_most else [n]
    choices = [c for size in sizes for c in combinations(range(width), size)]
    best = {(0,) * width: 0.0}
    for row in scores.tolist():
        after = {}
        for fill, total in best.items():
            for choice in choices:
                fuller = tuple(k + (j in choice) for j, k in enumerate(fill))
                if max(fuller) <= n:
                    value = total + sum(row[j] for j in choice)
                    after[fuller] = max(value, after.get(fuller, value))
        best = after
    return max(value for fill, value in best.items() if at_most or set(fill) == {n})


def best_by_tile(scores, n, m, at_most):
    """Best kept score of a matrix of any shape; lines of partial tiles hold at most n."""
    rows, columns = scores.shape
    return sum(
        best_by_rows(tile, n, at_most or tile.shape != (m, m))
        for i in range(0, rows, m)
        for j in range(0, columns, m)
        for tile in [scores[i : i + m, j : j + m]]
    )


def best_exchange(scores, mask, n, at_most):
    """Largest gain, exact, of two kept entries for two free ones; 0 if there is none.

    At most n, also of adding an entry, dropping one, or moving one along its line.
    """
    s = [[Fraction(value) for value in row] for row in scores.tolist()]
    lines = range(len(s))
    gains = [Fraction(0)]
    for a, b in permutations(lines, 2):
        for j, k in permutations(lines, 2):
            if mask[a, k] and mask[b, j] and not (mask[a, j] or mask[b, k]):
                gains.append(s[a][j] + s[b][k] - s[a][k] - s[b][j])
    if at_most:
        row_room, column_room = mask.sum(axis=1) < n, mask.sum(axis=0) < n
        for i, j in product(lines, lines):
            if mask[i, j]:
                gains.append(-s[i][j])
                gains += [s[a][j] - s[i][j] for a in lines if row_room[a] and not mask[a, j]]
                gains += [s[i][k] - s[i][j] for k in lines if column_room[k] and not mask[i, k]]
            elif row_room[i] and column_room[j]:
                gains.append(s[i][j])
    return max(gains)


def dykstra(kernel, n, rounds, at_most):
    """Project one tile's kernel onto the lines' sums and x <= 1, as the textbook has it.

    Each set has its own correction: what its last projection divided out is multiplied
    back in before the next.
    """

    def onto_lines(x, axis):
        sums = x.sum(axis=axis, keepdims=True)
        return x * (np.minimum(1.0, n / sums) if at_most else n / sums)

    def onto_box(x):
        return np.minimum(x, 1.0)

    sets = [lambda x: onto_lines(x, 1), lambda x: onto_lines(x, 0), onto_box]
    corrections = [np.ones_like(kernel) for _ in sets]
    x = onto_box(kernel)
    corrections[2] = kernel / x
    for _ in range(rounds):
        for number, project in enumerate(sets):
            whole = x * corrections[number]
            x = project(whole)
            corrections[number] = whole / x
    return x


def best_by_highs(scores, n, at_most):
    """Best kept score of each of the (t, m, m) tiles, by linear programming.

    Many tiles make one block-diagonal program. Each is scaled by a power of two to a
    largest score of 2^19 to 2^20, far above the solver's tolerances.
    """
    tiles, m, _ = scores.shape
    step = max(1, LP_VARIABLES // (m * m))
    parts = [scores[first : first + step] for first in range(0, tiles, step)]
    return np.concatenate([_solve_blocks(part, n, at_most) for part in parts])


def _solve_blocks(scores, n, at_most):
    tiles, m, _ = scores.shape
    largest = np.abs(scores).max(axis=(1, 2))
    exponent = np.where(largest > 0, 20 - np.frexp(largest)[1], 0)
    scaled = np.ldexp(scores, exponent[:, None, None])
    one, eye = np.ones((1, m)), sparse.eye_array(m)
    lines = sparse.vstack([sparse.kron(eye, one), sparse.kron(one, eye)])
    matrix = sparse.kron(sparse.eye_array(tiles), lines, format="csr")
    sums = np.full(matrix.shape[0], float(n))
    found = linprog(
        -scaled.ravel(),
        **({"A_ub": matrix, "b_ub": sums} if at_most else {"A_eq": matrix, "b_eq": sums}),
        bounds=(0, 1),
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    assert found.status == 0, found.message
    kept = (scaled * found.x.reshape(scaled.shape)).sum(axis=(1, 2))
    return np.ldexp(kept, -exponent)
