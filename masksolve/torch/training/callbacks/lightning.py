"""Masks in a training by Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import Optimizer

from masksolve.torch.training.callbacks.shared import add_decay, check_model, count_step, latest
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

    Examples
    --------
    ::

        handle = masksolve.torch.sparsify(module, "4:8")
        trainer = Trainer(callbacks=[LightningCallback(handle)], ...)
        trainer.fit(module, loader)
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self._seen = 0

    def on_fit_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Check the model before anything runs."""
        check_model(self.handle, pl_module)

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Remember where the Trainer's count of steps begins: not at zero if it resumes."""
        self._seen = trainer.global_step

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
