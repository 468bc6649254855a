"""What selects modules, and gives them patterns: by type, by name or by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from torch import nn

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.layouts import layouts_of
from masksolve.torch.names import names_of

__all__ = ["Patterns", "Select", "as_pattern_of", "as_predicate", "as_types"]

Select: TypeAlias = (
    type | str | Sequence[type] | Sequence[str] | Callable[[str, nn.Module], bool] | None
)
Patterns: TypeAlias = (
    Pattern
    | str
    | Mapping[str, Pattern | str | None]
    | Callable[[str, nn.Module], Pattern | str | None]
)


def as_pattern_of(
    patterns: Patterns, model: nn.Module
) -> Callable[[str, nn.Module], Pattern | str | None]:
    """Return a function that gives a module, by any of its names, its pattern."""
    if isinstance(patterns, Mapping):
        globs = {glob: p if p is None else Pattern.parse(p) for glob, p in patterns.items()}
        _refuse_idle(globs, model)
        names = names_of(model)

        def first_match(name: str, module: nn.Module) -> Pattern | None:
            known = names.get(module, [name])
            return next((p for glob, p in globs.items() if _fits(known, glob)), None)

        return first_match
    if callable(patterns):
        return patterns
    whole = Pattern.parse(patterns)
    return lambda name, module: whole


def as_predicate(select: Select, model: nn.Module) -> Callable[[str, nn.Module], bool]:
    """Return a function that tells whether a module, by any of its names, is selected."""
    if select is None:
        return lambda name, module: True
    names = names_of(model)
    if callable(select) and not isinstance(select, type | nn.Module):
        return lambda name, module: any(
            select(known, module) for known in names.get(module, [name])
        )
    if kinds := as_types(select):
        return lambda name, module: isinstance(module, kinds)
    several = [select] if isinstance(select, str) else select
    if isinstance(several, Sequence) and several:
        globs = [glob for glob in several if isinstance(glob, str)]
        if len(globs) == len(several):
            _refuse_idle(globs, model)
            return lambda name, module: any(
                _fits(names.get(module, [name]), glob) for glob in globs
            )
    raise InvalidInput(
        "select must be a type, a name pattern, several of either, or a function, "
        f"got {select!r:.60}"
    )


def as_types(select: Any) -> tuple[type, ...]:
    """Return the types, if it is types that are selected."""
    several = select if isinstance(select, list | tuple) else (select,)
    return tuple(several) if all(isinstance(kind, type) for kind in several) else ()


def _fits(names: Iterable[str], glob: str) -> bool:
    return any(fnmatchcase(name, glob) for name in names)


def _refuse_idle(globs: Iterable[str], model: nn.Module) -> None:
    """Refuse a name pattern that fits nothing: a slip would leave layers dense."""
    names = [name for name, module in model.named_modules(remove_duplicate=False)]
    for glob in globs:
        if not _fits(names, glob):
            known = [name for name, module in model.named_modules() if name and layouts_of(module)]
            there = ", ".join(known[:6]) + (", ..." if len(known) > 6 else "")
            raise InvalidInput(
                f"no module's name fits {glob!r}: the model has {there or 'no named layers'}"
            )
