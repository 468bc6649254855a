"""Give a model's weights masks, in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from masksolve.errors import InvalidInput
from masksolve.torch.distributed import sharding
from masksolve.torch.layer import masked_layers
from masksolve.torch.masked import Estimator
from masksolve.torch.masking import give_mask
from masksolve.torch.persistence import keep_checkpoints_safe
from masksolve.torch.scores import LayerScore
from masksolve.torch.selection import choose
from masksolve.torch.selectors import Patterns, Select
from masksolve.torch.sparse_linear import make_plain, make_sparse
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.optimizers import Optimizers
from masksolve.torch.training.saving import save_usually

__all__ = ["sparsify"]

Products: TypeAlias = Literal["dense", "sparse"]


def sparsify(
    model: nn.Module,
    pattern: Patterns,
    *,
    select: Select = None,
    estimator: Estimator = "ste",
    decay: float = 2e-4,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    score: str | LayerScore = "magnitude",
    refresh_every: int = 1,
    warm_start: bool | None = None,
    warmup: int = 0,
    ramp: int = 0,
    absorb_mean: bool = False,
    products: Products = "dense",
    optimizer: Optimizers | None = None,
    writer: Any = None,
    threads: int | None = None,
) -> Handle:
    """Give the weights of a model N:M masks that are renewed while it trains.

    The model is changed in place, by ``torch.nn.utils.parametrize``: its parameters stay
    the same objects, dense, so that an optimizer may be made before or after; forward and
    backward use the masked weights.

    Parameters
    ----------
    model : Module
    pattern : Pattern, str, mapping or callable
        For example ``"2:4"``. A mapping from name patterns of modules, ``{"*.attn.*":
        "2:4", "*": "4:8"}``, takes the first that fits, None leaves dense; a function of
        (name, module) returns a pattern or None.
    select : optional
        Which modules: a type or types, a name pattern or several (``"encoder.*.fc?"``),
        a function of (name, module). Default: what a sparse product could run, of sides
        that are multiples of m; no embeddings, output heads, routers or tables, and nothing
        that shares memory with these. What is selected needs sides of at least m; what
        cannot have masks is passed over if types were given, and refused else.
    estimator : {"ste", "sr_ste", "masked_decay", "none"}
        What gradient the dense weight gets: straight through; with `decay` of the pruned
        weights in every backward pass (Zhou et al. 2021), or once just before the
        optimizer's step (Hu et al. 2024), which is what gradient accumulation and loss
        scaling ask for; none: only where it is kept, under a mask that stays.
    decay : float
        Of pruned weights, for sr_ste and masked_decay.
    method, options, threads
        The solver, as for `masksolve.solve`.
    score : str or callable
        ``"magnitude"``, ``"gradient"``, ``"movement"``, ``"wanda"``, or a function of a
        `Layer` that returns a tensor of its weight's shape, large where it should be kept.
    refresh_every : int
        Steps between renewals.
    warm_start : bool, optional
        Start from the last potentials, so that a tile whose mask is still proven needs that
        check alone. Default: from m = 16 on, where it saves time. Takes about 32 / m bytes a
        weight, and one for the last mask.
    warmup, ramp : int
        So many steps everything is kept; in so many more n falls from m - 1 to its end.
    absorb_mean : bool
        Spread what a line of m prunes over what it keeps (Hubara et al. 2021).
    products : {"dense", "sparse"}
        How linear layers multiply: with weights that have zeros, or, under transposable
        2:4 masks and in 16 bits, on sparse tensor cores, forward and for the input's
        gradient, as `SparseLinear` does. ``handle.dense_products`` names the weights that
        are multiplied densely all the same, and why.
    optimizer : Optimizer or sequence of Optimizer, optional
        Calls ``handle.step`` by itself, after each of its steps; see `Handle.attach`.
    writer : optional
        Gets ``add_scalar(tag, value, step)`` at each refresh, as TensorBoard's
        SummaryWriter takes it.

    Returns
    -------
    Handle
        Call its ``step`` after each ``optimizer.step()``.

    Raises
    ------
    InvalidInput
        If nothing is chosen (telling what was there), if a weight that was named cannot
        have masks, if the model has masks already or is sharded already, or an option
        is not what it should be.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Linear(32, 10))
    >>> handle = sparsify(model, "4:8")
    >>> handle.masks["0.weight"].sum(dim=1).unique()  # 4 of 8, in each row
    tensor([8])
    >>> handle.skipped
    [('1.weight', 'its matrix is 10 x 32, no multiple of 8')]
    """
    _refuse_unfit(model)
    if products not in get_args(Products):
        raise InvalidInput(
            f"products must be one of {', '.join(get_args(Products))}, got {products!r}"
        )
    chosen, skipped = choose(model, pattern, select)
    if products == "sparse" and not any(isinstance(one.module, nn.Linear) for one in chosen):
        names = ", ".join(sorted({type(one.module).__name__ for one in chosen}))
        raise InvalidInput(f"only torch.nn.Linear has sparse products: masks go to {names}")
    orders = {one.module: tuple(one.module._parameters) for one in chosen}
    handle = None
    try:
        for one in chosen:
            if products == "sparse":
                make_sparse(one.module)
            give_mask(one, orders[one.module], estimator, decay, absorb_mean)
        handle = Handle(
            model,
            method=method,
            options=options,
            score=score,
            refresh_every=refresh_every,
            warm_start=warm_start,
            warmup=warmup,
            ramp=ramp,
            optimizer=optimizer,
            writer=writer,
            threads=threads,
        )
        handle.skipped = skipped
        handle.refresh()
    except BaseException:  # the model is left as it was
        if handle is not None:
            handle.detach()
            save_usually(model)
        for layer in masked_layers(model):
            layer.release(masked=False)
        for one in chosen:
            make_plain(one.module)
        raise
    keep_checkpoints_safe(model)
    return handle


def _refuse_unfit(model: nn.Module) -> None:
    """Refuse what is no model, is sharded, or has masks."""
    if not isinstance(model, nn.Module):
        raise InvalidInput(f"model must be a torch module, got {type(model).__name__}")
    wrapper = sharding(model)
    if wrapper is not None:
        raise InvalidInput(
            f"the model is sharded already, by {wrapper}: sparsify it first, and then use "
            "fully_shard"
        )
    already = masked_layers(model)
    if already:
        raise InvalidInput(
            f"the model is sparsified already: {already[0].name} has {already[0].masked.pattern} "
            "masks; finalize its handle first, or get another by Handle(model)"
        )
