"""Which tensors of a file or a checkpoint to work on, and which axes are the matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol

from masksolve.checkpoints.axes import Axes, AxesByName
from masksolve.checkpoints.names import alike, brief, check_names, matches_any, some
from masksolve.errors import InvalidInput, about
from masksolve.inputs import as_axes
from masksolve.layout import Layout
from masksolve.pattern import Pattern
from masksolve.quantised import Quantised
from masksolve.roles import Facts, Verdict, judge, misfit
from masksolve.storage.tensors import TensorSpec, describe_dtype

__all__ = ["Choice", "Tensors", "choose_tensors"]


EXCLUDED = "it is excluded"
NOT_ASKED = "it was not asked for"
WISHES = (EXCLUDED, NOT_ASKED)
FLAT = "it has fewer than two dimensions"
OF_CODES = "it belongs to a quantised weight: a scale, a zero point or the like"
NOTHING = Quantised()


class Tensors(Protocol):
    """What holds tensors: a file, or a checkpoint."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    @property
    def tensors(self) -> Mapping[str, TensorSpec]:
        """All of them by name."""
        ...


@dataclass(frozen=True)
class Choice:
    """The tensors to work on, and the others.

    Attributes
    ----------
    axes : dict of str to tuple of int
        The (output, input) axes of each one's matrix, counted from 0.
    skipped : list of (str, str)
        The others by name, those of less than two dimensions too, and why.
    share : float
        Entries of the chosen ones among those of all float tensors.
    facts : Facts
        What the configuration tells.
    quantised : Quantised
        Which tensors are codes, and of what weights.
    """

    axes: dict[str, tuple[int, int]]
    skipped: list[tuple[str, str]]
    share: float
    facts: Facts
    quantised: Quantised = NOTHING

    def reasons(self) -> list[tuple[str, int]]:
        """Count those that nobody said to skip by reason, most frequent first."""
        return Counter(why for _, why in self.skipped if why not in WISHES).most_common()


def choose_tensors(
    source: Tensors,
    wanted: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    axes: Axes | AxesByName = None,
    *,
    patterns: Sequence[Pattern] = (),
    masks: bool = False,
    facts: Facts | None = None,
    quantised: Quantised = NOTHING,
) -> Choice:
    """Choose the tensors to work on, and say which axes are each one's matrix.

    By default these are the matrices of products, as far as names, shapes and config.json
    beside the file tell, whose sides fit one of the patterns. What is wanted may be any
    tensor by its name in full, and any float one of two dimensions or more by a pattern.

    Parameters
    ----------
    source : Tensors
    wanted, exclude : sequence of str
        Names, or patterns of names.
    axes : tuple of int, mapping, AxesByName or None
        Default: as `judge` says.
    patterns : sequence of Pattern
        That the tensors are for; none: their sides do not matter.
    masks : bool
        Whether tensors may be masks: then those of any dtype count, and those of no
        floats whatever their names mean.
    facts : Facts, optional
        Default: of config.json in the folder, or beside the file.
    quantised : Quantised
        What `recognise` makes of the files: weights that are codes are judged as what they
        stand for, and what belongs to them is never chosen.

    Raises
    ------
    InvalidInput
        If nothing is chosen, if a name means nothing, if it is not known which axes are
        the matrix of what was asked for, or if a scale does not fit a chosen weight.
    """
    tensors, given = source.tensors, AxesByName.of(axes)
    check_names(source.path, tensors, wanted)
    given.check(source.path, tensors)
    facts, named = facts or Facts.read(source.path), list(wanted or ())
    chosen: dict[str, tuple[int, int]] = {}
    skipped = []
    names = {quantised.weight(name) for name in tensors}
    seen = {name: quantised.seen(spec) for name, spec in tensors.items()}
    for name, spec in seen.items():
        verdict, pair = _judge(spec, facts, names, quantised), given.get(name)
        usual = not named and (spec.floating or not masks)
        why = _unwanted(spec, named, exclude) or _made_of_codes(source.path, name, quantised, named)
        why = why or _unfit(spec, named, masks) or (verdict.why if usual else None)
        if why is None:
            why = _obstacle(spec, verdict, pair, patterns)
            if why is not None and named:
                raise InvalidInput(f"{source.path}: tensor {brief(name)!r}: {why}")
        if why is None:
            with about(f"{source.path}: tensor {brief(name)!r}"):
                pair = as_axes(pair or _axes(spec, verdict), len(spec.shape), "weights")
            why = _misfit(spec, verdict, pair, patterns) if usual else None
        if why is None and pair is not None:
            chosen[name] = pair
        elif why is not None:
            skipped.append((name, why))
    if not chosen:
        raise InvalidInput(_nothing(source.path, tensors, named, skipped, masks))
    size = sum(prod(seen[name].shape) for name in chosen)
    whole = sum(
        prod(spec.shape)
        for name, spec in seen.items()
        if (spec.floating or masks) and name not in quantised.companions
    )
    return Choice(chosen, skipped, size / whole if whole else 0.0, facts, quantised)


def _judge(spec: TensorSpec, facts: Facts, names: Set[str], quantised: Quantised) -> Verdict:
    """Judge a tensor as the weights that it stands for."""
    found = quantised.weights.get(spec.name)
    if found is None or found.coding is None or found.coding.axes is None:
        return judge(quantised.weight(spec.name), spec.shape, facts, names)
    outputs, inputs = axes = found.coding.axes
    shape = (*spec.shape[:-2], spec.shape[outputs], spec.shape[inputs])
    verdict = judge(found.weight, shape, facts, names)
    parts = verdict.layout.parts if verdict.layout is not None and outputs == 0 else 1
    return Verdict(Layout(axes, parts), verdict.why, regrouped=verdict.regrouped)


def _unwanted(spec: TensorSpec, named: Sequence[str], exclude: Sequence[str]) -> str | None:
    """Say that nobody asked for a tensor."""
    if matches_any(spec.name, exclude):
        return EXCLUDED
    if named and not matches_any(spec.name, named):
        return NOT_ASKED
    return None


def _made_of_codes(path: Path, name: str, quantised: Quantised, named: Sequence[str]) -> str | None:
    """Say what a tensor is that belongs to quantised weights and can have no mask.

    Raises
    ------
    InvalidInput
        If just it was asked for, or for a scale that does not fit its weight.
    """
    found = quantised.weights.get(name)
    if name in named or (found is not None and found.wrong is not None):
        quantised.refuse(path, name)
    if name in quantised.companions:
        return OF_CODES
    return None if found is None else found.why


def _unfit(spec: TensorSpec, named: Sequence[str], masks: bool) -> str | None:
    """Say why a tensor is out of the question, whatever its name means."""
    if spec.name in named:
        return None
    if len(spec.shape) < 2:
        return FLAT
    if not (spec.floating or masks):
        return f"its dtype is {describe_dtype(spec.dtype)}, no float that can be read"
    return None


def _axes(spec: TensorSpec, verdict: Verdict) -> tuple[int, int] | None:
    if verdict.layout is not None:
        return verdict.layout.axes
    return (-2, -1) if len(spec.shape) <= 2 else None


def _obstacle(
    spec: TensorSpec, verdict: Verdict, given: tuple[int, int] | None, patterns: Sequence[Pattern]
) -> str | None:
    """Say why masks would be none where the weights are used, even if they were asked for."""
    if given is None and _axes(spec, verdict) is None:
        return (
            f"it has {len(spec.shape)} dimensions: say which two are the matrix, outputs and "
            f"inputs, as in --axes '{brief(alike(spec.name))}=0,1'"
        )
    if given is None and verdict.unsure and not all(p.transposable for p in patterns):
        return (
            "which of its axes are inputs is not known, and plain masks run along them: say "
            f"so, as in --axes '{brief(alike(spec.name))}=1,2'"
        )
    if verdict.regrouped is not None and any(p.transposable for p in patterns):
        return verdict.regrouped
    return None


def _misfit(
    spec: TensorSpec, verdict: Verdict, axes: tuple[int, int], patterns: Sequence[Pattern]
) -> str | None:
    """Say why the tensor fits none of the patterns."""
    parts = verdict.layout.parts if verdict.layout and verdict.layout.axes == axes else 1
    sides = Layout(axes, parts).sides(spec.shape)
    found = [misfit(sides, pattern, whole=True) for pattern in patterns]
    return None if None in found or not found else found[0]


def _nothing(
    path: Path,
    tensors: Mapping[str, TensorSpec],
    named: Sequence[str],
    skipped: Sequence[tuple[str, str]],
    masks: bool,
) -> str:
    kind = "" if masks else "float "
    asked = f" among {' '.join(map(brief, named))}" if named else ""
    said = f"{path} holds no {kind}tensor to solve{asked}; it holds {some(tensors)}"
    reasons = [(name, why) for name, why in skipped if len(tensors[name].shape) >= 2]
    return said + "".join(f"; {brief(name)}: {why}" for name, why in reasons[:3])
