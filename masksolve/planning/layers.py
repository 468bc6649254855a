"""Weights from wherever they are, one layer at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import ArrayLike

from masksolve.checkpoints.axes import Axes, AxesByName
from masksolve.checkpoints.selection import Choice, choose_tensors
from masksolve.errors import InvalidInput, about
from masksolve.inputs import as_axes, as_real
from masksolve.pattern import Pattern
from masksolve.quantised import recognise
from masksolve.roles import Facts
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = ["Layer", "Skipped", "as_layers", "file_layers"]


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


Skipped: TypeAlias = Sequence[tuple[str, str]]
"""Names of what is no layer, and why."""

USUAL = (-2, -1)
LOOKUP = "an embedding is a lookup, not a product"


def as_layers(
    weights: Any, axes: Axes | AxesByName, patterns: Sequence[Pattern]
) -> tuple[list[Layer], Skipped]:
    """List the layers of an array, a mapping of arrays, a file or a torch module.

    Arrays are layers, every one; of files and modules those are that masks are for, and
    that fit one of the patterns.

    Raises
    ------
    InvalidInput
        If there is no layer, or one that is no array of at least two dimensions.
    FileFormatError
        If a file is missing or damaged.
    """
    given = AxesByName.of(axes)
    if isinstance(weights, Mapping):
        arrays = {str(name): array for name, array in weights.items()}
        given.check(Path("the mapping"), arrays)
        found = [
            _array_layer(name, array, given.get(name) or USUAL) for name, array in arrays.items()
        ]
        return _not_empty(found, "the mapping holds no array"), ()
    if hasattr(weights, "named_parameters"):
        return _module_layers(weights, given, patterns)
    if isinstance(weights, str | PathLike):
        file = TensorFile(Path(weights))
        quantised = recognise(file.path, [file])
        choice = choose_tensors(file, axes=given, patterns=patterns, quantised=quantised)
        return file_layers(file, choice), choice.skipped
    found = [_array_layer("weights", weights, given.get("weights") or USUAL, label="")]
    return _not_empty(found, "weights holds no matrix"), ()


def _module_layers(
    module: Any, given: AxesByName, patterns: Sequence[Pattern]
) -> tuple[list[Layer], Skipped]:
    parameters = dict(module.named_parameters())
    skipped = [(name, LOOKUP) for name in _lookups(module) if name in parameters]
    for name, _ in skipped:
        del parameters[name]
    kind = f"the module {type(module).__name__} holds no parameter that masks are for"
    if not parameters:
        raise InvalidInput(f"{kind} with weights to plan for")
    config: Any = getattr(module, "config", None)
    facts = Facts.of(config.to_dict() if hasattr(config, "to_dict") else None)
    source = _Parameters(
        Path(type(module).__name__), {n: _spec(n, p) for n, p in parameters.items()}
    )
    choice = choose_tensors(source, axes=given, patterns=patterns, facts=facts)
    layers = [_parameter_layer(name, parameters[name], pair) for name, pair in choice.axes.items()]
    return _not_empty(layers, kind), [*skipped, *choice.skipped]


def _lookups(module: Any) -> Iterator[str]:
    """Name the tables of embeddings, by the classes of modules: nothing here knows torch."""
    for name, part in module.named_modules():
        if type(part).__name__ in ("Embedding", "EmbeddingBag"):
            yield f"{name}.weight".lstrip(".")


class _Parameters(NamedTuple):
    """The parameters of a module as if they lay in a file."""

    path: Path
    tensors: dict[str, TensorSpec]


def _spec(name: str, parameter: Any) -> TensorSpec:
    size = parameter.element_size()
    dtype = f"{'F' if parameter.is_floating_point() else 'I'}{8 * size}"
    shape = tuple(parameter.shape)
    return TensorSpec(name, dtype, shape, prod(shape) * size)


def file_layers(file: TensorFile, choice: Choice) -> list[Layer]:
    """List the chosen tensors of a file; errors as for `as_layers`."""
    found = [_file_layer(file, name, choice) for name in choice.axes]
    return _not_empty(found, f"{file.path} holds no 2-D float tensor")


def _not_empty(layers: list[Layer], kind: str) -> list[Layer]:
    """Leave out layers without entries."""
    found = [layer for layer in layers if prod(layer.shape)]
    if not found:
        raise InvalidInput(f"{kind} with weights to plan for")
    return found


def _file_layer(file: TensorFile, name: str, choice: Choice) -> Layer:
    spec, axes, quantised = file.tensors[name], choice.axes[name], choice.quantised
    label = f"{file.path}: tensor {name!r}"
    shape = quantised.seen(spec).shape
    size = prod(shape)
    bits = 8 * spec.nbytes // size if size else 0
    with about(label):
        as_axes(axes, len(shape), "weights")
    return Layer(name, shape, axes, bits, lambda: quantised.read(file, name), label)


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
