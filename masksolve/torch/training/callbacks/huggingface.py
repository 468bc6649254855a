"""Masks in a training by Hugging Face's Trainer."""

from __future__ import annotations

from typing import Any

from torch import nn

from masksolve.torch.training.callbacks.shared import add_decay, check_model, count_step, latest
from masksolve.torch.training.handle import Handle

try:
    from transformers import TrainerCallback
except ImportError:
    raise ImportError(
        "HuggingFaceCallback needs transformers: pip install transformers accelerate"
    ) from None

__all__ = ["HuggingFaceCallback"]

STATE = "masksolve"
"""Under this name the state of the handle goes into a checkpoint's ``trainer_state.json``."""


class HuggingFaceCallback(TrainerCallback):
    """Renews the masks after each optimizer step of a ``transformers.Trainer``.

    Checkpoints hold the masks, with the model, and the step; ``resume_from_checkpoint``
    goes on from there, given a model that was sparsified in the same way. The kept share,
    the flip rate and the seconds of the last refresh join the Trainer's own logs.

    Parameters
    ----------
    handle : Handle
        To the model that the Trainer gets, or to a part of it.

    Examples
    --------
    ::

        handle = masksolve.torch.sparsify(model, "4:8")
        trainer = Trainer(model, arguments, callbacks=[HuggingFaceCallback(handle)], ...)
        trainer.train()
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self._hook: Any = None

    def before_reporters(self, trainer: Any) -> None:
        """Move the callback to the front, so that ``report_to`` reports the masks too.

        Trainer puts the reporters (TensorBoard, Weights & Biases and so on) before the
        callbacks that it is given, and they never see what a later one logs: without this
        that is in ``trainer.state.log_history`` and on the screen only.
        """
        callbacks = trainer.callback_handler.callbacks
        callbacks.remove(self)
        callbacks.insert(0, self)

    def on_train_begin(
        self,
        args: Any,
        state: Any,
        control: Any,
        *,
        model: nn.Module,
        optimizer: Any,
        **others: Any,
    ) -> None:
        """Check the model, and go on from the checkpoint's step if there is one."""
        check_model(self.handle, model)
        if STATE in state.stateful_callbacks:
            self.handle.load_state_dict(state.stateful_callbacks[STATE])
        self._remove_hook()
        # The optimizer itself, not what accelerate wraps it in: there gradients are clipped.
        inner = getattr(optimizer, "optimizer", optimizer)
        if any(layer.masked.estimator == "masked_decay" for layer in self.handle.layers):
            self._hook = inner.register_step_pre_hook(self._before_step)

    def on_optimizer_step(
        self, args: Any, state: Any, control: Any, *, optimizer: Any, **others: Any
    ) -> None:
        """Count the step while gradients are still there, unless a loss scaler skipped it."""
        if not getattr(optimizer, "step_was_skipped", False):
            count_step(self.handle, optimizer)
        state.stateful_callbacks[STATE] = self.handle.state_dict()

    def on_log(
        self, args: Any, state: Any, control: Any, *, logs: dict[str, float], **others: Any
    ) -> None:
        """Add to the logs of training steps."""
        if "loss" in logs:
            logs.update(latest(self.handle))
            state.log_history[-1].update(latest(self.handle))

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Let go of the optimizer."""
        self._remove_hook()

    def _before_step(self, optimizer: Any, *arguments: Any) -> None:
        add_decay(self.handle, optimizer, getattr(optimizer, "grad_scale", None))

    def _remove_hook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
