"""Provable filter pruning: the functions that users call."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from masksolve.errors import InvalidInput
from masksolve.inputs import as_count
from masksolve.torch.filters import inputs
from masksolve.torch.filters.allocation import Allocation, by_error, by_share
from masksolve.torch.filters.bounds import DELTA, certified, proven, published, published_factor
from masksolve.torch.filters.following import follow
from masksolve.torch.filters.report import GroupRow, LayerRow, Report
from masksolve.torch.filters.samplers import SAMPLERS, Choice, Task
from masksolve.torch.filters.shares import Errors, Shares
from masksolve.torch.filters.surgery import check_sharing, operate
from masksolve.torch.filters.ties import FIXED
from masksolve.torch.filters.traced import Sizes

__all__ = ["Pruned", "Pruner", "prune"]

BY_SENSITIVITY = ("deterministic", "hybrid", "random")
CHANCE = ("hybrid", "random")


@dataclass(frozen=True)
class Pruned:
    """A pruned network.

    Attributes
    ----------
    model : Module
        A copy of the model's own class with narrower layers.
    report : Report
    """

    model: nn.Module
    report: Report


class Pruner:
    """Looks at a network once, and prunes copies of it to any size.

    Parameters
    ----------
    model : Module
        Trained. It is copied, and not changed.
    batches : iterable
        A few batches to take sensitivities from: tensors, or tuples that begin with one.
    keep : str or sequence of str
        Name patterns of layers whose filters all stay.
    delta : float
        Probability that a layer's error exceeds its bound.

    Attributes
    ----------
    sensitivities : list of array
        Of each group's filters.
    makers : list of list of str
        The layers that each group's filters belong to.

    Raises
    ------
    InvalidInput
        If there are no batches or they do not fit the model; if its weights are not finite,
        or computed from others, as under masks; if it cannot be traced, an operation's
        channels cannot be followed (naming its node), two names share a parameter that would
        be cut, or there is nothing to prune.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Iterable[Any],
        *,
        keep: str | Sequence[str] = (),
        delta: float = DELTA,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
        inputs.check_model(model)
        self._delta = inputs.as_delta(delta)
        self._training = {name: m.training for name, m in model.named_modules()}
        self._dense = copy.deepcopy(model).eval()
        self._batches = inputs.as_batches(batches, self._dense)
        self._traced = follow(self._dense, self._batches[0], inputs.as_patterns(keep))
        check_sharing(self._traced)
        self._groups = self._traced.atoms.groups
        if not self._groups:
            raise InvalidInput(
                f"{type(model).__name__} has no filters to prune: every layer's go to the "
                "output, are tied to the input, or are named in keep"
            )
        count = sum(map(len, self._groups))
        self._shares = [Shares(layer, count) for layer in self._traced.layers()]
        self._traced.show(self._batches, {s.layer.name: s.see for s in self._shares}, "batches")
        everything = np.max([s.largest for s in self._shares], axis=0)
        self._norms = self._filter_norms(count)
        self.sensitivities = [everything[atoms] for atoms in self._groups]
        self.makers = self._traced.makers

    def prune(
        self,
        budget: float,
        *,
        sampler: str = "deterministic",
        multiple_of: int = 1,
        seed: int | np.random.Generator = 0,
        held_out: Iterable[Any] | None = None,
    ) -> Pruned:
        """Return a smaller network; see `prune`."""
        allowed = inputs.as_budget(budget) * self._traced.size()
        if sampler not in SAMPLERS:
            raise InvalidInput(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}")
        if as_count(multiple_of, "multiple_of", 1) > 1 and sampler in CHANCE:
            raise InvalidInput(
                f"multiple_of needs a sampler that keeps a given number of filters, which "
                f"{sampler} does not: expected deterministic, uniform or magnitude"
            )
        others = None if held_out is None else inputs.as_batches(held_out, self._dense, "held_out")
        allocation = self._allocate(allowed, sampler, multiple_of)
        choices = self._choose(allocation, sampler, inputs.as_rng(seed))
        factors = np.ones(sum(map(len, self._groups)))
        for atoms, choice in zip(self._groups, choices, strict=True):
            factors[atoms] = choice.factors
        model = copy.deepcopy(self._dense)
        operate(self._traced, model, factors)
        report = self._report(model, factors, choices, sampler, budget, allocation, others)
        for name, module in model.named_modules():
            module.training = self._training[name]
        return Pruned(model, report)

    def _allocate(self, allowed: float, sampler: str, multiple_of: int) -> Allocation:
        sizes = Sizes(self._traced)
        if sampler in BY_SENSITIVITY:
            factors = [self._factor(atoms) for atoms in self._groups]
            return by_error(
                self.sensitivities,
                factors,
                sizes,
                allowed,
                whole=sampler not in CHANCE,
                multiple_of=multiple_of,
            )
        most = np.array([len(atoms) for atoms in self._groups])
        return by_share(most, sizes, allowed, multiple_of)

    def _choose(
        self, allocation: Allocation, sampler: str, rng: np.random.Generator
    ) -> list[Choice]:
        choices = []
        for g, atoms in enumerate(self._groups):
            keep = float(allocation.keep[g])
            draws = 1 if allocation.draws is None else int(allocation.draws[g])
            task = Task(self.sensitivities[g], self._norms[atoms], keep, draws, rng)
            chooses = SAMPLERS["deterministic" if keep == len(atoms) else sampler]
            choices.append(chooses(task))
        return choices

    def _factor(self, atoms: NDArray[np.int64]) -> float:
        """Return the published factor of a group, of its widest reader."""
        readers = [s for s in self._shares if np.isin(s.layer.columns, atoms).any()]
        return max(published_factor(s.patches, s.kernel, self._delta) for s in readers)

    def _report(
        self,
        model: nn.Module,
        factors: NDArray[np.float64],
        choices: list[Choice],
        sampler: str,
        budget: float,
        allocation: Allocation,
        others: list[Tensor] | None,
    ) -> Report:
        errors = self._errors(factors, self._batches, "batches")
        held_out = self._errors(factors, others, "held_out") if others else [None] * len(errors)
        layers = []
        for shares, seen, other in zip(self._shares, errors, held_out, strict=True):
            theirs, ours = self._bounds(shares, choices)
            name = shares.layer.name
            row = LayerRow(
                name=name,
                before=tuple(shares.layer.module.weight.shape),
                after=tuple(model.get_submodule(name).weight.shape),
                published=theirs,
                proven=ours,
                certified=certified(factors, shares.largest),
                measured=seen.largest,
                held_out=other.largest if other else None,
                norm=seen.norm,
            )
            layers.append(row)
        groups = [
            GroupRow(makers, len(s), int(np.count_nonzero(c.factors)), float(s.sum()), c.draws)
            for makers, s, c in zip(self.makers, self.sensitivities, choices, strict=True)
        ]
        after = sum(p.numel() for p in model.parameters())
        return Report(
            sampler,
            budget,
            (self._traced.size(), after),
            allocation.epsilon,
            self._delta,
            groups,
            layers,
            self._output_error(model),
        )

    def _bounds(self, shares: Shares, choices: list[Choice]) -> tuple[float | None, float | None]:
        """Bound a layer's error before anything is drawn: as published, and as proven.

        The errors of the groups that it reads add up, and share delta.
        """
        columns = shares.layer.columns
        read = [g for g, atoms in enumerate(self._groups) if np.isin(columns, atoms).any()]
        if not any(choices[g].draws for g in read):
            return None, None
        delta = self._delta / len(read)
        factor = published_factor(shares.patches, shares.kernel, delta)
        theirs: float | None = 0.0
        ours = 0.0
        for g in read:
            choice = choices[g]
            if not choice.draws:  # what was left to no chance is certain
                ours += certified(choice.factors, shares.largest[self._groups[g]])
                theirs = None
                continue
            total = float(self.sensitivities[g][choice.drawn_from].sum())
            ours += proven(choice.draws, total, shares.parts_seen, delta)
            if theirs is not None:
                theirs += published(choice.draws, total * factor)
        return theirs, ours

    def _errors(
        self, factors: NDArray[np.float64], batches: list[Tensor], name: str
    ) -> list[Errors]:
        errors = [Errors(s.layer, factors) for s in self._shares]
        self._traced.show(batches, {e.layer.name: e.see for e in errors}, name)
        return errors

    @torch.no_grad()
    def _output_error(self, model: nn.Module) -> float:
        difference = whole = 0.0
        for batch in self._batches:
            pairs = zip(_tensors(model(batch)), _tensors(self._dense(batch)), strict=True)
            for ours, dense in pairs:
                difference += float((ours - dense).double().square().sum())
                whole += float(dense.double().square().sum())
        return (difference / whole) ** 0.5 if whole else 0.0

    def _filter_norms(self, count: int) -> NDArray[np.float64]:
        """Sum up the L1 norms of the filters that make each atom."""
        norms = np.zeros(count)
        for uses_name, tensor_name, tensor, axes in self._traced.tensors():
            if tensor_name == "weight" and self._traced.uses[uses_name].mixes:
                lengths = tensor.detach().double().abs().flatten(1).sum(1).cpu().numpy()
                made = axes[0] != FIXED
                np.add.at(norms, axes[0][made], lengths[made])
        return norms


def prune(
    model: nn.Module,
    batches: Iterable[Any],
    budget: float,
    *,
    sampler: str = "deterministic",
    keep: str | Sequence[str] = (),
    delta: float = DELTA,
    multiple_of: int = 1,
    seed: int | np.random.Generator = 0,
    held_out: Iterable[Any] | None = None,
) -> Pruned:
    """Remove filters from a trained network, those that matter least to its layers.

    Provable filter pruning (Liebenwein et al. 2020). A filter's sensitivity is the largest
    share that its channel has in any output of the layers that read it, over a few batches
    of data. How many filters each layer keeps follows from one relative error for all.
    Filters whose outputs are added stay or go together.

    Parameters
    ----------
    model : Module
        Trained, and traceable by ``torch.fx``. It is not changed.
    batches : iterable
        A few batches to take sensitivities from: tensors, or tuples that begin with one.
    budget : float
        The share of all parameters that may stay, above 0 and up to 1.
    sampler : {"deterministic", "hybrid", "random", "uniform", "magnitude"}
        The most sensitive; the same, with the rest drawn at random; all drawn at random;
        and for comparison filters drawn without looking, or those of the largest L1 norm,
        the same share of each layer.
    keep : str or sequence of str
        Name patterns of layers whose filters all stay.
    delta : float
        Probability that a layer's error exceeds its bound.
    multiple_of : int
        What numbers of filters are to be multiples of: m, if n:m masks come next.
    seed : int or Generator
        For what is drawn.
    held_out : iterable, optional
        Further batches to measure errors on.

    Returns
    -------
    Pruned
        The smaller network, and a report. For other sizes of the same network, `Pruner`
        looks at the data only once.

    Raises
    ------
    InvalidInput
        As `Pruner`; also for a budget outside (0, 1] or too small for a filter in each
        layer.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(
    ...     nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
    ...     nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 10),
    ... )
    >>> pruned = prune(model, [torch.rand(16, 1, 4, 4)], budget=0.5)
    >>> pruned.model[3]
    Conv2d(8, 7, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    >>> pruned.report.share <= 0.5
    True
    >>> all(row.measured <= row.guaranteed for row in pruned.report.layers)
    True
    """
    pruner = Pruner(model, batches, keep=keep, delta=delta)
    return pruner.prune(
        budget, sampler=sampler, multiple_of=multiple_of, seed=seed, held_out=held_out
    )


def _tensors(output: Any) -> list[Tensor]:
    """Find the tensors that a network returns, whatever they are packed in."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        output = tuple(output.values())
    parts = output if isinstance(output, tuple | list) else ()
    return [tensor for part in parts for tensor in _tensors(part)]
