"""What masks maximise: every score that has a name, in training and with calibration batches.

In training a score is a function of a `Layer` that returns a tensor of its weight's shape, large
where a weight should stay. One that needs to see the training go by has `watch` or `observe`
besides, as those here do; until there is something to go by, they are the magnitudes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from masksolve.errors import InvalidInput
from masksolve.torch.distributed import select, whole
from masksolve.torch.gathering import Skipped, like
from masksolve.torch.inputs_seen import look

if TYPE_CHECKING:
    from masksolve.torch.layer import Layer

__all__ = [
    "SCORES",
    "CalibratedScore",
    "Gradient",
    "LayerScore",
    "Movement",
    "TrainingScore",
    "Wanda",
    "as_calibrated_score",
    "as_training_score",
]

LayerScore: TypeAlias = Callable[["Layer"], Tensor]


class TrainingScore(Protocol):
    """A score as handles use it: what a plain function lacks has its default here."""

    needs_gradients: bool = False
    """Whether it cannot do without the gradients of a step."""

    def watch(self, layer: Layer) -> Any:
        """Look at a layer from now on; returns what has `remove`, or None."""

    def observe(self, layer: Layer, skipped: Skipped = False) -> None:
        """See a layer after a step of the optimizer, its gradient still there.

        Nothing is to be learnt from a step that was skipped. On a device that is a flag of
        bool there, which is not waited for.
        """

    def __call__(self, layer: Layer) -> Tensor:
        """Return the scores of a layer."""
        ...


class _Given(TrainingScore):
    """What a user gave: a function, or an object with some of the methods besides."""

    def __init__(self, score: LayerScore) -> None:
        self._score = score
        self.needs_gradients = getattr(score, "needs_gradients", False)

    def watch(self, layer: Layer) -> Any:
        return self._score.watch(layer) if hasattr(self._score, "watch") else None

    def observe(self, layer: Layer, skipped: Skipped = False) -> None:
        # Which waits for a device: others' criteria know nothing of skipped steps.
        if hasattr(self._score, "observe") and not skipped:
            self._score.observe(layer)

    def __call__(self, layer: Layer) -> Tensor:
        return self._score(layer)


class Gradient(TrainingScore):
    """How much the loss would change without a weight, to first order: abs(W . g)."""

    needs_gradients = True

    def __call__(self, layer: Layer) -> Tensor:
        """Return the scores of a layer."""
        if layer.gradient is None:
            return layer.weight.abs()
        return (layer.weight * layer.gradient).abs()


class Movement(TrainingScore):
    """The sum of -W . g over the steps: what moves away from zero stays.

    Sanh et al. 2020, arXiv:2005.07683. Scores may be negative.
    """

    needs_gradients = True

    def watch(self, layer: Layer) -> None:
        """Begin a layer's sum."""
        layer.masked.gathered.begin("movement", torch.zeros_like(layer.weight))

    def observe(self, layer: Layer, skipped: Skipped = False) -> None:
        """Add a step's movement."""
        if layer.gradient is None or skipped is True:
            return
        gathered = layer.masked.gathered
        moved = -layer.weight * layer.gradient
        gathered.put("movement", like(gathered["movement"], moved) + moved, skipped)

    def __call__(self, layer: Layer) -> Tensor:
        """Return the scores of a layer."""
        size, gathered = layer.weight.abs(), layer.masked.gathered
        if "movement" not in gathered:
            return size
        sums = like(gathered["movement"], size)
        return select(whole(sums).any(), sums, size)


class Wanda(TrainingScore):
    """The square of a weight times the norm of the input that it multiplies.

    Sun et al. 2023, arXiv:2306.11695, who take the magnitude: plain masks are the same, and a
    transposable one keeps the most of what its layer's error is a sum of. The norm of every input
    channel is taken over all that the layer saw in training mode, what is older counting less
    by `memory` a call.

    Parameters
    ----------
    memory : float in [0, 1)
    """

    def __init__(self, memory: float = 0.9) -> None:
        if not 0 <= memory < 1:
            raise InvalidInput(f"memory must be in [0, 1), got {memory}")
        self.memory = memory

    def watch(self, layer: Layer) -> Any:
        """Look at a layer's inputs from now on; returns what has `remove`."""
        channel = _channel(layer)
        if channel is None:
            raise InvalidInput(
                f"{layer.name}: Wanda's score needs a linear layer or a convolution that is "
                f"called itself, got {layer.kind.__name__}"
            )
        channels = layer.layout.sides(tuple(layer.mask.shape))[1] * layer.layout.parts
        nothing = torch.zeros(channels, dtype=torch.float32, device=layer.mask.device)
        layer.masked.gathered.begin("wanda", nothing)
        return look(layer.module, layer.tensor_name, channel, self.memory)

    def observe(self, layer: Layer, skipped: Skipped = False) -> None:
        """Let what was seen since the last step count, if this was one."""
        layer.masked.gathered.settle("wanda", skipped)

    def __call__(self, layer: Layer) -> Tensor:
        """Return the scores of a layer."""
        size, gathered = whole(layer.weight).abs(), layer.masked.gathered
        if "wanda" not in gathered:
            return size
        squares = gathered.known("wanda", layer.original).to(size.device)
        seen = squares.any()
        wide = size.to(torch.promote_types(size.dtype, torch.float32))  # squares may be small
        scales = torch.where(seen, squares, 1).to(wide.dtype)
        source = layer.layout.matrix_axes[1]
        matrices = layer.layout.matrices(torch.where(seen, wide.square(), wide))
        shape = [1] * matrices.ndim
        if layer.layout.parts > 1:
            shape[0] = layer.layout.parts
        shape[source] = -1
        return (matrices * scales.view(shape)).reshape(size.shape)


_CHANNEL: Mapping[str, int] = {
    "Linear": -1,
    "Conv1D": -1,  # transformers' linear layer
    **{f"Conv{d}d": -1 - d for d in (1, 2, 3)},
    **{f"ConvTranspose{d}d": -1 - d for d in (1, 2, 3)},
}
"""Which axis of the input holds the channels, by the name of a type or of its parent."""


def _channel(layer: Layer) -> int | None:
    names = [kind.__name__ for kind in layer.kind.__mro__]
    if NonDynamicallyQuantizableLinear.__name__ in names:
        return None  # attention's output: its weight is used, it is never called
    return next((_CHANNEL[name] for name in names if name in _CHANNEL), None)


class Calibrated(Protocol):
    """A weight that calibration batches went by; see `masksolve.torch.Calibrated`."""

    weight: Tensor

    def scale(self) -> Tensor:
        """Return the root mean square of what each entry multiplies."""
        ...

    def curvature(self) -> Tensor:
        """Return how fast the error grows when an entry goes."""
        ...


CalibratedScore: TypeAlias = Callable[[Any], Tensor]


class NamedScore(NamedTuple):
    """A score that has a name, where it can be had.

    Attributes
    ----------
    training : callable or None
        Makes it, for a training.
    calibrated : callable or None
        It, of a weight that calibration batches went by.
    """

    training: Callable[[], TrainingScore] | None = None
    calibrated: Callable[[Calibrated], Tensor] | None = None


MAGNITUDE = "magnitude"
"""Everywhere: the solver takes it as it reads."""
SCORES: Mapping[str, NamedScore] = {
    "gradient": NamedScore(training=Gradient),
    "movement": NamedScore(training=Movement),
    "wanda": NamedScore(Wanda, lambda layer: (layer.weight * layer.scale()).square()),
    "obs": NamedScore(calibrated=lambda layer: layer.weight.square() * layer.curvature()),
}


def as_training_score(score: str | LayerScore) -> TrainingScore | None:
    """Return a score for handles by its name, or of a function; None for magnitudes."""
    if isinstance(score, str):
        make = _find(score, "training", "a layer")
        return None if make is None else make()
    if not callable(score):
        raise InvalidInput(f"score must be a name or a function, got {score!r}")
    if isinstance(score, Gradient | Movement | Wanda | _Given) and type(score) in _OURS:
        return score
    return _Given(score)


_OURS = (Gradient, Movement, Wanda, _Given)
"""And no class made of them, which may know nothing of skipped steps."""


def as_calibrated_score(score: str | CalibratedScore) -> CalibratedScore | None:
    """Return a score of calibrated weights by its name, or as it is; None for magnitudes."""
    if isinstance(score, str):
        found: CalibratedScore | None = _find(score, "calibrated", "a Calibrated")
        return found
    if not callable(score):
        raise InvalidInput(f"score must be a name or a function, got {score!r:.60}")
    return score


def _find(name: str, kind: str, whose: str) -> Any:
    """Look a name up among the scores of a kind; None is the magnitude's."""
    known = {n: getattr(score, kind) for n, score in SCORES.items() if getattr(score, kind)}
    if name != MAGNITUDE and name not in known:
        raise InvalidInput(
            f"score {name!r} is not known: expected one of {', '.join([MAGNITUDE, *known])} "
            f"or a function of {whose}"
        )
    return known.get(name)
