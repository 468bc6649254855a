"""The parametrization: a weight times its mask, and what its gradient becomes.

With W the dense weight that the optimizer sees, M its mask and g the gradient by the
weight M . W that the layer uses:

============  ==================================================================
ste           dL/dW = g: straight through; what is pruned can come back
sr_ste        dL/dW = g + decay (1 - M) . W, in every backward pass (Zhou et al. 2021,
              arXiv:2102.04010)
masked_decay  as ste; decay (1 - M) . W joins the gradient once, just before the
              optimizer's step (Hu et al. 2024, arXiv:2404.01847)
none          dL/dW = g . M: what is pruned is not trained (that an optimizer does not move it
              all the same, `training.static` sees to)
============  ==================================================================
"""

from __future__ import annotations

from math import inf, isfinite
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.graph import increment_version
from torch.nn.functional import pad

from masksolve.errors import InvalidInput, InvalidPattern
from masksolve.pattern import Pattern
from masksolve.torch.distributed import is_spread, part, whole
from masksolve.torch.gathering import Gathered
from masksolve.torch.layouts import Layout
from masksolve.torch.semi_structured import keeps_half
from masksolve.torch.writable import writable

__all__ = ["ESTIMATORS", "Estimator", "Masked", "halves"]

Estimator: TypeAlias = Literal["ste", "sr_ste", "masked_decay", "none"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)


class Masked(nn.Module):
    """Multiply a weight by its mask, with the gradient of an estimator.

    Parameters
    ----------
    weight : Tensor
        Whose shape and device the mask takes; it keeps all to begin with.
    pattern : Pattern
    layout : Layout
    estimator : {"ste", "sr_ste", "masked_decay", "none"}
    decay : float
        Of the pruned weights, for sr_ste.
    absorb_mean : bool
        Spread what a line of m prunes evenly over what it keeps, so that the line's sum
        stays as it was (Hubara et al. 2021).

    Attributes
    ----------
    mask : Tensor of bool
        Saved with the model.
    code : Tensor of int
        The pattern, saved with the model so that a checkpoint of another is noticed, and the n
        of the mask as it is, larger in a warm-up or ramp.
    order : tuple of str
        The names of the module's parameters before it had masks, in their order.
    takes_plain : bool
        Whether a plain weight may be loaded, by who sees to the mask afterwards.
    came : {"plain", "masked"} or None
        What was loaded last, unless masks were solved since: a weight alone, or one with its mask.
    gathered : Gathered
        What scores have gathered of the training; saved with the model, too.
    """

    takes_plain = False
    came: Literal["plain", "masked"] | None = None

    mask: Tensor
    code: Tensor

    def __init__(
        self,
        weight: Tensor,
        pattern: Pattern,
        layout: Layout,
        estimator: Estimator = "ste",
        decay: float = 2e-4,
        absorb_mean: bool = False,
    ) -> None:
        if estimator not in ESTIMATORS:
            raise InvalidInput(
                f"estimator must be one of {', '.join(ESTIMATORS)}, got {estimator!r}"
            )
        if not (isinstance(decay, int | float) and 0 <= decay < inf):
            raise InvalidInput(f"decay must be a number from 0 up, got {decay!r}")
        super().__init__()
        self.pattern, self.layout = pattern, layout
        self.estimator, self.decay, self.absorb_mean = estimator, decay, absorb_mean
        with torch.inference_mode(False):  # or no training could use them
            keep_all = torch.ones(weight.shape, dtype=torch.bool, device=weight.device)
            code = encode(pattern, pattern.m).to(weight.device)
        self.register_buffer("mask", keep_all)
        self.register_buffer("code", code)
        self.order: tuple[str, ...] = ()
        self.gathered = Gathered()
        self._factor: tuple[Any, Tensor, Tensor | None] | None = None
        self._half: tuple[Tensor, int, bool] | None = None

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight that the layer uses; setting its ``data`` sets the dense one."""
        return writable(self._used(weight), weight)

    def _used(self, weight: Tensor) -> Tensor:
        kept = self.as_factor(weight)
        extra = None
        if self.absorb_mean:
            dense = whole(weight.detach())
            extra = shares_of_pruned(dense, self.mask, self.pattern.m, self.layout)
            extra = part(extra, weight)
        used: Tensor
        if self.estimator == "none":
            used = _product(weight, kept, extra)
        elif self.estimator == "sr_ste":
            mask = None if kept.dtype == torch.bool else self.mask
            used = _Refined.apply(weight, kept, extra, mask, self.decay)
        else:
            used = _StraightThrough.apply(weight, kept, extra)
        return used

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Let ``module.weight = tensor`` set the dense weight."""
        if weight.shape != self.mask.shape:
            raise InvalidInput(
                f"a weight of shape {tuple(self.mask.shape)} that has a mask cannot become one of "
                f"{tuple(weight.shape)}: finalize its handle first"
            )
        return weight

    def extra_repr(self) -> str:
        """Say which pattern and estimator, for ``print(model)``."""
        return f"{self.pattern}, {self.estimator}"

    def as_factor(self, weight: Tensor) -> Tensor:
        """Return the mask as what multiplies fastest.

        On the CPU a product with bool takes twice the time of one in the weight's own
        type, so a mask that is used again, as a static one will be, is kept in that too;
        the version that torch counts tells when it was written to. A compiler fuses the
        product with bool anyway.
        """
        mask = self.mask
        if is_spread(weight):
            return part(mask, weight)
        if torch.compiler.is_compiling() or weight.device.type != "cpu" or mask.is_inference():
            return mask
        try:
            state = (mask._version, mask.data_ptr(), weight.dtype)
        except RuntimeError:  # a stand-in without memory, as torch.func makes them
            return mask
        if self._factor is None or self._factor[0] != state:
            # The mask is held so that none after it comes to lie where it lay.
            self._factor = state, mask, None
            if self.estimator != "none":
                return mask
        factor = self._factor[2]
        if factor is None:
            with torch.inference_mode(False):
                factor = mask.to(weight.dtype)
            self._factor = state, mask, factor
        return factor

    @torch.no_grad()
    def write(self, mask: NDArray[np.bool_] | Tensor, pattern: Pattern | None = None) -> None:
        """Put a new mask in the old one's place; of which pattern, if that is known."""
        self.copy(mask)
        self.declare(pattern)

    @torch.no_grad()
    def copy(self, mask: NDArray[np.bool_] | Tensor) -> None:
        """Put the entries in place, in any thread, before `declare` says whose they are."""
        if self.mask.is_inference():  # in a copy made in that mode
            with torch.inference_mode(False):
                self.mask = self.mask.clone()
        if isinstance(mask, Tensor):
            self.mask.copy_(mask)
        elif self.mask.device.type == "cpu":
            np.copyto(self.mask.numpy(), mask)  # torch would wake its threads for this
        else:
            self.mask.copy_(torch.from_numpy(mask))

    @torch.no_grad()
    def declare(self, pattern: Pattern | None = None) -> None:
        """Note that a new mask is in place; of which pattern, if that is known."""
        increment_version(self.mask)  # torch need not have seen it
        code = self.code.numpy() if self.code.is_cpu else self.code  # an eighth of torch's time
        code[3] = self.pattern.at_most + 2 * (0 if pattern is None else pattern.n)
        self._half = None
        if pattern is not None:
            self._half = self.mask, self.mask._version, halves(pattern)

    @torch.no_grad()
    def keep_all(self) -> None:
        """Begin anew, with a mask that keeps everything."""
        self.mask.fill_(True)
        self.code.copy_(encode(self.pattern, self.pattern.m))

    def is_half(self) -> bool:
        """Tell whether the mask as it is keeps at most two of any four, both ways.

        What a solver wrote is known; of other masks a look tells, once for each.
        """
        mask, known = self.mask, self._half
        if torch.compiler.is_compiling():
            return keeps_half(mask) if known is None else known[2]
        if mask.is_inference():  # whose versions torch does not count
            return keeps_half(mask)
        if known is None or known[0] is not mask or known[1] != mask._version:
            self._half = known = mask, mask._version, keeps_half(mask)
        return known[2]

    def _save_to_state_dict(self, state: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(state, prefix, keep_vars)
        # Whatever averages of buffers, or memory taken anew, have made of it. Without a look at
        # the numbers, for which a GPU would be waited for.
        right = encode(self.pattern).to(self.code.device)
        intact = (self.code[:3] == right[:3]).all() & (self.code[3] % 2 == right[3])
        right[3] += 2 * torch.where(intact, self.code[3] // 2, self.pattern.n)
        state[f"{prefix}code"] = right
        for name, value in self.gathered.save():
            state[f"{prefix}gathered.{name}"] = value if keep_vars else value.detach()

    def _load_from_state_dict(
        self,
        state: Any,
        prefix: str,
        metadata: Any,
        strict: bool,
        missing: Any,
        unexpected: Any,
        errors: list[str],
    ) -> None:
        inside = f"{prefix}gathered."
        saved = {key[len(inside) :]: state[key] for key in state if key.startswith(inside)}
        rest = {key: value for key, value in state.items() if not key.startswith(inside)}
        super()._load_from_state_dict(rest, prefix, metadata, strict, missing, unexpected, errors)
        if f"{prefix}mask" in state:  # a part of a checkpoint leaves the rest as it is
            wrong = self.gathered.load(saved, self.mask.device)
            if wrong is not None:
                errors.append(f"the checkpoint has what the score gathered, of shape {wrong}")

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled, also before masks knew what scores gather."""
        super().__setstate__({"gathered": Gathered()} | state)

    def train(self, mode: bool = True) -> Masked:
        """Set the mode, around which averages are put in and taken out behind torch's back."""
        self._factor = self._half = None
        super().train(mode)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_factor": None, "_half": None}


def halves(pattern: Pattern) -> bool:
    """Tell whether all masks of a pattern keep at most two of any four, both ways."""
    return pattern.transposable and 4 % pattern.m == 0 and 2 * pattern.n <= pattern.m


def _product(weight: Tensor, kept: Tensor, extra: Tensor | None) -> Tensor:
    return (weight if extra is None else weight + extra) * kept


class _StraightThrough(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, kept: Tensor, extra: Tensor | None) -> Tensor:
        return _product(weight, kept, extra)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return gradient, None, None


class _Refined(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        weight: Tensor, kept: Tensor, extra: Tensor | None, mask: Tensor | None, decay: float
    ) -> Tensor:
        return _product(weight, kept, extra)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        weight, kept, _, mask, ctx.decay = inputs
        # Of bool either way: activation checkpoints compare what is saved twice.
        ctx.save_for_backward(weight, kept if mask is None else mask)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        weight, mask = ctx.saved_tensors
        return gradient + ctx.decay * pruned(weight, mask), None, None, None, None


def pruned(weight: Tensor, mask: Tensor) -> Tensor:
    """Return what a mask takes away."""
    return weight * mask.logical_not()


def encode(pattern: Pattern, now: int = 0) -> Tensor:
    """Write a pattern as four numbers, with the n of a mask as it is; 0 if that is not told."""
    return torch.tensor(
        [pattern.n, pattern.m, pattern.transposable, pattern.at_most + 2 * now], dtype=torch.int64
    )


def decode(code: Tensor) -> Pattern:
    """Read the pattern that `encode` wrote, also of an average of equals.

    Raises
    ------
    InvalidPattern
        If it is none.
    """
    n, m, transposable, rest = _numbers(code)
    return Pattern(n, m, transposable=bool(transposable), at_most=bool(rest % 2))


def decode_now(code: Tensor) -> int:
    """Read the n of the mask as it is; 0 if that is not told. Raises as `decode`."""
    return _numbers(code)[3] // 2


def _numbers(code: Tensor) -> list[int]:
    values = code.tolist()
    if len(values) != 4 or not all(isfinite(value) for value in values):
        raise InvalidPattern(f"{values} is no pattern")
    return [round(value) for value in values]


def shares_of_pruned(weight: Tensor, mask: Tensor, m: int, layout: Layout) -> Tensor:
    """Spread the sum of what each line of m inputs prunes evenly over what it keeps.

    Returns the share of every weight's line, in the weight's shape.
    """

    def lines(values: Tensor) -> Tensor:
        rows = layout.matrices(values).movedim(layout.matrix_axes[1], -1)
        return pad(rows, (0, -inputs % m)).unflatten(-1, (-1, m))

    inputs = layout.sides(weight.shape)[1]
    lost = lines(pruned(weight, mask)).sum(-1, keepdim=True)
    share = lost / lines(mask.to(weight.dtype)).sum(-1, keepdim=True).clamp(min=1)
    rows = share.expand(*share.shape[:-1], m).flatten(-2)[..., :inputs]
    return rows.movedim(-1, layout.matrix_axes[1]).reshape(weight.shape)
