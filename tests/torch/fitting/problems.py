"""Layers with inputs, and oracles that know rows alone: NumPy in double precision."""

from itertools import combinations

import numpy as np
import torch

from tests.naive import valid_masks


def related(*shape, seed=0):
    """Draw numbers of which the last axis is correlated, around a mean that is not zero."""
    random = torch.Generator().manual_seed(seed)
    width = shape[-1]
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(99))
    spread = torch.linspace(0.2, 2, width)
    return (torch.randn(*shape, generator=random) * spread) @ mixing / width**0.5 + 0.3


def best_mask(scores, n, m, transposable):
    """Try every mask of every tile, or of every line."""
    scores = np.asarray(scores, dtype=float)
    kept = np.zeros(scores.shape, dtype=bool)
    high = m if transposable else 1
    if transposable:
        masks = np.asarray(valid_masks(n, m, False), dtype=bool)
    else:
        masks = np.array([[[k in some for k in range(m)]] for some in combinations(range(m), n)])
    for row in range(0, scores.shape[0], high):
        for column in range(0, scores.shape[1], m):
            tile = slice(row, row + high), slice(column, column + m)
            kept[tile] = masks[(masks * scores[tile]).sum((1, 2)).argmax()]
    return kept


def least_squares(rows, wanted, dense, mask, damping, centred):
    """Solve each output alone; the damping as further rows, one an input."""
    rows, wanted = (np.asarray(v, dtype=float) for v in (rows, wanted))
    shift = np.zeros(wanted.shape[1])
    if centred:
        means, levels = rows.mean(0), wanted.mean(0)
        rows, wanted = rows - means, wanted - levels
    squares = (rows**2).sum(0)
    pull = np.sqrt(damping * (squares + 0.01 * squares.mean()))
    found = np.zeros(dense.shape)
    for output, kept in enumerate(mask):
        stacked = np.vstack([rows[:, kept], np.diag(pull)[:, kept]])
        right = np.concatenate([wanted[:, output], pull * dense[output] * kept])
        found[output, kept] = np.linalg.lstsq(stacked, right, rcond=None)[0]
    if centred:
        shift = levels - found @ means
    return found, shift


def brain_surgeon(gram, weights, n, m, transposable):
    """SparseGPT by its definition: a column is removed, the inverse of what is left downdated."""
    inverse, new = np.linalg.inv(gram), weights.copy()
    mask = np.zeros(weights.shape, dtype=bool)
    for first in range(0, weights.shape[1], m):
        here = slice(first, first + m)
        diagonal, rest = np.zeros(m), inverse.copy()
        for k in range(m):  # of each column once all before it are settled
            diagonal[k] = rest[first + k, first + k]
            rest = rest - np.outer(rest[:, first + k], rest[first + k]) / diagonal[k]
        mask[:, here] = best_mask(new[:, here] ** 2 / diagonal, n, m, transposable)
        for column in range(first, first + m):
            lost = np.where(mask[:, column], 0, new[:, column]) / inverse[column, column]
            new -= np.outer(lost, inverse[column])
            new[:, column] *= mask[:, column]
            taken = np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
            inverse = inverse - taken
            inverse[column] = inverse[:, column] = 0
    return new * mask, mask


def error_of(rows, wanted, weight, bias=0.0):
    """Sum up the squares that outputs lack."""
    rows, wanted, weight = (np.asarray(v, dtype=float) for v in (rows, wanted, weight))
    return ((wanted - rows @ weight.T - np.asarray(bias, dtype=float)) ** 2).sum()
