"""The function ``prune_checkpoint``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count, as_number
from masksolve.pattern import Pattern
from masksolve.threads import Progress
from masksolve.torch.fitting import FitSettings
from masksolve.torch.fitting.settings import Algorithm
from masksolve.torch.pruning.inputs import CalibrationLike, TextOptions
from masksolve.torch.pruning.prune import Pruning
from masksolve.torch.pruning.report import PruneReport
from masksolve.torch.pruning.settings import MEMORY, Mode, PruneSettings

__all__ = ["prune_checkpoint"]


def prune_checkpoint(
    model: str | Path,
    out: str | Path,
    pattern: Pattern | str,
    calibration: CalibrationLike,
    *,
    algorithm: Algorithm = "admm",
    refit: bool = True,
    mode: Mode = "sequential",
    method: str = "exact",
    damping: float | None = None,
    rounds: int = 6,
    samples: int = 128,
    length: int | None = None,
    held_out: float = 0.125,
    seed: int = 0,
    tensors: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    memory: str | int = MEMORY,
    device: torch.device | str | None = None,
    threads: int | None = None,
    evaluate: str | Path | None = None,
    progress: Progress = False,
) -> PruneReport:
    """Prune the model in a folder, block by block, and write the pruned one beside it.

    Parameters
    ----------
    model : str or Path
        A folder in Hugging Face's layout, with weights in safetensors, of one file or many.
    out : str or Path
        A new folder, which appears whole: dense weights with zeros in the files, dtypes and
        order of the model's, all else as it was, and in the folder ``masksolve`` in it masks,
        ``masks.safetensors``, and ``report.json``. A run that was cut short goes on behind the
        last block that is done when the same is asked for again.
    pattern : Pattern or str
    calibration
        What inputs are taken from. A file of plain text, of JSON lines with ``text``, or of
        tokens in safetensors, of which windows are taken; a safetensors file, or a mapping, of
        the network's inputs by name, such as ``pixel_values``; a tensor of tokens, (samples,
        length).
    algorithm : {"admm", "sparsegpt", "wanda", "magnitude"}
        How masks are found: see `FitSettings`.
    refit : bool
        Find the best weights under the masks.
    mode : {"sequential", "parallel"}
        sequential: inputs are what the pruned blocks before give, and each matrix is fitted to
        make up for what these lost. parallel: all are the dense network's.
    method : str
        The solver of masks.
    damping : float, optional
        Default: what does best on held-out inputs.
    rounds : int
        Of ADMM.
    samples, length : int, optional
        How many windows of how many tokens are taken from a text.
    held_out : float
        Share of the samples that is not fitted to, by which errors are judged as well.
    seed : int
        Settles where windows lie.
    tensors, exclude : sequence of str
        Names, or patterns like ``"model.layers.*.mlp.*"``, of the weights to prune, and of those
        to leave dense. Default: all matrices of products within the blocks.
    memory : str or int
        What the process may take, such as ``"12GB"``: hidden states beyond it stay on disk.
    device : torch.device or str, optional
        Default: the CPU.
    threads : int, optional
        For solving masks.
    evaluate : str or Path, optional
        A text, on which the perplexity of both models is measured.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (blocks done, blocks in all).

    Returns
    -------
    PruneReport

    Raises
    ------
    FileFormatError
        If something cannot be read or written: what was done stays, to be gone on with.
    InvalidInput
        If the model cannot be followed, saying which module; if weights or hidden states are
        not finite, naming the layer; if `out` holds something else, or another run's work; if
        memory is too little for a block.

    Examples
    --------
    >>> import tempfile, torch, transformers
    >>> import masksolve.torch as mst
    >>> seed = torch.manual_seed(0)
    >>> config = transformers.LlamaConfig(
    ...     vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    ...     num_attention_heads=4, bos_token_id=1, eos_token_id=2,
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     transformers.LlamaForCausalLM(config).save_pretrained(f"{folder}/model")
    ...     tokens = torch.randint(64, (24, 32))
    ...     report = mst.prune_checkpoint(f"{folder}/model", f"{folder}/out", "4:8", tokens)
    ...     pruned = transformers.LlamaForCausalLM.from_pretrained(f"{folder}/out")
    >>> float((pruned.model.layers[1].mlp.up_proj.weight == 0).float().mean())
    0.5
    >>> len(report.blocks), report.layers[0]["name"]
    (2, 'model.layers.0.self_attn.q_proj.weight')
    """
    _need_transformers()
    parsed = Pattern.parse(pattern)
    fit = FitSettings(parsed, algorithm, refit, damping, rounds, method, threads=threads)
    settings = PruneSettings(fit, mode, memory, tensors, tuple(exclude))
    share = as_number(held_out, "held_out", 0)
    if share >= 1:
        raise InvalidInput(f"held_out must be a share from 0 to below 1, got {held_out!r}")
    text = TextOptions(as_count(samples, "samples"), length, seed, share)
    source, output = Path(model), Path(out)
    pruning = Pruning(source, output, settings, calibration, text, _device(device))
    aside = None if evaluate is None else Path(evaluate)
    finished = pruning.finished()
    if finished is None:
        return pruning.go(progress, aside)
    if aside is not None:
        pruning.evaluate(finished, aside)
    return finished


def _device(device: torch.device | str | None) -> torch.device:
    try:
        found = torch.device(device or "cpu")
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as error:
        said = " ".join(str(error).split("\n")[0].split())
        raise InvalidInput(f"device {device} cannot be used: {said}") from None
    return found


def _need_transformers() -> None:
    try:
        from transformers import core_model_loading  # noqa: F401
    except ImportError:
        raise InvalidInput(
            "pruning a checkpoint needs transformers 5: pip install 'masksolve[prune]'"
        ) from None
