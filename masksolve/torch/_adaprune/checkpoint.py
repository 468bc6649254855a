"""A folder that keeps each weight once it is done, so that a run that stops can go on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from masksolve.errors import FileFormatError, InvalidInput
from masksolve.storage.atomic import whole_file
from masksolve.torch._adaprune.fit import Fitted
from masksolve.torch._adaprune.groups import Weight
from masksolve.torch._adaprune.report import LayerReport

__all__ = ["Folder"]

RUN = "run.json"
"""What was asked for, and of which weights."""


class Folder:
    """The folder, made if need be.

    Parameters
    ----------
    path : str or Path
    asked : mapping
        Settings: numbers, words and what can be written as such.
    batches : sequence
    weights : sequence of Weight

    Raises
    ------
    InvalidInput
        If it is no path, or holds another run: what differs.
    FileFormatError
        If it cannot be written, or is damaged.
    """

    def __init__(
        self,
        path: str | Path,
        asked: Mapping[str, Any],
        batches: Sequence[Any],
        weights: Sequence[Weight],
    ) -> None:
        if not isinstance(path, str | Path):
            raise InvalidInput(f"checkpoint must be the path of a folder, got {path!r:.60}")
        self._path = Path(path)
        run = {
            "settings": json.loads(json.dumps(asked)),
            "batches": [_digest(batch) for batch in batches],
            "weights": {
                weight.name: [str(weight.pattern), _digest(weight.dense)] for weight in weights
            },
        }
        head = self._path / RUN
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            held = head.read_text(encoding="utf-8") if head.exists() else None
        except OSError as error:
            raise FileFormatError(f"cannot use checkpoint {path}: {error}") from None
        if held is None:
            _write(head, json.dumps(run, indent=1).encode())
            return
        try:
            self._compare(json.loads(held), run)
        except InvalidInput:
            raise
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FileFormatError(f"{head} is damaged: remove the folder to start anew") from None

    def _compare(self, held: Any, run: Mapping[str, Any]) -> None:
        said = f"checkpoint {self._path} is of another run: "
        for name, value in run["settings"].items():
            before = held["settings"].get(name)
            if before != value:
                raise InvalidInput(f"{said}its {name} was {before!r}, not {value!r}")
        before, now = held["batches"], run["batches"]
        if len(before) != len(now):
            raise InvalidInput(f"{said}it had {len(before)} batches, not {len(now)}")
        for number, (one, other) in enumerate(zip(before, now, strict=True)):
            if one != other:
                raise InvalidInput(f"{said}its batch {number} held other values")
        if list(held["weights"]) != list(run["weights"]):
            raise InvalidInput(f"{said}it pruned {len(held['weights'])} other weights")
        for name, (pattern, digest) in run["weights"].items():
            before, weight = held["weights"][name]
            if before != pattern:
                raise InvalidInput(f"{said}{name} was to be {before}, not {pattern}")
            if weight != digest:
                raise InvalidInput(f"{said}{name} had other values before it was pruned")

    def __contains__(self, weight: Weight) -> bool:
        return self._file(weight).exists()

    def load(self, weight: Weight) -> Fitted:
        """Return what became of a weight that is in it."""
        path = self._file(weight)
        try:
            tensors = load(path.read_bytes())
            report = json.loads(tensors["report"].numpy().tobytes())
            found = Fitted(
                tensors["weight"].to(weight.dense.device),
                tensors["mask"].to(weight.dense.device),
                None if "biases" not in tensors else tensors["biases"].to(weight.dense.device),
                LayerReport(**report | {"shape": tuple(report["shape"])}),
            )
            fits = found.weight.shape == found.mask.shape == weight.dense.shape
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            fits = False
        if not fits:
            raise FileFormatError(f"{path} is damaged: remove it, and its weight is done anew")
        return found

    def save(self, weight: Weight, done: Fitted) -> None:
        """Keep what became of a weight."""
        report = torch.frombuffer(
            bytearray(json.dumps(asdict(done.report)).encode()), dtype=torch.uint8
        )
        tensors: dict[str, Tensor] = {"weight": done.weight, "mask": done.mask, "report": report}
        if done.biases is not None:
            tensors["biases"] = done.biases
        _write(self._file(weight), save({k: t.contiguous() for k, t in tensors.items()}))

    def _file(self, weight: Weight) -> Path:
        # Names may hold what file names may not.
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", weight.name)
        mark = hashlib.sha256(weight.name.encode()).hexdigest()[:8]
        return self._path / f"{plain[:100]}-{mark}.safetensors"


def _write(path: Path, data: bytes) -> None:
    with whole_file(path, len(data)) as file:
        file.write(data)


def _digest(value: Any) -> str:
    """Tell values apart by their tensors and plain values; others all count as the same."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            data = part.detach().cpu().contiguous().view(-1).view(torch.uint8)
            digest.update(data.numpy().tobytes())
        elif isinstance(part, Mapping):
            add(list(part.items()))
        elif isinstance(part, list | tuple):
            digest.update(f"{len(part)} of".encode())
            for one in part:
                add(one)
        elif isinstance(part, str | int | float | None):
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()
