"""The perplexity of a model in a folder, beside that of another, or alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from masksolve.errors import InvalidInput, about
from masksolve.inputs import as_count
from masksolve.torch.language.folder import LanguageModel
from masksolve.torch.language.perplexity import Perplexity, Ratio, window_losses
from masksolve.torch.language.reading import read_tokens
from masksolve.torch.language.windows import as_length, cut

__all__ = ["Evaluation", "evaluate_checkpoint"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """What a text says of a model, and of another.

    Attributes
    ----------
    model : Path
    text : Path
    windows, length : int
        How many were read, of how many tokens.
    perplexity : Perplexity
    beside : Path or None
        The other model, and what it gave.
    other : Perplexity or None
    """

    model: Path
    text: Path
    windows: int
    length: int
    perplexity: Perplexity
    beside: Path | None = None
    other: Perplexity | None = None

    @property
    def ratio(self) -> Ratio | None:
        """The perplexity over the other's, paired by windows."""
        return None if self.other is None else self.perplexity.beside(self.other)

    def to_dict(self) -> dict[str, Any]:
        """Return all that as JSON holds it."""
        found: dict[str, Any] = {
            "model": str(self.model),
            "text": str(self.text),
            "windows": self.windows,
            "length": self.length,
            "perplexity": _figures(self.perplexity),
        }
        if self.other is not None and self.ratio is not None:
            found["beside"] = str(self.beside)
            found["beside_perplexity"] = _figures(self.other)
            found["ratio"] = _figures(self.ratio)
        return found


def _figures(of: Perplexity | Ratio) -> dict[str, float | None]:
    return {"value": of.value, "standard_error": of.error if of.error == of.error else None}


def evaluate_checkpoint(
    model: str | Path,
    text: str | Path,
    *,
    beside: str | Path | None = None,
    samples: int | None = None,
    length: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure the perplexity of a model on a text, paired with another's if there are two.

    Each model is loaded as a whole, one after the other, with weights of the dtype they are
    stored in.

    Parameters
    ----------
    model : str or Path
        A folder in Hugging Face's layout.
    text : str or Path
        Text, JSON lines or tokens: see `masksolve.torch.language.read_tokens`.
    beside : str or Path, optional
        Another such folder, the dense model say. Both read the tokens of the first one's
        tokenizer, so their vocabularies must be the same.
    samples : int, optional
        How many windows, spread over the text; all if None.
    length : int, optional
        Tokens of a window; default: 2048, or as many as both models read at once.
    seed : int
        Settles which windows.
    device : torch.device or str, optional
        Where the models run; default: the CPU.
    progress : function of (done, total), optional
        Told of the windows that are done, of both models.

    Returns
    -------
    Evaluation

    Raises
    ------
    FileFormatError, InvalidInput
        If a folder holds no model that foretells the next token of a text, the text is empty,
        too short or beyond the vocabulary, or a model gives what is not finite.
    """
    folders = [LanguageModel(model)]
    if beside is not None:
        folders.append(LanguageModel(beside))
    _check_alike(folders)
    if samples is not None:
        samples = as_count(samples, "samples")
    length = min(as_length(length, folder) for folder in folders)
    windows = cut(read_tokens(text, folders[0]), length, samples, seed)
    found = []
    for k, folder in enumerate(folders):
        report = _counted(progress, k * len(windows), len(folders) * len(windows))
        found.append(_perplexity(folder, windows, device, report))
    first, other = found[0], found[1] if len(found) > 1 else None
    where = None if beside is None else Path(beside)
    return Evaluation(Path(model), Path(text), len(windows), length, first, where, other)


def _check_alike(folders: list[LanguageModel]) -> None:
    first, other = folders[0], folders[-1]
    if first.vocabulary != other.vocabulary:
        raise InvalidInput(
            f"{first.path} knows {first.vocabulary} tokens and {other.path} {other.vocabulary}: "
            "perplexities of different vocabularies cannot be compared"
        )


def _perplexity(
    folder: LanguageModel, windows: Tensor, device: torch.device | str | None, report: Progress
) -> Perplexity:
    model = folder.load(device)
    with about(str(folder.path)):
        return Perplexity(
            window_losses(model, windows, vocabulary=folder.vocabulary, progress=report)
        )


def _counted(progress: Progress | None, start: int, total: int) -> Progress:
    def report(done: int, _: int) -> None:
        if progress is not None:
            progress(start + done, total)

    return report
