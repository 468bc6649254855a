"""A language model from checkpoint to checkpoint, block by block."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from masksolve.checkpoints.manifest import identity
from masksolve.checkpoints.names import brief
from masksolve.checkpoints.selection import choose_tensors
from masksolve.checkpoints.target import compare_settings
from masksolve.compiling import Stopwatch
from masksolve.errors import InvalidInput, about
from masksolve.storage.stored import StoredMask
from masksolve.threads import Progress, reporting
from masksolve.torch.arrays import as_array
from masksolve.torch.pruning.blocks import Call, called_blocks, find_blocks, next_call
from masksolve.torch.pruning.inputs import CalibrationLike, TextOptions, read_batches
from masksolve.torch.pruning.layers import Layers
from masksolve.torch.pruning.model import StreamedModel
from masksolve.torch.pruning.needs import Needs
from masksolve.torch.pruning.output import BESIDE, REPORT, write_folder, write_report
from masksolve.torch.pruning.passes import prune_block
from masksolve.torch.pruning.report import PruneReport
from masksolve.torch.pruning.settings import PruneSettings
from masksolve.torch.pruning.states import States
from masksolve.torch.pruning.work import BlockFile, Work, refuse_taken

__all__ = ["Pruning"]

OUTSIDE = "it lies outside the blocks"
UNREACHED = "its block is not called by what calibrates the model"


class Pruning:
    """A run.

    Parameters
    ----------
    source, output : Path
    settings : PruneSettings
    calibration
        As for `read_batches`.
    text : TextOptions
    device : torch.device
    """

    def __init__(
        self,
        source: Path,
        output: Path,
        settings: PruneSettings,
        calibration: CalibrationLike,
        text: TextOptions,
        device: torch.device,
    ) -> None:
        self.settings, self.output, self.device, self.text = settings, output, device, text
        self.model = StreamedModel(source, device)
        self.blocks = find_blocks(self.model.network)
        self.choice = choose_tensors(
            self.model.checkpoint,
            settings.tensors,
            settings.exclude,
            patterns=[settings.fit.pattern],
        )
        self.wanted = {name: self._wanted(name) for name in self.blocks}
        if not any(self.wanted.values()):
            raise InvalidInput(
                f"{source}: no weight in the blocks, such as {self.blocks[0]}, can be pruned: "
                f"{self._why_none()}"
            )
        self.batches = read_batches(calibration, source, text)
        vocabulary = getattr(self.model.network.config.get_text_config(), "vocab_size", None)
        self.batches.refuse_unknown(vocabulary)
        self.needs = Needs.of(self.model, self.wanted, self.batches, settings)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What decides about the output."""
        files = self.model.checkpoint.shards.items()
        return self.settings.to_dict() | {
            "calibration": self.batches.identity,
            "device": self.device.type,
            "source": {name: identity(file) for name, file in files},
        }

    def finished(self) -> PruneReport | None:
        """Return the report of a run that has ended here; None if there is none.

        Raises
        ------
        InvalidInput
            If something else is there.
        """
        path = self.output / BESIDE / REPORT
        if not path.is_file():
            refuse_taken(self.output)
            return None
        report = PruneReport.read(self.output, path)
        compare_settings(self.output, report.settings, self.asked, "expected a new folder")
        return report

    def go(self, progress: Progress, evaluate: Path | None) -> PruneReport:
        """Do what is not done yet, and publish all when it is whole."""
        work = Work(self.output)
        with work.opened(self.asked):
            work.check_space(self.needs.disk)
            blocks = [*self._blocks(work, progress)]
            report = self._report(blocks)
            write_folder(self.model.checkpoint, blocks, work.made, self.asked)
            if evaluate is not None:
                report.evaluation = self._evaluated(work.made, evaluate)
            write_report(work.made, report)
            work.publish()
        return report

    def evaluate(self, report: PruneReport, text: Path) -> None:
        """Evaluate what an earlier run has made, if that has not been done."""
        if report.evaluation is None:
            report.evaluation = self._evaluated(self.output, text)
            write_report(self.output, report)

    def _blocks(self, work: Work, progress: Progress) -> Iterator[BlockFile]:
        """Prune block after block, in the order in which they are called."""
        states: States | None = None
        self.model.load(self.model.outer(self.blocks))
        first = work.block(0)
        length, called = self._look_ahead() if first is None else first.told["calls"]
        with reporting(progress, len(called), "blocks") as report:
            for number in range(len(called)):
                found = work.block(number)
                if found is None:
                    if states is None and number:
                        states = States(work.states / f"{number:05d}", 0)
                    after = States(work.states / f"{number + 1:05d}", self.needs.room)
                    done = dict.fromkeys(called[:number], length)
                    calls = _Calls(self, done, states, after)
                    found = self._prune(number, calls, work, [length, called])
                    if states is not None:
                        states.remove()
                    states = after
                yield found
                report(number + 1)

    def _look_ahead(self) -> tuple[int, list[str]]:
        """Return in what form blocks give hidden states, and which are called in which order."""
        inputs = self.batches.on(0, self.device)
        call = next_call(self.model.network, self.blocks, {}, None, inputs)
        if call is None:
            raise InvalidInput(f"{self.model.path}: what calibrates it comes to none of its blocks")
        names = self.model.names(call.name)
        self.model.load(names)
        with torch.no_grad():
            length = call.length(self.model.network.get_submodule(call.name))
        self.model.free(names)
        return length, called_blocks(self.model.network, self.blocks, length, inputs)

    def _prune(self, number: int, calls: _Calls, work: Work, told_calls: list[Any]) -> BlockFile:
        """Prune the next block."""
        watch, started = Stopwatch(), time.process_time()
        batches = [_Batch(calls, k) for k in range(len(self.batches.inputs))]
        call = batches[0].find()
        name, names = call.name, self.model.names(call.name)
        module = self.model.network.get_submodule(name)
        calls.after.clear()
        self.model.load(names)
        layers = self._layers(name)
        with about(name):
            outcome = prune_block(
                module,
                layers,
                batches,
                parallel=self.settings.mode == "parallel",
                waiting=self.needs.waiting,
                room=self.needs.room,
            )
        tensors, masks = self._as_files(layers)
        self.model.free(names)
        told = {
            "name": name,
            "seconds": {"all": watch.seconds, "processor": time.process_time() - started}
            | layers.seconds,
            "errors": outcome.errors,
            "layers": layers.rows,
            "left": [[self.wanted[name][one], why] for one, why in outcome.plan.left.items()],
            "unseen": layers.unseen,
            "calls": told_calls,
        }
        return work.write(number, tensors, masks, told)

    def _layers(self, block: str) -> Layers:
        prefix = f"{block}."
        parameters, dtypes = {}, {}
        own = self.model.network.state_dict(keep_vars=True)
        tensors = self.model.checkpoint.tensors
        for name in self.model.names(block):
            if isinstance(own[name], torch.nn.Parameter):
                parameters[name] = own[name].detach()
                dtypes[name] = _DTYPES[tensors[self.model.sources[name][0]].dtype]
        assert all(name.startswith(prefix) for name in parameters)
        return Layers(parameters, dtypes, self.wanted[block], self.settings.fit)

    def _as_files(self, layers: Layers) -> tuple[dict[str, Any], dict[str, StoredMask]]:
        """Return what was fitted as files hold it: arrays, and the masks of some."""
        tensors: dict[str, Any] = {}
        masks: dict[str, StoredMask] = {}
        for name, new in layers.fitted.items():
            for own, part in self.model.as_files(name, new).items():
                dtype = _DTYPES[self.model.checkpoint.tensors[own].dtype]
                tensors[own] = as_array(part.to(dtype).contiguous())
        for name, mask in layers.masks.items():
            for own, part in self.model.as_files(name, mask).items():
                with about(f"{self.model.path}: tensor {own!r}"):
                    masks[own] = StoredMask.of(
                        as_array(part),
                        self.settings.fit.pattern,
                        tensors[own],
                        axes=self.choice.axes[own],
                        method=self.settings.fit.method,
                    )
        return tensors, masks

    def _wanted(self, block: str) -> dict[str, str]:
        """Return the parameters of a block to prune, and what to call them."""
        found = {}
        for name in self.model.names(block):
            own = self.model.sources[name]
            whole = len(own) == 1 or all(self._whole(one) for one in own)
            if all(one in self.choice.axes for one in own) and whole:
                found[name] = own[0] if len(own) == 1 else name
        return found

    def _whole(self, name: str) -> bool:
        """Tell whether a tensor that is a part of a parameter has whole tiles."""
        shape, pattern = self.model.checkpoint.tensors[name].shape, self.settings.fit.pattern
        sides = [shape[axis] for axis in self.choice.axes[name]] if name in self.choice.axes else []
        return all(side % pattern.m == 0 for side in sides)

    def _why_none(self) -> str:
        reasons = self.choice.reasons()
        return reasons[0][0] if reasons else OUTSIDE

    def _evaluated(self, made: Path, text: Path) -> dict[str, Any]:
        """Compare what was made with the dense model, on a text."""
        from masksolve.torch.language import evaluate_checkpoint

        how = {"length": self.text.length, "seed": self.text.seed, "device": self.device}
        found = evaluate_checkpoint(made, text, beside=self.model.path, **how)
        return found.to_dict() | {"model": str(self.output)}

    def _report(self, blocks: Sequence[BlockFile]) -> PruneReport:
        tensors = self.model.checkpoint.tensors
        masked = {name for block in blocks for name in block.records}
        told = [block.told for block in blocks]
        why = dict(self.choice.skipped)
        for one in told:
            for called, reason in one["left"]:
                for name in self.model.sources.get(called, [called]):
                    why[name] = reason
        reached = {one["name"] for one in told}
        missed = {
            source
            for block in self.blocks
            if block not in reached
            for name in self.model.names(block)
            for source in self.model.sources[name]
        }
        left = [
            (name, why.get(name, UNREACHED if name in missed else OUTSIDE))
            for name, spec in tensors.items()
            if name not in masked and len(spec.shape) > 1
        ]
        pruned = sum(_size(tensors[name].shape) for name in masked)
        total = sum(_size(spec.shape) for spec in tensors.values() if spec.floating)
        said = [*self.batches.warnings, *self._warnings(told)]
        for sentence in said:
            warnings.warn(sentence, stacklevel=4)
        return PruneReport(
            self.output,
            self.asked,
            [
                {k: v for k, v in one.items() if k not in ("left", "unseen", "calls")}
                for one in told
            ],
            left,
            said,
            pruned,
            pruned / total,
            self.batches.tokens,
            sum(one["seconds"]["all"] for one in told),
        )

    def _warnings(self, told: Sequence[Mapping[str, Any]]) -> list[str]:
        found = []
        unseen = [name for one in told for name in one["unseen"]]
        if unseen:
            more = f" and {len(unseen) - 1} more" * (len(unseen) > 1)
            found.append(f"no token came to {brief(unseen[0])}{more}: magnitudes alone chose masks")
        widest = max((layer["shape"][1] for one in told for layer in one["layers"]), default=0)
        if self.batches.tokens:
            from masksolve.torch.language import few_tokens

            if (said := few_tokens(self.batches.tokens, widest)) is not None:
                found.append(said)
        return found


@dataclass(frozen=True, eq=False)
class _Calls:
    """How all batches come to the next block, and where they go from there."""

    run: Pruning
    done: Mapping[str, int]
    states: States | None
    after: States


@dataclass(eq=False)
class _Batch:
    """A batch at a block: hidden states are got whenever they are asked for, not held."""

    calls: _Calls
    number: int
    _call: Call | None = None

    @property
    def held_out(self) -> bool:
        """Whether it only judges."""
        return self.calls.run.batches.held_out[self.number]

    def find(self) -> Call:
        """Find how the network calls the next block with this batch."""
        run, calls = self.calls.run, self.calls
        states = None if calls.states is None else self._get("dense")
        inputs = run.batches.on(self.number, run.device)
        found = next_call(run.model.network, run.blocks, calls.done, states, inputs)
        if found is None or (states is not None and found.states is not states):
            name = [*calls.done][-1]
            raise InvalidInput(
                f"what {name} gives is not what the next block takes, which cannot be followed: "
                "prune the model in memory, by masksolve.torch.adaprune"
            )
        self._call = found
        return found

    def call(self, stream: str) -> Call:
        """Return how the block is called with it in a stream."""
        call = self._call or self.find()
        if self.calls.states is None:
            return call
        self._call = call.with_states(torch.empty(0))  # arguments alone are kept
        return call.with_states(self._get(stream))

    def put(self, stream: str, states: Tensor) -> None:
        """Take what the block gives."""
        if not bool(states.isfinite().all()):
            raise InvalidInput(f"hidden states behind it are not finite in the {stream} network")
        self.calls.after.put(stream, self.number, states)

    def _get(self, stream: str) -> Tensor:
        assert self.calls.states is not None
        return self.calls.states.get(stream, self.number).to(self.calls.run.device)


def _size(shape: Sequence[int]) -> int:
    return int(torch.Size(shape).numel())


_DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
