"""Every format that is known, and what they make of the tensors of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from masksolve.errors import InvalidInput
from masksolve.quantised import (
    beside,
    bitsandbytes,
    compressed_tensors,
    floats,
    integers,
    torchao,
    unknown,
)
from masksolve.quantised.coding import Coding
from masksolve.quantised.files import Files, Settings, elsewhere
from masksolve.quantised.found import Found
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = ["FORMATS", "Quantised", "recognise"]

Recogniser: TypeAlias = Callable[[Files, str], Found | None]

FORMATS: tuple[Recogniser, ...] = (
    compressed_tensors.recognise,
    integers.recognise,
    torchao.recognise,
    bitsandbytes.recognise,
    beside.recognise,
    floats.recognise,
    unknown.recognise,
)
"""Each is asked about each tensor, until one knows it."""


@dataclass(frozen=True)
class Quantised:
    """What is quantised in a model.

    Attributes
    ----------
    weights : mapping of str to Found
        By the names of the tensors with the codes.
    companions : mapping of str to str
        What is made for such a weight and is none, and for which.
    """

    weights: Mapping[str, Found] = field(default_factory=dict)
    companions: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def codings(self) -> dict[str, Coding]:
        """How codes become weights, where that is known."""
        return {name: found.coding for name, found in self.weights.items() if found.coding}

    def weight(self, name: str) -> str:
        """Return what a tensor would be called if it was not quantised."""
        return self.weights[name].weight if name in self.weights else name

    def refuse(self, path: Path, name: str) -> None:
        """Raise for a tensor of codes whose weights cannot be had, and for what belongs to one.

        Raises
        ------
        InvalidInput
            Naming the file and the tensor.
        """
        found, weight = self.weights.get(name), self.companions.get(name)
        if found is not None and found.wrong is not None:
            raise InvalidInput(found.wrong)
        why = None if found is None else found.why
        if weight is not None:
            why = f"it belongs to the quantised {weight} and is no weight itself"
        if why is not None:
            raise InvalidInput(f"{path}: tensor {name!r}: {why}")

    def read(self, file: TensorFile, name: str) -> NDArray[Any]:
        """Read a tensor as the weights that it stands for.

        Raises
        ------
        FileFormatError
            As `TensorFile.read`.
        InvalidInput
            As `refuse`.
        """
        self.refuse(file.path, name)
        coding = self.codings.get(name)
        return file.read(name) if coding is None else coding.read(file, name)

    def seen(self, spec: TensorSpec) -> TensorSpec:
        """Describe a tensor as the weights that its codes stand for."""
        found = self.weights.get(spec.name)
        if found is None or found.coding is None:
            return spec
        shape = found.coding.shape
        return replace(spec, dtype="F32", shape=shape, nbytes=4 * prod(shape))


def recognise(path: Path, shards: Iterable[TensorFile]) -> Quantised:
    """Find out what is quantised in a model.

    Parameters
    ----------
    path : Path
        Of its folder or file: configurations lie in it, or beside it.
    shards : iterable of TensorFile

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> from safetensors.numpy import save_file
    >>> codes = np.ones((8, 16), dtype=np.int8)
    >>> tensors = {"fc.weight": codes, "fc.weight_scale": np.ones((8, 1), dtype=np.float32)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save_file(tensors, path)
    ...     found = recognise(path, [TensorFile(path)])
    >>> found.weights["fc.weight"].coding.format, found.companions
    ('int8', {'fc.weight_scale': 'fc.weight'})
    """
    files = Files(tuple(shards), Settings.read(path), elsewhere(path))
    weights: dict[str, Found] = {}
    for name in files.tensors:
        found = _whole(files, name, _ask(files, name))
        if found is not None:
            weights[name] = found
    companions = {each: name for name, found in weights.items() for each in found.companions}
    taken = {name: found for name, found in weights.items() if name not in companions}
    return Quantised(taken, companions)


def _ask(files: Files, name: str, formats: Sequence[Recogniser] = FORMATS) -> Found | None:
    return next((found for ask in formats if (found := ask(files, name)) is not None), None)


def _whole(files: Files, name: str, found: Found | None) -> Found | None:
    """Say so of codes whose scales, or the like, lie in a file that was not given."""
    if found is None and files.tensors[name].dtype not in beside.BYTES:
        return None
    weight = name if found is None else found.weight
    own = weight.removesuffix("weight")
    for each in files.apart(weight.rpartition(".")[0]):
        last = each.rpartition(".")[2]
        if each.startswith(own) and (unknown.BESIDE.search(last) or last.endswith("g_idx")):
            wrong = f"{files.where(name)} needs {each!r}, which lies in another file of the model"
            companions = () if found is None else found.companions
            return Found(name, weight, companions, wrong=f"{wrong}: give the folder")
    return found
