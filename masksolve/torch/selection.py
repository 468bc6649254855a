"""Which modules get masks, and of which pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrize import type_before_parametrizations

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.layouts import Layout, layouts_of
from masksolve.torch.masked import Masked

__all__ = ["Choice", "Patterns", "Select", "as_predicate", "choose"]

Select: TypeAlias = (
    type | str | Sequence[type] | Sequence[str] | Callable[[str, nn.Module], bool] | None
)
Patterns: TypeAlias = (
    Pattern
    | str
    | Mapping[str, Pattern | str | None]
    | Callable[[str, nn.Module], Pattern | str | None]
)

LOOKUPS = (nn.Embedding, nn.EmbeddingBag)


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter that is to get a mask."""

    name: str
    """Its full name, ``"encoder.fc1.weight"``."""
    module: nn.Module
    tensor_name: str
    layout: Layout
    pattern: Pattern


def choose(
    model: nn.Module, patterns: Patterns, select: Select
) -> tuple[list[Choice], list[tuple[str, str]]]:
    """Choose parameters of a model, and say which were passed over and why.

    Without `select` these are all that a sparse product could run: of linear layers,
    convolutions, attention and recurrent cells, with sides that are multiples of m, and
    not shared with another module. With it sides need only be as long as m, and what it
    asks for by name or function must fit.

    Raises
    ------
    InvalidInput
        If nothing is chosen, if what was asked for by name or function cannot have masks,
        or if a name pattern fits nothing.
    """
    pattern_of, selects = _as_patterns(patterns, model), as_predicate(select, model)
    owners = _owners(model)
    chosen: list[Choice] = []
    skipped: list[tuple[str, str]] = []
    plain: list[str] = []  # with a matrix, and no pattern for it
    strict = not (select is None or _types(select))

    def pass_over(name: str, why: str, what: str = "masks") -> None:
        if strict:
            raise InvalidInput(f"{name} cannot have {what}: {why}")
        skipped.append((name, why))

    for prefix, module in model.named_modules():
        if not selects(prefix, module):
            continue
        out_of_reach = _out_of_reach(module)
        if out_of_reach is not None:
            pass_over(prefix or type(module).__name__, out_of_reach)
            continue
        layouts = layouts_of(module)
        wanted = pattern_of(prefix, module) if layouts else None
        if wanted is None:
            plain += [prefix or type(module).__name__] if layouts else []
            continue
        pattern = Pattern.parse(wanted)
        for tensor_name, layout in layouts.items():
            name = f"{prefix}.{tensor_name}".lstrip(".")
            why = _obstacle(module, tensor_name, owners)
            if why is None and select is None and isinstance(module, LOOKUPS):
                why = "an embedding is a lookup, not a product"
            if why is None:
                sides = layout.sides(tuple(getattr(module, tensor_name).shape))
                why = _misfit(sides, pattern, whole=select is None)
            if why is None:
                chosen.append(Choice(name, module, tensor_name, layout, pattern))
            else:
                pass_over(name, why, f"{pattern} masks")
    if not chosen:
        taken = None if select is None else [m for k, m in model.named_modules() if selects(k, m)]
        raise InvalidInput(_nothing(model, taken, skipped, plain))
    return chosen, skipped


def _as_patterns(
    patterns: Patterns, model: nn.Module
) -> Callable[[str, nn.Module], Pattern | str | None]:
    if isinstance(patterns, Mapping):
        globs = {glob: p if p is None else Pattern.parse(p) for glob, p in patterns.items()}
        _refuse_idle(globs, model)

        def first_match(name: str, module: nn.Module) -> Pattern | None:
            return next((p for glob, p in globs.items() if fnmatchcase(name, glob)), None)

        return first_match
    if callable(patterns):
        return patterns
    whole = Pattern.parse(patterns)
    return lambda name, module: whole


def as_predicate(select: Select, model: nn.Module) -> Callable[[str, nn.Module], bool]:
    """Return a function that tells whether a module, by its name, is selected."""
    if select is None:
        return lambda name, module: True
    if callable(select) and not isinstance(select, type | nn.Module):
        return select
    if kinds := _types(select):
        return lambda name, module: isinstance(module, kinds)
    several = [select] if isinstance(select, str) else select
    if isinstance(several, Sequence) and several:
        globs = [glob for glob in several if isinstance(glob, str)]
        if len(globs) == len(several):
            _refuse_idle(globs, model)
            return lambda name, module: any(fnmatchcase(name, glob) for glob in globs)
    raise InvalidInput(
        "select must be a type, a name pattern, several of either, or a function, "
        f"got {select!r:.60}"
    )


def _types(select: Any) -> tuple[type, ...]:
    """Return the types, if it is types that are selected."""
    several = select if isinstance(select, list | tuple) else (select,)
    return tuple(several) if all(isinstance(kind, type) for kind in several) else ()


def _refuse_idle(globs: Iterable[str], model: nn.Module) -> None:
    """Refuse a name pattern that fits nothing: a slip would leave layers dense."""
    names = [name for name, module in model.named_modules()]
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            known = [name for name, module in model.named_modules() if name and layouts_of(module)]
            there = ", ".join(known[:6]) + (", ..." if len(known) > 6 else "")
            raise InvalidInput(
                f"no module's name fits {glob!r}: the model has {there or 'no named layers'}"
            )


def _out_of_reach(module: nn.Module) -> str | None:
    """Tell why a kind of module never has masks, although it holds matrices."""
    kind = type(module)
    if ".quantized." in kind.__module__ and callable(getattr(module, "weight", None)):
        return "it is quantised; sparsify before quantisation"
    if isinstance(module, nn.RNNBase):
        return (
            "it keeps its weights in a list that a parametrization does not reach; "
            f"use {kind.__name__}Cell"
        )
    return None


def _owners(model: nn.Module) -> dict[int, list[str]]:
    """Tell under which names each parameter is found."""
    owners: dict[int, list[str]] = {}
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(f"{prefix}.{name}".lstrip("."))
    return owners


def _obstacle(module: nn.Module, name: str, owners: Mapping[int, list[str]]) -> str | None:
    if parametrize.is_parametrized(module, name):
        other = module.parametrizations[name][-1]
        if isinstance(other, Masked):
            return f"it has {other.pattern} masks already"
        return f"it has a parametrization already, {type(other).__name__}"
    parameter = module._parameters.get(name)
    if parameter is None:
        return "it is no parameter (torch.nn.utils.prune leaves it so, for one)"
    if isinstance(parameter, nn.parameter.UninitializedParameter):
        return "it has no shape yet: run the model once first"
    shared = owners[id(parameter)]
    if len(shared) > 1:
        return f"it is one parameter under several names: {', '.join(shared)}"
    if parameter.device.type == "meta":
        return "it is on the meta device, without data: load weights first"
    dtype = parameter.dtype
    if dtype.is_complex:
        return "it is complex"
    if parameter.is_quantized or not dtype.is_floating_point or dtype.itemsize == 1:
        return f"it is quantised ({dtype})"
    return None


def _misfit(sides: tuple[int, int], pattern: Pattern, *, whole: bool) -> str | None:
    shown, m = f"its matrix is {sides[0]} x {sides[1]}", pattern.m
    checked = sides if pattern.transposable else sides[1:]
    if min(checked) < m:
        return f"{shown}, narrower than {m}"
    if whole and any(side % m for side in checked):
        return f"{shown}, no multiple of {m}"
    return None


def _nothing(
    model: nn.Module,
    taken: Sequence[nn.Module] | None,
    skipped: Sequence[tuple[str, str]],
    plain: Sequence[str],
) -> str:
    said = f"no module of {type(model).__name__} gets a mask: it has {_counted(_leaves(model))}"
    if taken is not None:
        said += f", of which select takes {_counted(taken)}"
    said += "".join(f"; {name}: {reason}" for name, reason in skipped[:3])
    return said + "".join(f"; no pattern is given for {name}" for name in plain[:3])


def _counted(modules: Iterable[nn.Module]) -> str:
    kinds = Counter(type_before_parametrizations(module).__name__ for module in modules)
    return ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()) or "nothing"


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """Go through what a model is made of, without the innards of layers."""
    children = list(module.children())
    if not children or layouts_of(module) or _out_of_reach(module):
        yield module
        return
    for child in children:
        yield from _leaves(child)
