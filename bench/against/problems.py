"""Seeded problems of every kind, and what is made of them: masks and all else hashed, and scores.

Run as a file, so that it takes whichever masksolve comes first; it uses public names alone, so
that what moves inside the package is no difference.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

import masksolve as ms

FULL = ("2:4", "4:8", "8:16", "16:32", "1:4", "3:8", "5:7", "6:12", "24:48")
PATTERNS = (*FULL, *(f"{p},at-most" for p in FULL[:3]), "4:4", "2:4,plain", "4:8,plain,at-most")
NARROW: tuple[Any, ...] = (np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.int8)
DTYPES = (np.float32, np.float64, *NARROW, np.int32)
NOT_COMPARED = ("seconds", "compile_seconds", "threads")
METHODS = tuple(name for name in ms.METHODS if name not in ("enumerate", "best_random"))


def digest(*parts: Any) -> str:
    """Hash arrays, bytes and what prints the same whenever it is the same."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype}{part.shape}".encode())
            found.update(np.ascontiguousarray(part).tobytes())
        else:
            found.update(part if isinstance(part, bytes) else repr(part).encode())
    return found.hexdigest()[:16]


class Answer(NamedTuple):
    """What is compared."""

    masks: str  # hashed
    rest: str  # bounds, potentials and counts, hashed
    score: float  # kept in all; 0 where masks alone are asked for


def of_result(result: ms.MaskResult) -> Answer:
    """Say what a solver found, times and numbers of threads aside."""
    counts = {k: v for k, v in result.stats.items() if k not in NOT_COMPARED}
    u, v = result.tiles.row_potentials, result.tiles.column_potentials
    rest = digest(result.objective, result.upper_bound, result.status.name, counts, u, v)
    return Answer(digest(result.mask), rest, result.objective)


def bytes_of(*parts: Any) -> Answer:
    """Ask for the same bytes."""
    return Answer(digest(*parts), "", 0.0)


def weights_of(seed: int) -> tuple[NDArray[Any], tuple[int, int]]:
    """Make weights of some dtype, shape and layout, and say which axes are the matrix's."""
    rng = np.random.default_rng(seed)
    dtype, layout = DTYPES[seed % len(DTYPES)], seed // len(DTYPES) % 5
    shape = [(96, 192), (101, 77), (3, 64, 96), (48, 32, 3, 3), (128, 160)][layout]
    made = rng.standard_normal(shape) * (40 if np.dtype(dtype).kind == "i" else 1)
    array = made.astype(dtype)
    if layout == 4:
        array = array.T[::-1]
    return array, (0, 1) if layout == 3 else (-2, -1)


def solved() -> Iterator[tuple[str, Answer]]:
    """Solve exactly: every pattern, dtype and layout in turn."""
    for seed in range(125):
        weights, axes = weights_of(seed)
        pattern = PATTERNS[seed % len(PATTERNS)]
        score = None if seed % 4 == 3 else np.abs
        result = ms.solve(weights, pattern, axes=axes, score=score, potentials=True)
        yield f"exact {seed}: {pattern} of {weights.dtype} {weights.shape}", of_result(result)


def warm() -> Iterator[tuple[str, Answer]]:
    """Solve again after a change, from the earlier potentials."""
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)
        pattern = PATTERNS[seed % 12]
        weights = rng.standard_normal((96, 144)).astype(np.float32)
        if seed % 3 == 2:
            weights = np.round(weights * 20)  # ties
        earlier = ms.solve(weights, pattern, potentials=True)
        moved = weights * (1 + 10.0 ** -(seed % 4 + 1) * rng.standard_normal(weights.shape))
        moved = moved.astype(np.float32) if seed % 3 < 2 else np.round(moved)
        result = ms.solve(moved, pattern, warm_start=earlier, potentials=True)
        yield f"warm {seed}: {pattern}", of_result(result)


def others() -> Iterator[tuple[str, Answer]]:
    """Run every other method; judge and repair what it finds."""
    for seed in range(40):
        weights, axes = weights_of(2000 + seed)
        method, pattern = METHODS[seed % len(METHODS)], PATTERNS[seed % 4 // 2]
        found = ms.solve(weights, pattern, method=method, axes=axes)
        judged = ms.certify(weights, found.mask, pattern, axes=axes, plain=seed % 3 == 0)
        repaired = ms.repair(weights, found.mask, pattern, axes=axes)
        one, other = of_result(found), of_result(repaired)
        verdict = (judged.objective, judged.upper_bound)
        yield (
            f"{method} {seed}: {pattern} of {weights.dtype}",
            Answer(
                digest(one.masks, other.masks),
                digest(one.rest, other.rest, *verdict),
                one.score + other.score,
            ),
        )


def folder() -> Iterator[tuple[str, Answer]]:
    """Solve a checkpoint of three shards, as masks and as pruned weights."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(7)
    with tempfile.TemporaryDirectory() as place:
        model = Path(place, "model")
        names: dict[str, str] = {}
        model.mkdir()
        for k in range(3):
            shard = f"model-{k + 1:05}-of-00003.safetensors"
            tensors = {
                f"layers.{k}.{name}.weight": rng.standard_normal((64, 128)).astype(dtype)
                for name, dtype in (("up", np.float32), ("down", np.float16))
            }
            save_file(tensors, model / shard)
            names |= dict.fromkeys(tensors, shard)
        index = {"metadata": {"total_size": 0}, "weight_map": names}
        (model / "model.safetensors.index.json").write_text(json.dumps(index))
        for what in ("masks", "pruned"):
            out = Path(place, what)
            ms.solve_checkpoint(model, out, "4:8", apply=what == "pruned")
            files = sorted(out.glob("*.safetensors"))
            yield (
                f"folder: {what}",
                bytes_of(*(part for f in files for part in (f.name, f.read_bytes()))),
            )


def trained() -> Iterator[tuple[str, Answer]]:
    """Train 30 steps with masks; prune by AdaPrune, by thresholds, by filters."""
    import torch
    from torch import nn

    import masksolve.torch as mst

    torch.set_num_threads(1)

    def network(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(8, 16, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(576, 64),
            nn.ReLU(),
            nn.Linear(64, 8),
        )

    def steps(model: nn.Module, after: Callable[[], object], penalty: Callable[[], Any]) -> None:
        optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
        for _ in range(30):
            optimizer.zero_grad()
            loss = model(torch.randn(16, 8, 8, 8)).square().mean() + penalty()
            loss.backward()
            optimizer.step()
            after()

    def state(model: nn.Module) -> list[Any]:
        return [p for k, t in model.state_dict().items() for p in (k, t.numpy(force=True))]

    for seed, (pattern, options) in enumerate(
        (
            ("4:8", {}),
            ("8:16", {"estimator": "sr_ste", "select": nn.Linear}),
            ("2:4", {"score": "movement", "warmup": 3, "ramp": 9, "refresh_every": 2}),
        )
    ):
        model = network(seed)
        handle = mst.sparsify(model, pattern, **options)
        steps(model, handle.step, lambda: 0.0)
        kept = [(r.step, r.whole.flips, r.whole.kept) for r in handle.history.records]
        yield f"training {seed}: {pattern}", bytes_of(*state(model), kept)
    model = network(5)
    pruned = mst.adaprune(model, [torch.randn(32, 8, 8, 8) for _ in range(3)], "4:8")
    yield "adaprune", bytes_of(*state(model), [layer.error for layer in pruned.layers])
    model = mst.dst.convert(network(6))
    steps(model, lambda: None, lambda: mst.dst.sparsity_loss(model, alpha=1e-2))
    yield "dst", bytes_of(*state(model), mst.dst.remaining(model).total)
    narrow = mst.filters.prune(network(7), [torch.randn(32, 8, 8, 8)], budget=0.6).model
    yield "filters", bytes_of(*state(narrow))
    tensor = torch.randn(64, 96, dtype=torch.bfloat16)
    yield "solve_mask", bytes_of(mst.solve_mask(tensor, "4:8").numpy())


SECTIONS = (solved, warm, others, folder, trained)

if __name__ == "__main__":
    print(json.dumps(dict(pair for section in SECTIONS for pair in section())))
