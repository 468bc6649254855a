"""Small models to work on, drawn anew for every round, and snapshots of folders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

import ml_dtypes  # noqa: F401  # gives NumPy bfloat16
import numpy as np
from numpy.typing import NDArray

from masksolve.storage.tensors import DTYPES as CODES
from masksolve.storage.tensors import TensorSpec, write_tensors

__all__ = ["DTYPES", "PATTERNS", "Shards", "contents", "draw", "drawn_again", "write"]

DTYPES = ("float32", "bfloat16", "float16")
PATTERNS = ("2:4", "4:8", "1:4,plain", "2:4,at-most")
TYPES = {name: code for code, name in CODES.items()}
INDEX = "model.safetensors.index.json"
NAMES = ("w{}", "layer.{}.weight", "model.layers.{}.self_attn.q_proj.weight", "ü{}")
LARGE = (768, 1024)
"""A tensor of more than one slice, where `--memory` leaves a megabyte for each."""

Shards = Mapping[str, Mapping[str, NDArray[np.generic]]]
"""Tensors by their names, by the names of their files."""


def draw(rng: np.random.Generator, *, large: bool = False) -> Shards:
    """Draw tensors of several shapes and dtypes, some to be copied, in one to three files."""
    count, form = int(rng.integers(4, 16)), str(rng.choice(NAMES))
    found: list[dict[str, NDArray[np.generic]]] = [{} for _ in range(rng.integers(1, 4))]
    for k in range(count):
        shape = tuple(rng.integers(1, 100, size=rng.choice([1, 2, 2, 2, 3])))
        shape = shape if prod(shape) < 20_000 else shape[:2]
        found[k % len(found)][form.format(k)] = _weights(rng, shape)
    found[0][form.format("first")] = _weights(rng, LARGE if large else (64, 64))
    return {f"model-{k}.safetensors": tensors for k, tensors in enumerate(found)}


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.generic]:
    return rng.normal(size=shape).astype(rng.choice(DTYPES))


def drawn_again(
    rng: np.random.Generator, tensors: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Draw other values for the same tensors."""
    return {
        name: rng.normal(size=array.shape).astype(array.dtype) for name, array in tensors.items()
    }


def write(place: Path, shards: Shards, *, folder: bool) -> None:
    """Write a model as a folder with an index, or all of it as one file."""
    if not folder:
        _write(place, {name: one for tensors in shards.values() for name, one in tensors.items()})
        return
    place.mkdir()
    for file, tensors in shards.items():
        _write(place / file, tensors)
    names = {name: file for file, tensors in shards.items() for name in tensors}
    (place / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))
    (place / "config.json").write_text('{"model_type": "small"}')


def _write(path: Path, tensors: Mapping[str, NDArray[np.generic]]) -> None:
    specs = [
        TensorSpec(name, TYPES[array.dtype.name], array.shape, array.nbytes)
        for name, array in tensors.items()
    ]
    with write_tensors(path, specs, {}) as writer:
        for array in tensors.values():
            writer.write(array)
        writer.finish({})


def contents(place: Path) -> dict[str, bytes | None]:
    """Take a snapshot of a file, or of all below a folder: None stands for a folder."""
    paths = [place, *place.rglob("*")] if place.is_dir() else [place] * place.exists()
    return {
        path.relative_to(place).as_posix(): path.read_bytes() if path.is_file() else None
        for path in paths
    }
