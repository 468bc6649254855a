"""Which modules get masks, and of which pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from torch import nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.layouts import Layout, layouts_of
from masksolve.torch.masked import Masked

__all__ = ["Choice", "Patterns", "Select", "choose"]

Select: TypeAlias = (
    type | tuple[type, ...] | str | Sequence[str] | Callable[[str, nn.Module], bool] | None
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
    not shared with another module. What `select` names must fit; sides need then only
    be as long as m.

    Raises
    ------
    InvalidInput
        If nothing is chosen, or what `select` names cannot have masks.
    """
    pattern_of, selects = _as_patterns(patterns), _as_predicate(select)
    owners = _owners(model)
    chosen: list[Choice] = []
    skipped: list[tuple[str, str]] = []
    for prefix, module in model.named_modules():
        layouts = layouts_of(module)
        if not selects(prefix, module):
            continue
        _refuse_unknown(prefix, module, select)
        wanted = pattern_of(prefix, module) if layouts else None
        if wanted is None:
            continue
        pattern = Pattern.parse(wanted)
        for tensor_name, layout in layouts.items():
            name = f"{prefix}.{tensor_name}".lstrip(".")
            why = _obstacle(module, tensor_name, owners)
            if why is None:
                sides = layout.sides(tuple(getattr(module, tensor_name).shape))
                why = _misfit(sides, pattern, whole=select is None)
            if why is None and select is None and isinstance(module, LOOKUPS):
                why = "an embedding is a lookup, not a product"
            if why is None:
                chosen.append(Choice(name, module, tensor_name, layout, pattern))
            elif select is None:
                skipped.append((name, why))
            else:
                raise InvalidInput(f"{name} cannot have {pattern} masks: {why}")
    if not chosen:
        raise InvalidInput(_nothing(model, skipped))
    return chosen, skipped


def _as_patterns(
    patterns: Patterns,
) -> Callable[[str, nn.Module], Pattern | str | None]:
    if isinstance(patterns, Mapping):
        globs = {glob: p if p is None else Pattern.parse(p) for glob, p in patterns.items()}

        def first_match(name: str, module: nn.Module) -> Pattern | None:
            return next((p for glob, p in globs.items() if fnmatchcase(name, glob)), None)

        return first_match
    if callable(patterns):
        return patterns
    whole = Pattern.parse(patterns)
    return lambda name, module: whole


def _as_predicate(select: Select) -> Callable[[str, nn.Module], bool]:
    if select is None:
        return lambda name, module: True
    if isinstance(select, type) or (
        isinstance(select, tuple) and select and all(isinstance(kind, type) for kind in select)
    ):
        kinds = select
        return lambda name, module: isinstance(module, kinds)
    if callable(select):
        return select
    globs = [select] if isinstance(select, str) else list(select)
    if globs and all(isinstance(glob, str) for glob in globs):
        return lambda name, module: any(fnmatchcase(name, str(glob)) for glob in globs)
    raise InvalidInput(
        f"select must be a type, types, a name pattern, name patterns or a function, "
        f"got {select!r}"
    )


def _refuse_unknown(name: str, module: nn.Module, select: Select) -> None:
    """Refuse what was meant by name or type but never has masks."""
    kind = type(module)
    if "quantized" in kind.__module__ and select is not None:
        raise InvalidInput(
            f"{name} is quantised ({kind.__module__}.{kind.__name__}): sparsify before "
            "quantisation"
        )
    if isinstance(module, nn.RNNBase) and select is not None:
        raise InvalidInput(
            f"{name} is an {kind.__name__}, which keeps its weights in a list that masks "
            f"would not reach: use {kind.__name__}Cell"
        )


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
    if parameter.is_quantized or not parameter.dtype.is_floating_point:
        return f"it is quantised ({parameter.dtype})"
    return None


def _misfit(sides: tuple[int, int], pattern: Pattern, *, whole: bool) -> str | None:
    shown, m = f"its matrix is {sides[0]} x {sides[1]}", pattern.m
    checked = sides if pattern.transposable else sides[1:]
    if min(checked) < m:
        return f"{shown}, narrower than {m}"
    if whole and any(side % m for side in checked):
        return f"{shown}, no multiple of {m}"
    return None


def _nothing(model: nn.Module, skipped: Sequence[tuple[str, str]]) -> str:
    there = Counter(type(module).__name__ for module in _leaves(model))
    what = ", ".join(f"{number} {kind}" for kind, number in there.most_common()) or "nothing"
    why = "".join(f"; {name}: {reason}" for name, reason in skipped[:3])
    return f"no module of {type(model).__name__} gets a mask: it has {what}{why}"


def _leaves(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if not any(module.children()))
