"""Follow channels through a network, operation by operation, by ``torch.fx``.

Beside every tensor goes which axis counts channels, and the numbers of these channels.
What only moves numbers about - flatten, view, permute, concatenation - is run on a tensor
of the channels' numbers to see where they end up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from inspect import Parameter, signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from masksolve.errors import InvalidInput
from masksolve.torch.filters import operations
from masksolve.torch.filters.modules import CHANNELWISE, MIXING, follow_module, is_plain
from masksolve.torch.filters.operations import Flow, Obstacle, operation
from masksolve.torch.filters.ties import FIXED, Ties
from masksolve.torch.filters.traced import TracedModel, Uses, going_through

__all__ = ["follow"]

UNKNOWN = "mixes channels, or moves them in a way that is not known"


def follow(model: nn.Module, batch: Tensor, keep: Sequence[str] = ()) -> TracedModel:
    """Find out which channels of a model belong together.

    Parameters
    ----------
    model : Module
        In evaluation mode.
    batch : Tensor
        Of inputs; two are enough.
    keep : sequence of str
        Name patterns of layers whose filters stay.

    Raises
    ------
    InvalidInput
        If the model cannot be traced, the batch does not fit, or an operation moves or
        mixes channels in a way that cannot be followed, naming its node.
    """
    graph = _trace(model)
    walk = _Walk(graph, keep)
    with going_through(batch, "batches[0]"), torch.no_grad():
        walk.run(batch[:2])
    unused = [pattern for pattern in keep if pattern not in walk.matched]
    if unused:
        raise InvalidInput(
            f"keep: no linear layer or convolution of the model is called {unused[0]!r}"
        )
    atoms = walk.ties.atoms()
    makers = [walk.ties.made_by(np.flatnonzero(np.isin(atoms.of_channel, g))) for g in atoms.groups]
    return TracedModel(model, graph, walk.uses, atoms, makers)


def _trace(model: nn.Module) -> fx.GraphModule:
    try:
        defaults = {
            name: p.default
            for name, p in signature(model.forward).parameters.items()
            if p.default is not Parameter.empty
        }
        return fx.symbolic_trace(model, concrete_args=defaults or None)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise InvalidInput(
            f"{type(model).__name__} cannot be traced by torch.fx: {reason}"
        ) from error


class _Walk(fx.Interpreter):
    """Runs a traced model, and notes the channels of every tensor."""

    def __init__(self, graph: fx.GraphModule, keep: Sequence[str]) -> None:
        super().__init__(graph)
        self.ties = Ties()
        self.uses: dict[str, Uses] = {}
        self.matched: set[str] = set()
        self._keep = keep
        self._flows: dict[fx.Node, Flow] = {}
        self._feeding = _feeding(graph)

    def run_node(self, node: fx.Node) -> Any:
        result = super().run_node(node)
        flow = self._follow(node, result)
        if flow is not None and (flow.ids != FIXED).any():
            self._flows[node] = flow
        return result

    def _follow(self, node: fx.Node, result: Any) -> Flow | None:
        inputs = [self._flows[n] for n in node.all_input_nodes if n in self._flows]
        if node.op == "output":
            for flow in inputs:
                self.ties.pin(flow.ids)
            return None
        module = self.submodules.get(node.target) if node.op == "call_module" else None
        if module is not None and isinstance(module, (*MIXING, *CHANNELWISE)):
            return self._module(node, module, inputs, result)
        if not inputs or not _holds_tensors(result):
            return None
        try:
            return self._operation(node, module, result)
        except Obstacle as obstacle:
            self._refuse(node, inputs, str(obstacle))
            return None

    def _operation(self, node: fx.Node, module: nn.Module | None, result: Any) -> Flow:
        """Follow what has no channels of its own."""
        name = operation(node)
        if module is not None:
            if isinstance(module, nn.Flatten):
                return operations.move(self._labelled(node), module, result, ())
            if is_plain(module):
                return operations.stay(self._flows[node.all_input_nodes[0]], result)
            raise Obstacle(UNKNOWN)
        if name in operations.MOVING:
            call = node.target if node.op == "call_function" else _method(node.target)
            sizes = node.args[1:] if name in ("view", "reshape") else ()
            return operations.move(self._labelled(node), call, result, sizes)
        if name in operations.BINARY:
            tensors = [
                (self._flows.get(n), self.env[n])
                for n in (*node.args, *node.kwargs.values())
                if isinstance(n, fx.Node) and isinstance(self.env[n], Tensor)
            ]
            return operations.combine(tensors, self.ties)
        if len([n for n in node.all_input_nodes if isinstance(self.env[n], Tensor)]) == 1:
            first = node.all_input_nodes[0]
            if name in operations.REDUCING:
                return operations.reduce(self._flows[first], node, self.env[first], result)
            if name in operations.ELEMENTWISE:
                return operations.stay(self._flows[first], result)
        raise Obstacle(UNKNOWN)

    def _labelled(self, node: fx.Node) -> tuple[Any, Any]:
        """Return a node's arguments, with channels' numbers in place of tensors."""

        def put(n: fx.Node) -> Any:
            value = self.env[n]
            if not isinstance(value, Tensor):
                return value
            flow = self._flows.get(n)
            return torch.full(value.shape, FIXED) if flow is None else flow.spread(value.shape)

        return fx.map_arg(node.args, put), fx.map_arg(node.kwargs, put)

    def _module(self, node: fx.Node, module: nn.Module, inputs: list[Flow], result: Tensor) -> Flow:
        name, axis = str(node.target), result.ndim - 1 if isinstance(module, nn.Linear) else 1
        flow = inputs[0] if inputs else None
        if flow is not None and flow.axis != axis:
            self._refuse(node, inputs, f"takes axis {flow.axis} for something else")
            flow = None
        first = name not in self.uses
        uses = follow_module(module, flow, self.ties, name)
        if not first:  # called once more: it has but one set of filters
            known = self.uses[name]
            self.ties.tie(known.inputs, uses.inputs)
            self.ties.tie(known.outputs, uses.outputs)
            uses = known
        self.uses[name] = uses
        fitting = [pattern for pattern in self._keep if fnmatchcase(name, pattern)]
        if fitting:
            self.matched.update(fitting)
            self.ties.pin(uses.outputs)
        return Flow(uses.outputs, axis)

    def _refuse(self, node: fx.Node, inputs: list[Flow], why: str) -> None:
        """Refuse channels that may be pruned; what leads to no further layer just stays."""
        for flow in inputs:
            free = flow.ids[flow.ids != FIXED]
            settled = self.ties.atoms().of(free)
            if node in self._feeding and (settled != FIXED).any():
                layers = self.ties.made_by(free[settled != FIXED])
                raise InvalidInput(
                    f"channels of {', '.join(layers[:3])} cannot be tied at node "
                    f"{node.name!r} ({_spell(node, self.submodules)}), which {why}: "
                    f"name such layers in keep, to leave their filters alone"
                )
            self.ties.pin(flow.ids)


def _feeding(graph: fx.GraphModule) -> set[fx.Node]:
    """Find the nodes from which a linear layer or convolution is reached."""
    found: set[fx.Node] = set()

    def feeds(node: fx.Node) -> bool:
        if node.op == "call_module" and isinstance(graph.get_submodule(node.target), MIXING):
            return True
        return node in found

    for node in reversed(graph.graph.nodes):
        if any(map(feeds, node.users)):
            found.add(node)
    return found


def _method(name: Any) -> Callable[..., Any]:
    return lambda tensor, *args, **kwargs: getattr(tensor, name)(*args, **kwargs)


def _holds_tensors(result: Any) -> bool:
    if isinstance(result, tuple | list):
        return any(map(_holds_tensors, result))
    return isinstance(result, Tensor)


def _spell(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "call_module":
        return f"{type(modules[str(node.target)]).__name__} {node.target!r}"
    return operation(node)
