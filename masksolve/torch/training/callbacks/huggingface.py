"""Masks in a training by Hugging Face's Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from masksolve.torch.training.callbacks.checkpoints import (
    find_masks,
    masks_of_the_best,
    save_module,
    take_plain,
)
from masksolve.torch.training.callbacks.shared import (
    add_decay,
    check_handle,
    check_model,
    count_step,
    hold,
    latest,
)
from masksolve.torch.training.handle import Handle
from masksolve.torch.training.saving import save_plainly

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

    Checkpoints hold plain weights, the masks in a file beside them, and the step;
    ``resume_from_checkpoint`` goes on from there, given a model that was sparsified in the
    same way, and ``load_best_model_at_end`` brings the masks of the best. The kept share, the
    flip rate and the seconds of the last refresh join the Trainer's own logs.

    Parameters
    ----------
    handle : Handle
        To the model that the Trainer gets, or to a part of it.

    Raises
    ------
    InvalidInput
        If it is no handle, or its model is finalized.

    Examples
    --------
    ::

        handle = masksolve.torch.sparsify(model, "4:8")
        trainer = Trainer(model, arguments, callbacks=[HuggingFaceCallback(handle)], ...)
        trainer.train()
    """

    def __init__(self, handle: Handle) -> None:
        check_handle(handle, type(self).__name__)
        self.handle = handle
        self._hooks: list[Any] = []
        take_plain(handle)

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
        came = {layer.masked.came for layer in self.handle.layers}
        if STATE in state.stateful_callbacks:
            saved = state.stateful_callbacks[STATE]
            self.handle.load_state_dict(saved)
            # Of adapters alone nothing else is loaded, and the base has the masks that it had.
            if came != {"masked"} and not hasattr(model, "peft_config"):
                find_masks(self.handle, model, args, state, saved)
        elif "plain" in came:
            self.handle.refresh()
        take_plain(self.handle)
        save_plainly(model)
        self._remove_hooks()
        # The optimizer itself, not what accelerate wraps it in: there gradients are clipped.
        inner = getattr(optimizer, "optimizer", optimizer)
        self._hooks = hold(self.handle, inner)
        if any(layer.masked.estimator == "masked_decay" for layer in self.handle.layers):
            self._hooks.append(inner.register_step_pre_hook(self._before_step))

    def on_optimizer_step(
        self, args: Any, state: Any, control: Any, *, optimizer: Any, **others: Any
    ) -> None:
        """Count the step while gradients are still there, unless a loss scaler skipped it."""
        if not getattr(optimizer, "step_was_skipped", False):
            count_step(self.handle, optimizer)
        saved = self.handle.state_dict() | {"output_dir": args.output_dir}
        state.stateful_callbacks[STATE] = saved

    def on_save(
        self, args: Any, state: Any, control: Any, *, model: nn.Module, **others: Any
    ) -> None:
        """See to a model that Trainer does not save by ``save_pretrained``."""
        if not hasattr(model, "save_pretrained"):
            folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
            save_module(model, folder, args.should_save and folder.is_dir())

    def on_log(
        self, args: Any, state: Any, control: Any, *, logs: dict[str, float], **others: Any
    ) -> None:
        """Add to the logs of training steps."""
        if "loss" in logs:
            logs.update(latest(self.handle))
            state.log_history[-1].update(latest(self.handle))

    def on_train_end(
        self, args: Any, state: Any, control: Any, *, model: nn.Module, **others: Any
    ) -> None:
        """Let go of the optimizer; take the masks of the best weights, if these were loaded."""
        self._remove_hooks()
        if any(layer.masked.came == "plain" for layer in self.handle.layers):
            masks_of_the_best(self.handle, model, state.best_model_checkpoint)
        take_plain(self.handle)

    def _before_step(self, optimizer: Any, *arguments: Any) -> None:
        add_decay(self.handle, optimizer, getattr(optimizer, "grad_scale", None))

    def _remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
