"""Masks that obey their patterns, and weights that obey their masks: anything else is refused."""

from __future__ import annotations

from torch import Tensor
from torch.nn.utils.parametrize import ParametrizationList

from masksolve.checks import refuse_violation
from masksolve.errors import InvalidInput, InvalidPattern, MaskViolation
from masksolve.pattern import Pattern
from masksolve.tiles import TileLayout
from masksolve.torch.layer import Layer
from masksolve.torch.layouts import Layout
from masksolve.torch.masked import Masked, decode, decode_now

__all__ = ["breach", "breach_of", "refuse_broken", "refuse_spoilt"]


def breach(mask: Tensor, pattern: Pattern, layout: Layout, now: int = 0) -> MaskViolation | None:
    """Return where a mask keeps too much for its pattern; None if it obeys, or has no data.

    Too little is no breach: heuristics leave lines short.

    Parameters
    ----------
    mask : Tensor
        Of a weight's shape; True, or anything but zero, is kept.
    pattern : Pattern
        In the end.
    layout : Layout
    now : int
        The n that the mask has as yet, in a warm-up or ramp. 0: it is not told, so any
        will do that all lines keep alike.
    """
    if mask.is_meta:
        return None
    mask, found = mask.detach().bool(), None
    for n in _levels(pattern, now):
        if pattern.n < n == pattern.m:
            # Torch would wake its threads on the CPU, in the way of a solver's that follow.
            if mask.all() if mask.is_cuda else mask.numpy(force=True).all():
                return None
            continue
        level = Pattern(n, pattern.m, transposable=pattern.transposable, at_most=pattern.at_most)
        matrices = layout.matrices(mask).numpy(force=True)
        tiles = TileLayout(matrices.shape, layout.matrix_axes, level.tile_shape)
        try:
            refuse_violation(matrices, tiles, level, short=not now and n > pattern.n)
        except MaskViolation as violation:
            found = found or violation
        else:
            return None
    return found


def _levels(pattern: Pattern, now: int) -> list[int]:
    """Return which n a mask may have, on the way to a pattern."""
    if pattern.n < now < pattern.m:
        return [now]
    if now >= pattern.m:  # or there already: averages of warm-ups tell the n of the warm-up
        return [pattern.m, pattern.n]
    if now:
        return [pattern.n]
    return [pattern.m, pattern.n] if pattern.at_most else list(range(pattern.n, pattern.m + 1))


def breach_of(masked: Masked) -> MaskViolation | None:
    """Return where the mask of a weight breaks its pattern."""
    if masked.code.is_meta:
        return None
    try:
        known = decode(masked.code) == masked.pattern
    except InvalidPattern:  # buffers were averaged
        known = False
    now = decode_now(masked.code) if known else masked.pattern.n
    return breach(masked.mask, masked.pattern, masked.layout, now)


def refuse_broken(layer: Layer, remedy: str) -> None:
    """Refuse a layer whose mask breaks its pattern, or whose weight would break its mask.

    Raises
    ------
    MaskViolation
        Naming the weight, and the line of the mask.
    InvalidInput
        If another parametrization makes the pruned weights anything but zero, or the weight was
        loaded without a mask.
    """
    if layer.masked.came == "plain":
        raise InvalidInput(
            f"{layer.name} was loaded without its mask: call refresh, or restore_masks, first"
        )
    violation = breach_of(layer.masked)
    if violation is not None:
        raise MaskViolation(
            f"the mask of {layer.name} breaks its pattern, as averages of masks do: "
            f"{violation}; {remedy}",
            **violation.details,
        )
    refuse_spoilt(layer)


def refuse_spoilt(layer: Layer) -> None:
    """Refuse what was put on top of a mask and does not keep its zeros, or does not work."""
    chain: ParametrizationList = layer.module.parametrizations[layer.tensor_name]
    if len(chain) == 1:
        return
    names = " and ".join(type(link).__name__ for link in chain if link is not layer.masked)
    what = f"{layer.name} has a parametrization besides its mask, {names}, that"
    try:
        used = layer.used()
    except (RuntimeError, TypeError, ValueError) as error:
        raise InvalidInput(f"{what} fails on a masked weight: {error}") from None
    if used[layer.mask.logical_not()].count_nonzero():
        raise InvalidInput(f"{what} makes pruned weights anything but zero: remove it")
