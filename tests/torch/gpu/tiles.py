"""Matrices for the kernels, and the engine of the CPU as their judge."""

import numpy as np
import torch

import masksolve as ms
from masksolve.torch.gpu.launching import Chunk
from masksolve.torch.gpu.tiling import Tiling

FAMILIES = ("normal", "grid", "equal", "zeros", "subnormal", "wide", "scaled")


def matrices(family, shape, dtype=torch.float32, seed=0):
    """Draw matrices (batch, rows, columns) of a kind."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(shape)
    drawn = {
        "normal": normal,
        "grid": np.round(normal * 2),
        "equal": np.ones(shape),
        "zeros": np.zeros(shape),
        "subnormal": normal * 1e-42,
        "wide": normal * 10.0 ** rng.integers(-12, 12, shape),
        "scaled": normal * 10.0 ** rng.integers(-3, 3, (*shape[:2], 1)),
    }[family]
    return torch.from_numpy(drawn).to(dtype)


def solved(weights, n, m, *, at_most=False, magnitude=True):
    """Return what the CPU engine says."""
    return ms.solve(
        weights.to(torch.float64).numpy(),
        f"{n}:{m}{',at-most' if at_most else ''}",
        score=np.abs if magnitude else None,
    )


def tile(array, tiling, number):
    """Cut a tile out of matrices."""
    b, place = divmod(number, tiling.tile_rows * tiling.tile_columns)
    r, c = divmod(place, tiling.tile_columns)
    m = tiling.m
    return array[b, r * m : (r + 1) * m, c * m : (c + 1) * m]


def chunk_of(weights, n, m, *, at_most=False, magnitude=True, first=0, count=None, **given):
    """Make what kernels are launched on, for all tiles at once or some of them."""
    tiling = Tiling(*weights.shape, m)
    count = tiling.tiles if count is None else count
    made = {
        "mask": torch.zeros(weights.shape, dtype=torch.bool),
        "row_potentials": torch.full((count, m), np.nan, dtype=torch.float64),
        "column_potentials": torch.full((count, m), np.nan, dtype=torch.float64),
        "flags": torch.zeros(4, dtype=torch.int32),
    }
    return Chunk(
        weights,
        tiling=tiling,
        n=n,
        at_most=at_most,
        magnitude=magnitude,
        first=first,
        count=count,
        **made | given,
    )


def queue_of(chunk, listed=()):
    """Make a list of tiles, and its length."""
    queue = torch.full((chunk.count,), -1, dtype=torch.int32)
    queue[: len(listed)] = torch.tensor(listed, dtype=torch.int32)
    return queue, torch.tensor([len(listed)], dtype=torch.int32)
