"""Weights from wherever they are, one layer at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from masksolve.errors import InvalidInput, about
from masksolve.inputs import as_axes, as_real
from masksolve.storage.tensors import TensorFile

__all__ = ["Layer", "as_layers", "file_layers"]


@dataclass(frozen=True)
class Layer:
    """A weight array that is read when its turn comes.

    Attributes
    ----------
    name : str
    shape : tuple of int
    axes : tuple of int
        The (output, input) axes of the matrix.
    bits : int
        Bits of one weight.
    read : callable
        Gives the array.
    label : str
        How errors call it.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, int]
    bits: int
    read: Callable[[], ArrayLike]
    label: str


def as_layers(weights: Any, axes: tuple[int, int]) -> list[Layer]:
    """List the layers of an array, a mapping of arrays, a file or a torch module.

    Raises
    ------
    InvalidInput
        If there is no layer, or one that is no array of at least two dimensions.
    FileFormatError
        If a file is missing or damaged.
    """
    if isinstance(weights, Mapping):
        found = [_array_layer(str(name), array, axes) for name, array in weights.items()]
        kind = "the mapping holds no array"
    elif hasattr(weights, "named_parameters"):
        found = [
            _parameter_layer(name, parameter, axes)
            for name, parameter in weights.named_parameters()
            if parameter.ndim == 2 and parameter.is_floating_point()
        ]
        kind = f"the module {type(weights).__name__} holds no 2-D float parameter"
    elif isinstance(weights, str | PathLike):
        file = TensorFile(Path(weights))
        names = [n for n, spec in file.tensors.items() if spec.floating and len(spec.shape) == 2]
        return file_layers(file, dict.fromkeys(names, axes))
    else:
        found = [_array_layer("weights", weights, axes, label="")]
        kind = "weights holds no matrix"
    return _not_empty(found, kind)


def file_layers(file: TensorFile, chosen: Mapping[str, tuple[int, int]]) -> list[Layer]:
    """List tensors of a file, given the axes of each; errors as for `as_layers`."""
    found = [_file_layer(file, name, axes) for name, axes in chosen.items()]
    return _not_empty(found, f"{file.path} holds no 2-D float tensor")


def _not_empty(layers: list[Layer], kind: str) -> list[Layer]:
    """Leave out layers without entries."""
    found = [layer for layer in layers if prod(layer.shape)]
    if not found:
        raise InvalidInput(f"{kind} with weights to plan for")
    return found


def _file_layer(file: TensorFile, name: str, axes: tuple[int, int]) -> Layer:
    spec = file.tensors[name]
    label = f"{file.path}: tensor {name!r}"
    size = prod(spec.shape)
    bits = 8 * spec.nbytes // size if size else 0
    with about(label):
        as_axes(axes, len(spec.shape), "weights")
    return Layer(name, spec.shape, axes, bits, lambda: file.read(name), label)


def _array_layer(
    name: str, array: ArrayLike, axes: tuple[int, int], label: str | None = None
) -> Layer:
    label = f"tensor {name!r}" if label is None else label
    with about(label):
        found = as_real(array, "weights")
        as_axes(axes, found.ndim, "weights")
    return Layer(name, found.shape, axes, 8 * found.dtype.itemsize, lambda: found, label)


def _parameter_layer(name: str, parameter: Any, axes: tuple[int, int]) -> Layer:
    bits = 8 * parameter.element_size()

    def read() -> ArrayLike:
        tensor = parameter.detach().cpu()
        # NumPy has no bfloat16 or float8 of torch's; float32 holds both exactly.
        found: ArrayLike = (tensor.float() if bits < 32 else tensor).numpy()
        return found

    return Layer(name, tuple(parameter.shape), axes, bits, read, f"parameter {name!r}")
