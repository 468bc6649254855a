"""The handle to a sparsified model: it renews masks, keeps account, and lets go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from masksolve.compiling import Stopwatch
from masksolve.errors import InvalidInput
from masksolve.inputs import as_count, as_threads
from masksolve.solvers import METHODS, as_options, find_method
from masksolve.torch.arrays import refuse_unfit
from masksolve.torch.devices import begin
from masksolve.torch.distributed import agreed, replicas, sharding
from masksolve.torch.layer import Layer, masked_layers
from masksolve.torch.scores import LayerScore, as_training_score
from masksolve.torch.sparse_linear import dense_products, make_plain
from masksolve.torch.training.decay import decay_gradients, decays, refuse_closure
from masksolve.torch.training.history import History, Record, log
from masksolve.torch.training.live import Links, reset_broken
from masksolve.torch.training.optimizers import Listener, Optimizers, refuse_untrained
from masksolve.torch.training.renewing import Renewal, put_in_place, solve_together
from masksolve.torch.training.report import Report, report
from masksolve.torch.training.saving import save_plainly, save_usually
from masksolve.torch.training.schedule import Schedule
from masksolve.torch.training.skipped import Count, look_at, naming, not_finite, refuse_ruined

__all__ = ["Handle"]

WARM_SINCE = 16
"""From this m on a warm start pays. In smaller tiles the rounds are over sooner than the
potentials are written and read again."""


class Handle:
    """Renews the masks of a sparsified model, and tells what became of them.

    `sparsify` makes one. Made directly it takes charge of a model that has masks already:
    a copy, an unpickled one, the average of a training; its masks stay as they are until
    the first refresh, but those that break their pattern, as averages do, are solved at once.

    Parameters
    ----------
    model : Module
        With masks.
    method, options, score, refresh_every, warm_start, warmup, ramp, optimizer, writer, threads
        As for `sparsify`.

    Attributes
    ----------
    model : Module
    layers : list of Layer
    skipped : list of (str, str)
        Parameters of two or more dimensions that `sparsify` passed over, and why.
    steps : int
        Optimizer steps taken. Asking waits for the device, as `dropped` does.
    dropped : int
        Steps that were none: a loss scaler skipped them, or their gradients were not finite.
    history : History
    attached : bool
        Whether an optimizer calls `step` by itself.

    Raises
    ------
    InvalidInput
        If the model has no masks, or an option is not what it should be.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        method: str = "exact",
        options: Mapping[str, float] | None = None,
        score: str | LayerScore = "magnitude",
        refresh_every: int = 1,
        warm_start: bool | None = None,
        warmup: int = 0,
        ramp: int = 0,
        optimizer: Optimizers | None = None,
        writer: Any = None,
        threads: int | None = None,
    ) -> None:
        self.model = model
        self.layers = masked_layers(model)
        if not self.layers:
            raise InvalidInput(f"{type(model).__name__} has no masks: sparsify it first")
        self.skipped: list[tuple[str, str]] = []
        self._count = Count()
        self.history = History()
        self._schedule = Schedule(
            as_count(refresh_every, "refresh_every", 1),
            as_count(warmup, "warmup", 0),
            as_count(ramp, "ramp", 0),
        )
        for layer in self.layers:
            find_method(method, layer.masked.pattern)
        as_options(method, METHODS[method].options, options)
        as_threads(threads)
        if not (writer is None or hasattr(writer, "add_scalar")):
            raise InvalidInput(f"writer must have add_scalar, got {type(writer).__name__}")
        self._method, self._options, self._threads = method, options, threads
        self._warm_start = warm_start if METHODS[method].warm == "potentials" else False
        self._writer = writer
        self._score = as_training_score(score)
        self._replicas = replicas(model)
        self._links = Links(model, self.layers)
        self._seen, _ = look_at(self.layers)  # to notice a step without training
        self._listener: Listener | None = None
        self._hooks: list[Any] = []
        try:
            if self._score is not None:
                for layer in self.layers:
                    hook = self._score.watch(layer)
                    self._hooks += [] if hook is None else [hook]
            if optimizer is not None:
                self.attach(*(optimizer if isinstance(optimizer, Sequence) else (optimizer,)))
            self._renew(reset_broken(self.layers))
        except BaseException:
            self.detach()
            raise
        save_plainly(model)

    def __getstate__(self) -> dict[str, Any]:
        # Hooks of optimizers are not copied with them: a copy listens to its own anew.
        given = () if self._listener is None else self._listener.optimizers
        return self.__dict__ | {"_listener": None, "_optimizers": given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        steps, given = state.pop("steps", None), state.pop("_optimizers", ())
        state.pop("attached", None)
        self.__dict__.update({"_listener": None, "_seen": []} | state)
        if steps is not None:  # pickled before steps could be none
            self.steps = steps
        if self._score is not None:  # a function, if it was pickled before scores were wrapped
            self._score = as_training_score(self._score)
        if "_links" not in state:
            self._links = Links(self.model, self.layers)
            save_plainly(self.model)
        if given:  # not by attach: a module that holds its handle may be half made here
            self._listen(*given)

    def __repr__(self) -> str:
        patterns = sorted({str(layer.masked.pattern) for layer in self.layers})
        return (
            f"Handle({type(self.model).__name__}, {len(self.layers)} weights, "
            f"{', '.join(patterns)}, {self._method}, step {self.steps})"
        )

    @property
    def steps(self) -> int:
        """Optimizer steps taken."""
        self._count.settle()
        return self._count.taken

    @steps.setter
    def steps(self, steps: int) -> None:
        self._count = Count()
        self._count.taken = steps

    @property
    def dropped(self) -> int:
        """Steps that were none."""
        self._count.settle()
        return self._count.dropped

    @property
    def attached(self) -> bool:
        """Whether an optimizer calls `step` by itself."""
        return self._listener is not None

    @property
    def masks(self) -> dict[str, Tensor]:
        """The masks by the names of their weights, of bool, True = kept; not copied."""
        return {layer.name: layer.mask for layer in self.layers}

    @property
    def dense_products(self) -> list[tuple[str, str]]:
        """The weights that are multiplied densely, zeros and all, and why."""
        return dense_products(self.layers)

    def step(self) -> None:
        """Count a step of the optimizer, after it; renew the masks when that is due.

        One that a loss scaler skipped, or whose gradients are not finite, is none: it changes
        nothing here but `dropped`.

        Raises
        ------
        InvalidInput
            Before the first backward pass; if an attached optimizer calls it already; for
            a weight that is not finite, naming it and the step: the old masks stay.
        """
        if self.attached:
            raise InvalidInput("the optimizer calls step by itself since attach: leave it out")
        if decays(self.layers):
            raise InvalidInput(
                "masked_decay adds to gradients before the optimizer's step: "
                "give the optimizer to sparsify, or to attach"
            )
        self.advance()

    def attach(self, *optimizers: torch.optim.Optimizer) -> None:
        """Let an optimizer call `step` from now on, after each step of its own.

        It may be wrapped. Of several a step is over when the last of them has stepped.

        Raises
        ------
        InvalidInput
            If they do not train all masked weights, or another is attached.
        """
        refuse_untrained(optimizers, self.layers)
        if self.attached:
            raise InvalidInput("an optimizer is attached already")
        self._listen(*optimizers)

    def detach(self) -> None:
        """Let go of the optimizers, and of the modules that a score looks at."""
        for hook in self._hooks:
            hook.remove()
        if self._listener is not None:
            self._listener.remove()
        self._hooks, self._listener = [], None

    def refresh(self) -> None:
        """Solve all masks now, for the weights as they are.

        During the warm-up masks keep everything, and this does nothing.

        Raises
        ------
        InvalidInput
            For a weight that is not finite, naming it and the step: the old masks stay.
        """
        self._refuse_lost()
        self._count.settle()
        self._renew(self.layers)

    def report(self, since: int | None = None) -> Report:
        """Tell how the masks stand: print it for a table.

        Parameters
        ----------
        since : int, optional
            The step from whose masks the distance (SAD) is told; default: the first ones'.
        """
        return report(self.model, self.layers, self.history, self.steps, self.skipped, since)

    def finalize(self) -> dict[str, Tensor]:
        """Leave plain modules with dense weights in which the pruned ones are zero.

        Returns
        -------
        dict of str to Tensor of bool
            The last masks, by the names of the weights.

        Raises
        ------
        InvalidInput, MaskViolation
            If the model is sharded, lost a masked layer, or a mask breaks its pattern.
        """
        wrapper = sharding(self.model)
        if wrapper is not None:
            raise InvalidInput(
                f"the model's weights are sharded by {wrapper}: instead of finalizing it, load "
                "masksolve.torch.dense_state_dict(model) into a plain one"
            )
        self._links.check(self._count.taken, masks=True)
        masks = self.masks
        for layer in self.layers:
            layer.refuse_offloaded()
        self.detach()
        for layer in self.layers:
            layer.release()
            make_plain(layer.module)
        save_usually(self.model)
        self.layers = []
        self._links = Links(self.model, [])
        return masks

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint needs besides the model's own state: the step."""
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a checkpoint; the masks come with the model's own state.

        The history begins anew: what came before was another training.
        """
        self.steps = as_count(state["steps"], "steps", 0)
        self.history = History()
        for layer in self.layers:
            layer.result = None

    def advance(
        self, parameters: Iterable[Tensor] | None = None, found: Iterable[Tensor] = ()
    ) -> None:
        """Do what `step` does, for callers that add masked decay themselves.

        Parameters
        ----------
        parameters : iterable of Tensor, optional
            That were trained; default: the model's. A step is one if their gradients are finite.
        found : iterable of Tensor
            What loss scalers found that is not, as they tell fused optimizers.
        """
        self._refuse_lost()
        seen, gone = look_at(self.layers)
        untouched = gone and seen == self._seen
        if untouched and self._count.taken == 0:
            raise InvalidInput(
                "step came before the first backward pass: call it after optimizer.step()"
            )
        score = self._score
        if score is not None and score.needs_gradients and gone and not untouched:
            raise InvalidInput(
                "the score needs gradients and there are none: call step before zero_grad"
            )
        trained = self.model.parameters() if parameters is None else parameters
        gradients = (p.grad for p in trained if p.grad is not None)
        skipped = untouched or not_finite(gradients, found, self._threads)
        self._seen = seen
        self._count.add(skipped)
        if score is not None:
            for layer in self.layers:
                score.observe(layer, skipped)
        if skipped is True:
            refuse_ruined(self.layers, self._count.taken + 1)
            return
        due = [layer for layer in self.layers if self._is_due(layer)]
        if due:
            self._renew(due)

    def _listen(self, *optimizers: torch.optim.Optimizer) -> None:
        self._listener = Listener(self.layers, optimizers, self._before_step, self._after_step)

    def _refuse_lost(self) -> None:
        if not self.layers:
            raise InvalidInput("the model is finalized: there are no masks to renew")
        self._links.check(self._count.taken)

    def _is_due(self, layer: Layer) -> bool:
        final = layer.masked.pattern
        if layer.masked.estimator == "none":
            # Static: only on the way to the pattern.
            steps = self._count.taken
            now, before = (self._schedule.pattern(final, s) for s in (steps, steps - 1))
            return now != before
        return self._schedule.due(final, self._count.taken)

    def _before_step(self, optimizer: Any, args: tuple[Any, ...], kwargs: Any) -> None:
        if decays(self.layers):
            refuse_closure(args, kwargs)
            decay_gradients(self.layers, optimizer, getattr(optimizer, "grad_scale", None))

    def _after_step(self, found: list[Tensor]) -> None:
        listener = self._listener
        self.advance(None if listener is None else listener.parameters(), found)

    @torch.no_grad()
    def _renew(self, layers: list[Layer]) -> None:
        watch = Stopwatch()
        renewals: list[Renewal] | None = None
        try:
            begun = [self._begin(layer) for layer in layers]
            renewals = [renewal for renewal in begun if renewal is not None]
            solve_together(renewals, self._threads)
        except InvalidInput:
            if not self._count.settle():
                raise
        if renewals is None or self._count.settle():
            # The device tells only now, while it solves, that the step due was not one.
            refuse_ruined(self.layers, self._count.taken + 1)
            return
        for renewal in renewals:
            renewal.settle(self._count.taken)
        # Only now: a weight that cannot be solved leaves all masks as they were.
        for layer in layers:
            layer.masked.came = None
        if renewals:
            record = Record(self.steps, put_in_place(renewals, watch, self._threads))
            self.history.add(record, {each.layer.name: each.changes for each in renewals})
            if self._writer is not None:
                log(self._writer, record)

    def _begin(self, layer: Layer) -> Renewal | None:
        """Have a layer's new mask solved, or make ready for it; None during the warm-up."""
        watch = Stopwatch()
        pattern = self._schedule.pattern(layer.masked.pattern, self._count.taken)
        if pattern.n == pattern.m:
            return None
        layer.refuse_offloaded()
        weight = layer.weight
        scores = weight if self._score is None else self._score(layer)
        scores = agreed(scores, weight, self._replicas)
        last = layer.result
        same = last is not None and last.pattern == pattern
        warm = pattern.m >= WARM_SINCE if self._warm_start is None else self._warm_start
        name = f"the score of {layer.name}"
        refuse_unfit(scores, layer.mask.shape, name, "the weight")
        with naming(layer, self._count.taken):
            begun = begin(
                scores,
                layer.layout,
                pattern,
                method=self._method,
                options=self._options,
                magnitude=self._score is None,
                warm_start=last if warm and same else None,
                potentials=warm,
                threads=self._threads,
                name=name,
                totals=True,
            )
        return Renewal(layer, begun, scores, watch.seconds)
