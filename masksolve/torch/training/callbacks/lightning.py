"""Masks in a training by Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from masksolve.errors import InvalidInput
from masksolve.torch.training.callbacks.shared import (
    add_decay,
    check_handle,
    check_model,
    count_step,
    hold,
    latest,
)
from masksolve.torch.training.handle import Handle

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError:
        raise ImportError("LightningCallback needs Lightning: pip install lightning") from None

__all__ = ["LightningCallback"]


class LightningCallback(Callback):
    """Renews the masks after each optimizer step of a Lightning ``Trainer``.

    Batches that only accumulate gradients are no steps, and a batch in which several
    optimizers step is one. Checkpoints hold the masks, with the module, and the step;
    ``fit(ckpt_path=...)`` goes on from there, given a model that was sparsified in the same
    way. The kept share, the flip rate and the seconds of the last refresh are logged as by
    ``self.log``. Masked decay joins gradients before Lightning clips them.

    Parameters
    ----------
    handle : Handle
        To the LightningModule that the Trainer gets, or to a part of it.

    Raises
    ------
    InvalidInput
        If it is no handle, or its model is finalized.

    Examples
    --------
    ::

        handle = masksolve.torch.sparsify(module, "4:8")
        trainer = Trainer(callbacks=[LightningCallback(handle)], ...)
        trainer.fit(module, loader)
    """

    def __init__(self, handle: Handle) -> None:
        check_handle(handle, type(self).__name__)
        self.handle = handle
        self._seen = 0
        self._hooks: list[Any] = []

    def on_fit_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Check the model before anything runs."""
        check_model(self.handle, pl_module)
        for callback in trainer.callbacks:
            kinds = {kind.__name__ for kind in type(callback).__mro__}
            if "WeightAveraging" in kinds and callback._use_buffers:
                raise InvalidInput(
                    f"{type(callback).__name__} averages buffers, and masks are among them: "
                    "give it use_buffers=False"
                )

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Remember where the Trainer's count of steps begins: not at zero if it resumes."""
        self._seen = trainer.global_step
        self._remove_hooks()
        self._hooks = [hook for one in trainer.optimizers for hook in hold(self.handle, one)]

    def on_train_end(self, trainer: Any, pl_module: nn.Module) -> None:
        """Let go of the optimizers."""
        self._remove_hooks()

    def on_before_optimizer_step(
        self, trainer: Any, pl_module: nn.Module, optimizer: Optimizer
    ) -> None:
        """Let masked decay join the gradients."""
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        fused = getattr(optimizer, "_step_supports_amp_scaling", False)
        add_decay(self.handle, optimizer, scaler.get_scale() if scaler and fused else None)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the step, if there was one, and log."""
        if trainer.global_step > self._seen:
            self._seen = trainer.global_step
            count_step(self.handle, *trainer.optimizers)
        pl_module.log_dict(latest(self.handle), on_step=True, on_epoch=False)

    def state_dict(self) -> dict[str, Any]:
        """Return what goes into a checkpoint."""
        return self.handle.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.handle.load_state_dict(state_dict)

    def _remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
