"""AdaPrune: a trained model becomes N:M sparse, layer by layer, with a few batches of data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count
from masksolve.threads import Progress, reporting
from masksolve.torch._adaprune.batch_norm import reestimate
from masksolve.torch._adaprune.calibration import Calibration, Forward, Positions
from masksolve.torch._adaprune.chain import Chain
from masksolve.torch._adaprune.checkpoint import Folder
from masksolve.torch._adaprune.collect import Collected, Passes
from masksolve.torch._adaprune.fit import Fitted, fit
from masksolve.torch._adaprune.groups import Group, Weight, as_weights, drop_ends, trace
from masksolve.torch._adaprune.masker import Masker
from masksolve.torch._adaprune.report import AdaPruned, LayerReport
from masksolve.torch._adaprune.settings import Mode, Optimizer, Settings
from masksolve.torch.names import size_of
from masksolve.torch.scores import CalibratedScore
from masksolve.torch.selection import choose
from masksolve.torch.selectors import Patterns, Select

__all__ = ["adaprune"]

ROUNDS = 20


def adaprune(
    model: nn.Module,
    batches: Any,
    pattern: Patterns,
    *,
    select: Select = None,
    mode: Mode = "sequential",
    optimizer: Optimizer = "least_squares",
    remask: int | None = None,
    score: str | CalibratedScore = "magnitude",
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    absorb_mean: bool = True,
    tune_bias: bool = True,
    dense_ends: bool = False,
    batch_norm: bool = True,
    iterations: int = 1000,
    batch_size: int = 50,
    rates: tuple[float, float] = (1e-3, 1e-2),
    ridge: float = 0.1,
    seed: int = 0,
    forward: Forward | None = None,
    positions: Positions | None = None,
    memory: int = 1 << 30,
    checkpoint: str | Path | None = None,
    progress: Progress = False,
    threads: int | None = None,
) -> AdaPruned:
    r"""Prune a trained model to N:M patterns, and make up for it with a few batches.

    For each weight W, whose input is X in the dense model and X' in the pruned one, it looks
    for V and a mask S of the pattern that minimise

        ||W X - (S . V) X'||^2

    and for the change of the biases that goes with them (Hubara et al. 2021,
    arXiv:2102.08124). The model is changed in place: it keeps its modules and parameters,
    of which the pruned entries are zero. No labels and no backward passes are needed. After
    any failure the model is as it was before.

    Parameters
    ----------
    model : Module
        Dense, or with zeros of an unstructured method.
    batches : iterable
        Some samples of what the model will meet. A batch is what its forward takes: a mapping
        of named arguments, a tuple or list of positional ones, or the only argument. They
        are gone through several times, in evaluation mode; an iterator is made a list. What a
        block of the model gave for them is kept, twice in sequential mode, so that the blocks
        before it need not run again.
    pattern : Pattern, str, mapping or callable
        As for `sparsify`: for example ``"4:8"``, or `ByDensity` for what each layer's zeros
        allow.
    select : optional
        Which modules, as for `sparsify`. Default: what `sparsify` takes of linear layers,
        convolutions, attention and recurrent cells that some batch reaches.
    mode : {"sequential", "parallel"}
        Sequential: X' is what the model gives once the layers before are pruned, so that
        later ones make up for them; two passes for every input that some layers share.
        Parallel: X' is X, and few passes do.
    optimizer : {"least_squares", "adam", "none"}
        least_squares: the best V for the mask. adam: as published. none: S . W, with the mean
        taken in if `absorb_mean`, and the biases as they are.
    remask : int, optional
        How often the mask is solved anew on the way: for least squares in rounds of ADMM, 20
        by default; for Adam by what each entry alone would save; by default, and as
        published, Adam's mask stays.
    score : {"magnitude", "wanda", "obs"} or callable
        What the first mask keeps the most of: \|w\|, the square of w times the norm of its input,
        the optimal brain surgeon's w^2 / [(X X^T)^-1]_jj; or a function of a `Calibrated` that
        returns a tensor of its weight's shape.
    method, options, threads
        The solver of masks, as for `masksolve.solve`.
    absorb_mean : bool
        Spread what a line of m prunes over what it keeps, to start from: where least squares
        ends does not depend on it.
    tune_bias : bool
        Fit the biases of layers that have them, too.
    dense_ends : bool
        Leave the first and the last weight that the model runs dense.
    batch_norm : bool
        Estimate the statistics of batch norms anew at the end.
    iterations, batch_size, rates, seed
        Of Adam: its steps, samples a step, learning rates of weights and of biases.
    ridge : float
        Of least squares: it pulls each column of V towards that of W with this share of its
        input's mean square. More is safer where there are few samples.
    forward : callable, optional
        Runs (model, batch) in a way of its own.
    positions : callable, optional
        Tells which positions of a batch count, as a tensor (samples, positions); default: its
        ``attention_mask``, if the batch is a mapping and has one.
    memory : int
        Bytes that parallel mode may fill in one pass. What one layer needs it takes anyway:
        some ten squares of its features and as many copies of its weight, in double
        precision, and with Adam its inputs and outputs.
    checkpoint : str or Path, optional
        A folder. A run with the same arguments goes on from what an earlier one left there;
        give it the same batches and the model as it was at first.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (weights done, weights in all).

    Returns
    -------
    AdaPruned
        The masks, and every layer's error before and after: print it for a table.

    Raises
    ------
    InvalidInput
        If there are no batches, the model does not take one of them, or gives layers inputs
        that are not finite; if nothing is chosen, or what is named cannot be pruned; if an
        option is not what it should be, or the checkpoint is of another run.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.
    FileFormatError
        If the checkpoint cannot be written, or is damaged.

    Examples
    --------
    >>> import torch
    >>> seed = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(
    ...     torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 8)
    ... )
    >>> mixing = torch.randn(16, 16)  # real inputs hang together, too
    >>> batches = [torch.randn(64, 16) @ mixing for _ in range(4)]
    >>> pruned = adaprune(model, batches, "4:8")
    >>> [layer.name for layer in pruned.layers if layer.error < layer.one_shot / 2]
    ['0.weight', '2.weight']
    >>> int(model[0].weight.count_nonzero()), int(pruned.masks["0.weight"].sum())
    (256, 256)
    """
    start = time.perf_counter()
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
    settings = Settings(
        mode,
        optimizer,
        absorb_mean,
        _rounds(remask, optimizer),
        tune_bias,
        iterations,
        batch_size,
        rates,
        ridge,
        as_count(memory, "memory", 1),
        seed,
    )
    masker = Masker(score, method, options, threads)
    calibration = Calibration(model, batches, forward, positions)
    weights, groups, chain, skipped = _planned(calibration, pattern, select, dense_ends)
    for weight in weights:
        masker.check(weight.pattern)
    folder = None
    if checkpoint is not None:
        asked = settings.to_dict() | masker.to_dict()
        folder = Folder(checkpoint, asked, calibration.batches, weights)
    run = _Run(Passes(calibration, chain, settings), masker, settings, folder)
    try:
        with calibration.evaluating(), reporting(progress, len(weights), "weights") as report:
            for portion in _portions(groups, settings):
                run.prune(portion, report)
            if batch_norm:
                reestimate(calibration)
    except BaseException:
        for weight in weights:
            weight.restore()
        raise
    masks = {weight.name: mask for weight, (mask, _) in run.done.items()}
    return AdaPruned(
        layers=[report for _, report in run.done.values()],
        masks=masks,
        skipped=skipped,
        batches=len(calibration.batches),
        seconds=time.perf_counter() - start,
        masked_share=sum(mask.numel() for mask in masks.values()) / size_of(model),
    )


def _rounds(remask: int | None, optimizer: str) -> int:
    if remask is None:
        return ROUNDS if optimizer == "least_squares" else 0
    return remask


def _planned(
    calibration: Calibration, pattern: Patterns, select: Select, dense_ends: bool
) -> tuple[list[Weight], list[Group], Chain, list[tuple[str, str]]]:
    """Choose weights, and find the order in which the model runs them."""
    chosen, skipped = choose(calibration.model, pattern, select)
    weights, unknown = as_weights(calibration.model, chosen)
    with calibration.evaluating():
        groups, idle, chain = trace(calibration, weights)
    left_out = unknown + [(weight.name, "no batch reaches it") for weight in idle]
    if left_out and select is not None:
        name, why = left_out[0]
        raise InvalidInput(f"{name} cannot be pruned: {why}")
    if dense_ends:
        left_out += drop_ends(groups)
    if not groups:
        raise InvalidInput(
            "no weight is left to prune: " + "; ".join(f"{n}: {why}" for n, why in left_out[:3])
        )
    planned = [weight for group in groups for weight in group.weights]
    return planned, groups, chain, skipped + left_out


def _portions(groups: Sequence[Group], settings: Settings) -> Iterator[list[Group]]:
    """Put groups together for which one pass does, as far as memory goes."""
    portion: list[Group] = []
    filled = 0
    for group in groups:
        if portion and (not settings.many or filled + group.bytes > settings.memory):
            yield portion
            portion, filled = [], 0
        portion.append(group)
        filled += group.bytes
    yield portion


@dataclass(slots=True)
class _Run:
    """Prunes weights, and remembers what became of them.

    Attributes
    ----------
    done : dict of Weight to (mask, report)
        Of the weights that the model has pruned.
    """

    passes: Passes
    masker: Masker
    settings: Settings
    folder: Folder | None
    done: dict[Weight, tuple[Tensor, LayerReport]] = field(default_factory=dict)

    def prune(self, groups: Sequence[Group], report: Callable[[int], None]) -> None:
        """Prune the weights of some groups, with the same passes through the model."""
        left = [g for g in groups if not all(map(self._is_kept, g.weights))]
        gathered = self.passes.collect(left, list(self.done)) if left else {}
        # What an earlier run did to a weight comes into the model after those passes, too:
        # it was not there when that run gathered what the group's other weights multiply.
        for group in groups:
            for weight in group.weights:
                if self.folder is not None and self._is_kept(weight):
                    fitted = self.folder.load(weight)
                else:
                    fitted = self._fit(weight, group, gathered)
                weight.put(fitted.weight, fitted.biases)
                self.done[weight] = fitted.mask, fitted.report
                report(len(self.done))

    def _is_kept(self, weight: Weight) -> bool:
        return self.folder is not None and weight in self.folder

    def _fit(self, weight: Weight, group: Group, gathered: Collected) -> Fitted:
        pieces = [
            (parts, gathered[feed])
            for feed in group.feeds
            for user, parts in feed.users
            if user is weight
        ]
        fitted: Fitted = fit(weight, pieces, self.masker, self.settings)
        if self.folder is not None:
            self.folder.save(weight, fitted)
        return fitted
