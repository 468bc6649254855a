"""Weights that are pruned together: those that multiply the same input, in running order."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from masksolve.pattern import Pattern
from masksolve.torch._adaprune.calibration import Calibration
from masksolve.torch._adaprune.chain import Chain, Order, candidates
from masksolve.torch._adaprune.lines import Form
from masksolve.torch._adaprune.sources import (
    Biased,
    Call,
    Source,
    bias_of,
    callers_of,
    position_rows,
    sources_of,
)
from masksolve.torch.selection import Choice

__all__ = ["Feed", "Group", "Weight", "as_weights", "drop_ends", "trace"]


@dataclass(slots=True, eq=False)
class Weight:
    """A weight that is to be pruned.

    Attributes
    ----------
    name : str
    module : Module
        That holds it.
    caller : Module
        Whose calls bring its inputs: the same, if it is ever called.
    parameter : Parameter
    form : Form
    pattern : Pattern
    sources : list of Source
    bias : Biased or None
    place : int
        In the order in which the model runs.
    """

    name: str
    module: nn.Module
    caller: nn.Module
    parameter: nn.Parameter
    form: Form
    pattern: Pattern
    sources: list[Source]
    bias: Biased | None
    place: int = -1
    _before: tuple[Tensor, Tensor | None] | None = field(init=False, default=None)

    @property
    def dense(self) -> Tensor:
        """The parameter as it was to begin with."""
        return self.parameter.detach() if self._before is None else self._before[0]

    @property
    def biases(self) -> Tensor | None:
        """The dense biases of its lines, (parts, outputs)."""
        if self._before is not None:
            return self._before[1]
        return None if self.bias is None else self.bias.view(self.bias.parameter.detach())

    @torch.no_grad()
    def put(self, weight: Tensor, biases: Tensor | None) -> None:
        """Write a weight, and biases (parts, outputs), into the model."""
        if self._before is None:  # a copy only now: until then the model has them
            held = self.biases
            self._before = self.dense.clone(), None if held is None else held.clone()
        self.parameter.copy_(weight)
        if self.bias is not None and biases is not None:
            self.bias.view(self.bias.parameter.detach()).copy_(biases)

    def restore(self) -> None:
        """Write what was there to begin with."""
        if self._before is not None:
            self.put(self.dense, self.biases)


@dataclass(slots=True, eq=False)
class Feed:
    """Rows, and the parts of weights that multiply them.

    Attributes
    ----------
    pick, rows, key
        As in `Source`.
    users : list of (Weight, slice)
    """

    pick: Callable[[Call], Tensor]
    rows: Callable[[Tensor], Tensor]
    key: Hashable
    users: list[tuple[Weight, slice]]

    @property
    def name(self) -> str:
        """What to call it: the first weight that it is for."""
        return self.users[0][0].name

    def wide_rows(self, x: Tensor) -> Tensor:
        """Return the rows of an input in at least single precision."""
        return self.rows(x).to(torch.promote_types(x.dtype, torch.float32))

    def has(self, positions: Tensor | None, x: Tensor) -> bool:
        """Tell whether an input's rows are the positions that such a mask is about."""
        return (
            positions is not None and self.rows is position_rows and x.shape[:-1] == positions.shape
        )


@dataclass(slots=True, eq=False)
class Group:
    """Weights that have their input at the same moment.

    Attributes
    ----------
    caller : Module
        The call of which brings it.
    once : bool
        Whether that is one call a batch.
    weights : list of Weight
    feeds : list of Feed
    behind : int
        Links of the chain that have run when its inputs are there.
    """

    caller: nn.Module
    once: bool
    weights: list[Weight]
    feeds: list[Feed]
    behind: int = 0

    @property
    def bytes(self) -> int:
        """What the sums over its rows take."""
        return sum(
            8 * weight.form.features**2 * (parts.stop or weight.form.layout.parts)
            for feed in self.feeds
            for weight, parts in feed.users[:1]
        )


def as_weights(
    model: nn.Module, chosen: Sequence[Choice]
) -> tuple[list[Weight], list[tuple[str, str]]]:
    """Find out where chosen weights get their rows, and which of them nobody knows of."""
    callers = callers_of(model)
    weights: list[Weight] = []
    unknown: list[tuple[str, str]] = []
    for one in chosen:
        caller, sources = one.module, sources_of(one.module, one.tensor_name)
        if id(one.module) in callers:
            caller, source = callers[id(one.module)]
            sources = [source]
        if one.twins:
            shared = ", ".join(twin.name for twin in one.twins)
            unknown.append((one.name, f"{shared} has the same numbers, for other inputs"))
            continue
        if not sources:
            kind = type(one.module).__name__
            why = f"what a {kind} multiplies its {one.tensor_name} by is not known"
            unknown.append((one.name, why))
            continue
        parameter = one.module._parameters[one.tensor_name]
        form = Form(one.layout, tuple(parameter.shape))
        parts = one.layout.parts
        bias = bias_of(one.module, one.tensor_name, (parts, form.outputs // parts))
        weights.append(
            Weight(one.name, one.module, caller, parameter, form, one.pattern, sources, bias)
        )
    return weights, unknown


def trace(
    calibration: Calibration, weights: Sequence[Weight]
) -> tuple[list[Group], list[Weight], Chain]:
    """Run all batches once, to see which weights are used, and in which order.

    Returns
    -------
    groups : list of Group
        In the order in which their inputs are there.
    idle : list of Weight
        That no batch reaches.
    chain : list of Link
        The blocks that the model runs one after the other.

    Raises
    ------
    InvalidInput
        If there are no batches, or the model does not take one.
    """
    order = Order(candidates(calibration.model))
    seen = _Seen({weight.caller: _picker(weight) for weight in weights}, order.note)
    watchers = {module: partial(seen.see, module) for module in seen.picks}
    for number in range(len(calibration.batches)):
        seen.begin()
        order.begin()
        calibration.run(number, watchers, order.after)
    groups, idle = _grouped(weights, seen)
    chain, behind = order.chain()
    for group in groups:
        group.behind = min(behind[weight.caller] for weight in group.weights)
    return groups, idle, chain


class _Seen:
    """Which modules were called, in which order, how often, and with whose input.

    Parameters
    ----------
    picks : mapping of Module to callable or None
        Find the inputs that may be those of others, too.
    note : callable
        Gets every module that is called.

    Attributes
    ----------
    picks : mapping of Module to callable or None
    order : dict of Module to None
    most : dict of Module to int
        Calls in a batch.
    inputs : dict of Module to list
        For each call the module that had the same input first; None between batches.
    """

    def __init__(
        self,
        picks: Mapping[nn.Module, Callable[[Call], Tensor] | None],
        note: Callable[[nn.Module], None],
    ) -> None:
        self.picks = picks
        self._note = note
        self.order: dict[nn.Module, None] = {}
        self.most = dict.fromkeys(picks, 0)
        self.inputs: dict[nn.Module, list[nn.Module | None]] = {module: [] for module in picks}

    def begin(self) -> None:
        """Begin a batch."""
        self._calls = dict.fromkeys(self.picks, 0)
        self._owners: dict[int, tuple[nn.Module, weakref.ref[Tensor]]] = {}
        for inputs in self.inputs.values():
            inputs.append(None)

    def see(self, module: nn.Module, call: Call) -> None:
        """Note a call."""
        self.order.setdefault(module)
        self._note(module)
        self._calls[module] += 1
        self.most[module] = max(self.most[module], self._calls[module])
        pick = self.picks[module]
        if pick is not None:
            x = pick(call)
            owner, alive = self._owners.get(id(x), (module, weakref.ref(x)))
            if alive() is not x:  # its number was that of a tensor gone by now
                owner = module
            self._owners[id(x)] = owner, weakref.ref(x)
            self.inputs[module].append(owner)


def _picker(weight: Weight) -> Callable[[Call], Tensor] | None:
    """Return what finds a weight's input, if others may have the same."""
    source, *others = weight.sources
    return source.pick if source.key is not None and not others else None


def _grouped(weights: Sequence[Weight], seen: _Seen) -> tuple[list[Group], list[Weight]]:
    by_caller: dict[nn.Module, list[Weight]] = {}
    for weight in weights:
        by_caller.setdefault(weight.caller, []).append(weight)
    groups: list[Group] = []
    by_input: dict[tuple[nn.Module | None, ...], Group] = {}
    for caller in seen.order:
        for weight in by_caller.pop(caller):
            weight.place = len(weights) - sum(map(len, by_caller.values()))
            once = seen.most[caller] == 1
            group = Group(caller, once, [], [])
            # What is called several times has several inputs: no two need be alike.
            if once and _picker(weight) is not None:
                group = by_input.setdefault(tuple(seen.inputs[caller]), group)
            if not group.weights:
                groups.append(group)
            _join(group, weight)
    return groups, [weight for rest in by_caller.values() for weight in rest]


def _join(group: Group, weight: Weight) -> None:
    """Add a weight to those of a group; equal rows are made once."""
    group.weights.append(weight)
    for source in weight.sources:
        feed = next((f for f in group.feeds if f.key is not None and f.key == source.key), None)
        if feed is None:
            pick = group.feeds[0].pick if source.key is not None and group.feeds else source.pick
            feed = Feed(pick, source.rows, source.key, [])
            group.feeds.append(feed)
        feed.users.append((weight, source.parts))


def drop_ends(groups: list[Group]) -> list[tuple[str, str]]:
    """Take out the first and the last weight that the model runs; return them, and why."""
    weights = sorted((w for group in groups for w in group.weights), key=lambda w: w.place)
    ends = dict(zip(dict.fromkeys((weights[0], weights[-1])), ("first", "last"), strict=False))
    for group in groups:
        group.weights = [weight for weight in group.weights if weight not in ends]
        for feed in group.feeds:
            feed.users = [user for user in feed.users if user[0] not in ends]
        group.feeds = [feed for feed in group.feeds if feed.users]
    groups[:] = [group for group in groups if group.weights]
    return [
        (weight.name, f"it is the {which} that the model runs") for weight, which in ends.items()
    ]
