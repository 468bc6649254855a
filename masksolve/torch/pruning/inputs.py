"""What calibrates a model: batches of inputs of its network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from masksolve.errors import InvalidInput
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.tensors import TensorFile
from masksolve.torch.arrays import as_array, as_tensor

__all__ = ["Batches", "CalibrationLike", "TextOptions", "read_batches"]

TOKENS, MOST_TOKENS, BATCHES = 2048, 8192, 24
"""Of a batch: enough for products to run at full speed, few enough for attention; and how many
batches there should be, as far as that allows: each may wait in a thread of its own."""
SAMPLES = 8
"""Of a batch of anything but tokens."""
IDS = "input_ids"


class Windows(Protocol):
    """Windows of tokens, as `masksolve.torch.language.read_calibration` gives them."""

    @property
    def fit(self) -> Tensor:
        """Those that are fitted to, int64, (windows, length)."""
        ...

    @property
    def held_out(self) -> Tensor:
        """Those that only judge."""
        ...


CalibrationLike: TypeAlias = str | Path | Tensor | Mapping[str, Tensor] | Windows


@dataclass(frozen=True)
class TextOptions:
    """How text is read: see `masksolve.torch.language.read_calibration`."""

    samples: int
    length: int | None
    seed: int
    held_out: float


@dataclass(frozen=True, eq=False)
class Batches:
    """All batches, in order: those that are fitted to, then those that only judge.

    Attributes
    ----------
    inputs : list of dict of str to Tensor
    held_out : list of bool
    tokens : int
        That are fitted to; 0: other inputs than tokens.
    warnings : tuple of str
    """

    inputs: list[dict[str, Tensor]]
    held_out: list[bool]
    tokens: int
    warnings: tuple[str, ...] = ()

    def on(self, number: int, device: torch.device) -> dict[str, Tensor]:
        """Return a batch on a device."""
        return {name: tensor.to(device) for name, tensor in self.inputs[number].items()}

    @property
    def identity(self) -> list[Any]:
        """Return what they are known by: how many batches, and a hash of all entries."""
        state = WeightsHash()
        for inputs, held_out in zip(self.inputs, self.held_out, strict=True):
            for name, tensor in inputs.items():
                state.update(f"{name} {tuple(tensor.shape)} {held_out}".encode())
                state.update(as_array(tensor))
        return [len(self.inputs), state.text]

    def refuse_unknown(self, vocabulary: int | None) -> None:
        """Raise for tokens beyond the vocabulary."""
        if vocabulary is None:
            return
        for inputs in (one for one in self.inputs if IDS in one):
            least, most = int(inputs[IDS].min()), int(inputs[IDS].max())
            if least < 0 or most >= vocabulary:
                raise InvalidInput(
                    f"calibration holds token {least if least < 0 else most}: the model's "
                    f"vocabulary has {vocabulary}"
                )


def read_batches(calibration: CalibrationLike, model: Path, options: TextOptions) -> Batches:
    """Read what calibrates a model.

    Parameters
    ----------
    calibration
        A file of text or of tokens; a file in safetensors of the network's inputs by their
        names, such as ``pixel_values``; tokens, (samples, length); inputs by their names;
        windows of tokens.
    model : Path
        Whose tokenizer reads text.
    options : TextOptions

    Raises
    ------
    FileFormatError, InvalidInput
        If there is nothing in it, or it makes no sense.
    """
    if isinstance(calibration, str | Path):
        path = Path(calibration)
        if path.suffix != ".safetensors" or not _is_inputs(file := TensorFile(path)):
            from masksolve.torch.language import read_calibration

            found = read_calibration(
                path,
                model,
                samples=options.samples,
                length=options.length,
                seed=options.seed,
                held_out=options.held_out,
            )
            return _windows(found, tuple(found.warnings))
        calibration = {name: as_tensor(file.read(name)) for name in file.tensors}
    if isinstance(calibration, Tensor):
        calibration = {IDS: calibration}
    if isinstance(calibration, Mapping):
        return _split(dict(calibration), options)
    return _windows(calibration, ())


def _is_inputs(file: TensorFile) -> bool:
    """Tell a network's inputs, by their names, from plain tokens."""
    return len(file.tensors) > 1 or any(len(spec.shape) > 2 for spec in file.tensors.values())


def _windows(windows: Windows, warnings: tuple[str, ...]) -> Batches:
    fit, held_out = windows.fit, windows.held_out
    return _cut({IDS: fit.long()}, {IDS: held_out.long()}, warnings)


def _split(inputs: dict[str, Tensor], options: TextOptions) -> Batches:
    counts = {len(tensor) if tensor.ndim else 0 for tensor in inputs.values()}
    if len(counts) != 1 or not min(counts):
        said = ", ".join(f"{name} {tuple(x.shape)}" for name, x in inputs.items()) or "nothing"
        raise InvalidInput(f"calibration needs as many samples of each input, got {said}")
    if IDS in inputs:
        ids = inputs[IDS]
        if ids.ndim != 2 or ids.is_floating_point() or not ids.shape[1]:
            raise InvalidInput(
                f"tokens must be whole numbers, (samples, length), got {tuple(ids.shape)} of "
                f"{ids.dtype}"
            )
        inputs = inputs | {IDS: ids.long()}
    for name, tensor in inputs.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InvalidInput(f"calibration input {name!r} must be finite")
    count = counts.pop()
    number = min(max(round(options.held_out * count), int(options.held_out > 0)), count - 1)
    apart = torch.zeros(count, dtype=torch.bool)
    if number:
        apart[torch.arange(number) * count // number] = True
    fit = {name: tensor[~apart] for name, tensor in inputs.items()}
    held_out = {name: tensor[apart] for name, tensor in inputs.items()}
    return _cut(fit, held_out, ())


def _cut(
    fit: Mapping[str, Tensor], held_out: Mapping[str, Tensor], warnings: tuple[str, ...]
) -> Batches:
    inputs: list[dict[str, Tensor]] = []
    flags: list[bool] = []
    for flag, all_of_them in ((False, fit), (True, held_out)):
        for one in _pieces(all_of_them):
            inputs.append(one)
            flags.append(flag)
    tokens = fit[IDS].numel() if IDS in fit else 0
    return Batches(inputs, flags, tokens, warnings)


def _pieces(inputs: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    count, size = len(next(iter(inputs.values()))), SAMPLES
    if IDS in inputs:
        tokens = max(TOKENS, min(MOST_TOKENS, inputs[IDS].numel() // BATCHES))
        size = max(1, tokens // max(1, inputs[IDS].shape[1]))
    for first in range(0, count, size):
        yield {
            name: tensor[first : first + size].float()
            if tensor.is_floating_point()
            else tensor[first : first + size]
            for name, tensor in inputs.items()
        }
