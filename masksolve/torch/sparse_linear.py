"""Linear layers whose forward and input-gradient products run on sparse tensor cores."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from masksolve.errors import InvalidInput
from masksolve.pattern import Pattern
from masksolve.torch.distributed import is_spread
from masksolve.torch.layer import Layer
from masksolve.torch.masked import Estimator, Masked, halves
from masksolve.torch.masking import give_mask
from masksolve.torch.persistence import keep_checkpoints_safe
from masksolve.torch.selection import choose
from masksolve.torch.semi_structured import why_no_kernel
from masksolve.torch.solving import solve_mask
from masksolve.torch.sparse_products import Compressed, sparse_linear

__all__ = ["SparseLinear", "dense_products", "make_plain", "make_sparse"]

_DTYPES = (torch.float16, torch.bfloat16)
"""Of products that are trained: int8 has no gradients."""


_OWN = ("_compressed", "_warned")
"""What a SparseLinear has besides what a linear layer has."""


class SparseLinear(nn.Linear):
    """A linear layer with a transposable 2:4 mask that both its products make use of.

    The forward product, ``x @ W.T``, and the input-gradient product, ``g @ W``, run on sparse
    tensor cores, in float16 or bfloat16, with the layer's mask and no other. The weight stays
    a dense parameter, whose gradient is what the estimator makes of the dense ``g.T @ x``.
    Where a device, dtype or shape does not allow it the layer multiplies densely, to the
    same results, warns once, and `why_not` says why.

    ``sparsify(model, "2:4", products="sparse")`` makes a model's linear layers such ones.
    A layer made directly has the mask of its first weights: ``Handle(model)`` renews it.

    Parameters
    ----------
    in_features, out_features, bias, device, dtype
        As for ``torch.nn.Linear``.
    pattern : Pattern or str
        2:4, or what lies within: 1:4, 1:2, ``"2:4,at-most"``.
    estimator, decay
        As for `sparsify`.

    Raises
    ------
    InvalidInput
        If masks of the pattern are not 2:4 along both axes, or the weight is on the meta
        device.

    Notes
    -----
    The compressed weights are no part of the module's state. They are made in the forward
    pass, when the weight or the mask has changed since, been loaded or moved, or got
    a gradient. Only what is written behind torch's back without a gradient, through
    ``weight.data`` in the middle of an evaluation, say, has to be told by `renew`.

    Examples
    --------
    >>> import torch
    >>> layer = SparseLinear(64, 128, dtype=torch.bfloat16)
    >>> layer(torch.ones(3, 64, dtype=torch.bfloat16)).shape  # doctest: +SKIP
    torch.Size([3, 128])
    >>> layer.why_not()
    'it is on the CPU: sparse products need a CUDA device of compute capability 8.0 or newer'
    """

    _compressed: Compressed | None = None
    _warned = False

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        pattern: Pattern | str = "2:4",
        estimator: Estimator = "ste",
        decay: float = 2e-4,
    ) -> None:
        wanted = Pattern.parse(pattern)
        if not halves(wanted):
            raise InvalidInput(_not_half(wanted))
        super().__init__(in_features, out_features, bias, device, dtype)
        (choice,), _ = choose(self, wanted, nn.Linear)
        masked = give_mask(choice, tuple(self._parameters), estimator, decay)
        masked.write(solve_mask(self.parametrizations.weight.original, wanted), wanted)
        keep_checkpoints_safe(self)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, as in torch.nn.Linear
        """Multiply (..., in_features) to (..., out_features)."""
        dtype = _autocast(input.device) or input.dtype
        if self._takes(input, dtype):
            why = self._why_never(dtype)
            if why is not None:
                self._warn(why)
            elif self.parametrizations.weight[0].is_half():  # else it is warming up
                return self._multiply(input, dtype)
        found: Tensor = super().forward(input)
        return found

    def why_not(self, dtype: torch.dtype | None = None) -> str | None:
        """Say why the products would run dense; None if they run sparse.

        Parameters
        ----------
        dtype : torch.dtype, optional
            Of the input; default: autocast's where that is on, else the weight's.
        """
        if dtype is None and self._masked() is not None:
            original = self.parametrizations.weight.original
            dtype = _autocast(original.device) or original.dtype
        why = self._why_never(dtype)
        if why is None and not self.parametrizations.weight[0].is_half():
            return "its mask keeps more than two of four as yet"
        return why

    def renew(self) -> None:
        """Compress the weight anew in the next forward pass, whatever is known of it."""
        self._compressed = None

    def train(self, mode: bool = True) -> SparseLinear:
        """Set the mode, around which averages of weights are put in and taken out."""
        self.renew()
        super().train(mode)
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> SparseLinear:
        self.renew()
        super()._apply(fn, recurse)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _OWN}

    def _masked(self) -> Masked | None:
        """Return what gives the weight its mask, if that is all that is done to it."""
        if not parametrize.is_parametrized(self, "weight"):
            return None
        chain = self.parametrizations.weight
        return chain[0] if len(chain) == 1 and isinstance(chain[0], Masked) else None

    def _why_never(self, dtype: torch.dtype | None) -> str | None:
        """Say why products run dense whatever the mask."""
        masked = self._masked()
        if masked is None:
            return "it has no mask, or its weight has other parametrizations besides"
        if not halves(masked.pattern):
            return _not_half(masked.pattern)
        weight = self.parametrizations.weight.original
        if is_spread(weight):
            return "its weight is spread over several processes as it lies"
        if dtype not in _DTYPES:
            takes = " and ".join(map(str, _DTYPES))
            return f"it multiplies in {dtype}: sparse products that are trained take {takes}"
        return why_no_kernel(self.out_features, self.in_features, dtype, weight.device)

    def _takes(self, x: Tensor, dtype: torch.dtype) -> bool:
        """Tell whether an input is one for sparse products, where there are any.

        Else it is empty, or what torch will refuse, or one that its transforms made up.
        """
        if x.numel() == 0 or x.shape[-1] != self.in_features or torch.compiler.is_exporting():
            return False
        if self._masked() is None:
            return True
        weight = self.parametrizations.weight.original
        if x.device != weight.device or (x.dtype != weight.dtype and x.dtype == dtype):
            return False
        return torch.compiler.is_compiling() or not (_is_made_up(x) or _is_made_up(weight))

    def _warn(self, why: str) -> None:
        if not (self._warned or torch.compiler.is_compiling()):
            self._warned = True
            warnings.warn(f"the products of a SparseLinear run dense: {why}", stacklevel=3)

    def _multiply(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        x, bias = x.to(dtype), None if self.bias is None else self.bias.to(dtype)
        if torch.compiler.is_compiling() or _is_captured(x):
            return sparse_linear(x, self.weight.to(dtype), bias, None)
        learns = torch.is_grad_enabled() and self.parametrizations.weight.original.requires_grad
        backward = torch.is_grad_enabled() and x.requires_grad
        compressed, weight = self._compression(dtype), None
        if learns or not compressed.serves(backward):
            weight = self.weight.to(dtype)
            compressed.fill(weight.detach(), backward)
        return sparse_linear(x, weight, bias, compressed)

    def _compression(self, dtype: torch.dtype) -> Compressed:
        """Return the compressed weight: the last one, unless it is stale."""
        state = self._state(dtype)
        last = self._compressed
        if last is None or last.spent or state is None or last.state != state:
            last = self._compressed = Compressed(state)
        return last

    def _state(self, dtype: torch.dtype) -> Any:
        """Return what changes with the weight; None if that cannot be told."""
        tensors = (self.parametrizations.weight.original, self.parametrizations.weight[0].mask)
        if any(tensor.is_inference() for tensor in tensors):
            return None
        kept = torch.is_inference_mode_enabled()  # what is made there is of no use outside
        return dtype, kept, *((t._version, t.data_ptr(), t.device) for t in tensors)


def _not_half(pattern: Pattern) -> str:
    return (
        f"its pattern is {pattern}: sparse products take masks that keep at most two of any "
        "four both ways, as 2:4 does"
    )


def _autocast(device: torch.device) -> torch.dtype | None:
    """Return the dtype in which products on a device run now, if autocast sets it."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)


def _is_captured(x: Tensor) -> bool:
    """Tell whether a CUDA graph is being captured, to be replayed with other weights."""
    return bool(x.is_cuda and torch.cuda.is_current_stream_capturing())


def _is_made_up(tensor: Tensor) -> bool:
    """Tell a stand-in without memory, as torch.func makes them."""
    try:
        tensor.data_ptr()
    except RuntimeError:
        return True
    return False


def make_sparse(module: nn.Module) -> None:
    """Let a plain linear layer run its products sparse from now on."""
    if type(module) is nn.Linear:
        # Whether there is a kernel is settled before a compiler goes on.
        torch.compiler.assume_constant_result(why_no_kernel)
        module.__class__ = SparseLinear


def make_plain(module: nn.Module) -> None:
    """Make a layer without a mask the plain one again that it was."""
    if type(module) is SparseLinear:
        module.__class__ = nn.Linear
        for name in _OWN:
            module.__dict__.pop(name, None)


def dense_products(layers: Iterable[Layer]) -> list[tuple[str, str]]:
    """Return the weights that are multiplied densely, zeros and all, and why."""
    found = []
    for layer in layers:
        if isinstance(layer.module, SparseLinear):
            why = layer.module.why_not()
        elif layer.kind is nn.Linear:
            why = "sparse products were not asked for"
        else:
            why = f"it belongs to a {layer.kind.__name__}: only nn.Linear can do else"
        if why is not None:
            found.append((layer.name, why))
    return found
