"""Which parameters get masks, and of which pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import ParametrizationList, type_before_parametrizations

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.roles import misfit
from masksolve.torch.layouts import Layout, layouts_of
from masksolve.torch.names import Memory, Place, join, own_tensors
from masksolve.torch.selectors import Patterns, Select, as_pattern_of, as_predicate, as_types
from masksolve.torch.unfit import Purposes, obstacle, out_of_reach, sharing

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that is to get a mask."""

    name: str
    """Its full name, ``"encoder.fc1.weight"``."""
    module: nn.Module
    tensor_name: str
    layout: Layout
    pattern: Pattern
    twins: tuple[Place, ...] = ()
    """Where else the same numbers are held: what is masked here is so there."""


def choose(
    model: nn.Module, patterns: Patterns, select: Select
) -> tuple[list[Choice], list[tuple[str, str]]]:
    """Choose parameters of a model, and say which were passed over and why.

    Without `select` these are all matrices that a sparse product could run: of linear layers,
    convolutions, attention, recurrent cells and stacked experts, with sides that are multiples
    of m; no embeddings, output heads, routers or tables, and nothing that shares memory with
    what is no such matrix. With `select` anything goes whose layout is known and whose sides
    are as long as m, and what it asks for by name or function must fit. A parameter that is
    shared gets one mask for all.

    Every parameter of two or more dimensions that `select` takes and that gets no mask is
    among those that were passed over.

    Raises
    ------
    InvalidInput
        If nothing is chosen, if what was asked for by name or function cannot have masks,
        if a name pattern fits nothing, or a layout would run across experts.
    """
    pattern_of, selects = as_pattern_of(patterns, model), as_predicate(select, model)
    chooser = _Chooser(model, select)
    for prefix, module in model.named_modules():
        if isinstance(module, ParametrizationList) or not selects(prefix, module):
            continue
        why = out_of_reach(module)
        if why is not None:
            chooser.pass_over_all(prefix, module, why)
            continue
        layouts = layouts_of(module)
        wanted = pattern_of(prefix, module) if layouts else None
        pattern = None if wanted is None else Pattern.parse(wanted)
        for tensor_name, layout in layouts.items():
            place = Place(join(prefix, tensor_name), module, tensor_name)
            chooser.consider(place, layout, pattern)
        for tensor_name, tensor in own_tensors(module):
            if not _is_of(tensor_name, layouts):
                chooser.list_bare(Place(join(prefix, tensor_name), module, tensor_name), tensor)
    if not chooser.chosen:
        taken = None if select is None else [m for k, m in model.named_modules() if selects(k, m)]
        raise InvalidInput(_nothing(model, taken, chooser.skipped))
    return chooser.chosen, chooser.skipped


class _Chooser:
    """Takes parameters or passes them over.

    Attributes
    ----------
    chosen : list of Choice
    skipped : list of (str, str)
    """

    def __init__(self, model: nn.Module, select: Select) -> None:
        self.chosen: list[Choice] = []
        self.skipped: list[tuple[str, str]] = []
        self._default = select is None
        self._strict = not (select is None or as_types(select))
        self._purposes, self._memory = Purposes(model), Memory(model)
        self._taken: set[int] = set()

    def pass_over(self, name: str, why: str, what: str) -> None:
        """Name what gets no mask, or refuse it if just that was asked for."""
        if self._strict:
            raise InvalidInput(f"{name} cannot have {what}: {why}")
        self.skipped.append((name, why))

    def pass_over_all(self, prefix: str, module: nn.Module, why: str) -> None:
        """Name all matrices of a module, or refuse the module if just that was asked for."""
        shown = prefix or type(module).__name__
        held = [join(prefix, name) for name, tensor in own_tensors(module) if tensor.ndim > 1]
        for name in [shown] if self._strict or not held else held:
            self.pass_over(name, why, "masks")

    def consider(self, place: Place, layout: Layout, pattern: Pattern | None) -> None:
        """Take a parameter whose layout is known, if nothing speaks against it."""
        if pattern is None:
            self.skipped.append((place.name, "no pattern is given for it"))
            return
        twins: list[Place] = []
        why = obstacle(place.module, place.tensor_name)
        if why is None:
            parameter = place.module._parameters[place.tensor_name]
            assert parameter is not None  # else that were the obstacle
            if id(parameter) in self._taken:
                return  # by another of its names
            twins = [twin for twin in self._memory.twins(parameter) if twin != place]
            fine = self._strict or all(self._is_alike(twin, layout) for twin in twins)
            why = sharing(place, parameter, self._memory, whole=fine)
            why = why or self._unfit(place, parameter, layout, pattern)
        if why is not None:
            self.pass_over(place.name, why, f"{pattern} masks")
            return
        held = (place.module, place.tensor_name)
        self.chosen.append(Choice(place.name, *held, layout, pattern, tuple(twins)))
        self._taken |= {id(at.module._parameters[at.tensor_name]) for at in (place, *twins)}

    def _is_alike(self, twin: Place, layout: Layout) -> bool:
        """Tell whether a parameter is the matrix of a product where it is held, too."""
        if layouts_of(twin.module).get(twin.tensor_name) != layout:
            return False
        tensor = twin.module._parameters[twin.tensor_name]
        assert tensor is not None
        return self._purposes.against(twin.name, twin.module, tensor, known=True) is None

    def _unfit(
        self, place: Place, parameter: nn.Parameter, layout: Layout, pattern: Pattern
    ) -> str | None:
        shape = tuple(parameter.shape)
        _refuse_across(place, layout, shape)
        why = None
        if self._default:
            why = self._purposes.against(place.name, place.module, parameter, known=True)
        return why or misfit(layout.sides(shape), pattern, whole=self._default)

    def list_bare(self, place: Place, tensor: Tensor) -> None:
        """Name a parameter that no layout is known for, if it could hold a matrix."""
        if isinstance(tensor, UninitializedParameter) or tensor.ndim < 2:
            return
        kind = type_before_parametrizations(place.module).__name__
        why = self._purposes.against(place.name, place.module, tensor, known=False) or (
            f"no layout is known for the {place.tensor_name} of {kind}: "
            "tell it by masksolve.torch.register_layout"
        )
        self.skipped.append((place.name, why))


def _is_of(name: str, layouts: Iterable[str]) -> bool:
    """Tell a parameter of known layout, or what torch.nn.utils.weight_norm made of one."""
    return name in layouts or (name.endswith(("_g", "_v")) and name[:-2] in layouts)


def _refuse_across(place: Place, layout: Layout, shape: tuple[int, ...]) -> None:
    """Refuse axes that the shape has not, and `Layout()` for what may be a stack."""
    shown = " x ".join(map(str, shape))
    if max(layout.axes) >= len(shape):
        raise InvalidInput(
            f"{place.name} is {shown}: it has no axes {layout.axes[0]} and {layout.axes[1]}, "
            "as its layout says"
        )
    if len(shape) > 2 and layout == Layout() and not hasattr(place.module, "kernel_size"):
        raise InvalidInput(
            f"{place.name} is {shown}, and Layout() takes its first two axes: if it stacks "
            "experts, that is across them. Say Layout((1, 2)) for outputs x inputs, or "
            "Layout((2, 1)) for inputs x outputs; a convolution of your own needs a kernel_size"
        )


def _nothing(
    model: nn.Module, taken: Sequence[nn.Module] | None, skipped: Sequence[tuple[str, str]]
) -> str:
    said = f"no module of {type(model).__name__} gets a mask: it has {_counted(_leaves(model))}"
    if taken is not None:
        said += f", of which select takes {_counted(taken)}"
    return said + "".join(f"; {name}: {reason}" for name, reason in skipped[:3])


def _counted(modules: Iterable[nn.Module]) -> str:
    kinds = Counter(type_before_parametrizations(module).__name__ for module in modules)
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()) or "nothing"


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """Go through what a model is made of, without the innards of layers."""
    children = list(module.children())
    if not children or layouts_of(module) or out_of_reach(module):
        yield module
        return
    for child in children:
        yield from _leaves(child)
