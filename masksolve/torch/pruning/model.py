"""A model of which only the parts at work are in memory, read from the files of its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from masksolve.checkpoints.names import brief
from masksolve.checkpoints.source import Checkpoint
from masksolve.errors import FileFormatError, InvalidInput
from masksolve.quantised import recognise
from masksolve.torch.arrays import as_tensor
from masksolve.torch.language.quiet import quiet

__all__ = ["StreamedModel"]

LOCAL: dict[str, bool] = {"local_files_only": True, "trust_remote_code": False}


class StreamedModel:
    """The model of a folder: its modules on no device, until their weights are loaded.

    All is computed in single precision, whatever the files hold.

    Parameters
    ----------
    path : str or Path
        A folder in Hugging Face's layout.
    device : torch.device

    Attributes
    ----------
    checkpoint : Checkpoint
    network : PreTrainedModel
    sources : dict of str to list of str
        By the names of the network's parameters and buffers the tensors that each is made of.

    Raises
    ------
    FileFormatError
        If there is no configuration, there are no weights, or some are missing.
    InvalidInput
        If the architecture is none of transformers', or the weights are quantised.
    """

    def __init__(self, path: str | Path, device: torch.device) -> None:
        self.path = Path(path)
        self.device = device
        if not self.path.is_dir():
            raise FileFormatError(f"{path} is not a folder: expected one with a model")
        if not (self.path / "config.json").is_file():
            raise FileFormatError(f"{path} holds no config.json: expected a model's folder")
        self.checkpoint = Checkpoint.open(self.path)
        self._refuse_quantised()
        with reading(self.path):
            self.network = _empty(self.path)
        self._transforms = _transforms(self.network)
        self.sources = self._find_sources()
        self._fill_buffers()

    def _refuse_quantised(self) -> None:
        quantised = recognise(self.path, self.checkpoint.shards.values())
        coded = [*quantised.codings]
        if coded:
            raise InvalidInput(
                f"{self.path} is quantised, as tensor {brief(coded[0])!r} shows: expected the "
                "model that it was made of"
            )

    def _find_sources(self) -> dict[str, list[str]]:
        from transformers.core_model_loading import WeightConverter, rename_source_key

        renamings = [one for one in self._transforms if not isinstance(one, WeightConverter)]
        converters = [one for one in self._transforms if isinstance(one, WeightConverter)]
        own = self.network.state_dict()
        sources: dict[str, list[str]] = {}
        for name in self.checkpoint.tensors:
            known = (self.network.base_model_prefix, own)
            found, _ = rename_source_key(name, renamings, converters, *known)
            if found not in own and name in own:
                found, _ = rename_source_key(name, [], [], *known)
            if found in own:
                sources.setdefault(found, []).append(name)
        missing = [
            name
            for name, _ in self.network.named_parameters()
            if name not in sources
            and name not in self.network.all_tied_weights_keys
            and name.startswith(self._prefix)
        ]
        if missing:
            raise FileFormatError(
                f"{self.path} lacks {len(missing)} of the weights of "
                f"{type(self.network).__name__}, {missing[0]!r} first"
            )
        return sources

    @property
    def _prefix(self) -> str:
        """What the names of all begin with that is no head."""
        network = self.network
        return "" if network.base_model is network else f"{network.base_model_prefix}."

    def _fill_buffers(self) -> None:
        """Give buffers that no file holds, such as rotary frequencies, their values."""
        network = self.network
        for name, buffer in [*network.named_buffers()]:
            if name not in self.sources:
                owner, own = network.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2]
                owner.register_buffer(own, torch.empty_like(buffer, device="cpu"), persistent=False)
        for tensor in [*network.parameters()]:
            tensor._is_hf_initialized = True
        with torch.no_grad(), quiet():
            network.initialize_weights()
        for module in network.modules():
            for own, buffer in module._buffers.items():
                if buffer is not None and buffer.device.type != "meta":
                    module._buffers[own] = buffer.to(self.device)

    def names(self, prefix: str) -> list[str]:
        """Return the parameters and buffers of a module that files hold."""
        return [name for name in self.sources if name.startswith(f"{prefix}.")]

    def outer(self, blocks: Iterable[str]) -> list[str]:
        """Return the parameters and buffers that lead to the blocks: no head, no block."""
        inside = tuple(f"{block}." for block in blocks)
        return [
            name
            for name in self.sources
            if name.startswith(self._prefix) and not name.startswith(inside)
        ]

    def load(self, names: Iterable[str]) -> None:
        """Read the weights of some parameters and buffers.

        Raises
        ------
        InvalidInput
            Naming the file and the tensor, if a weight is not finite.
        """
        from transformers.core_model_loading import convert_and_load_state_dict_in_model
        from transformers.modeling_utils import LoadStateDictConfig

        state = {}
        for name in names:
            for source in self.sources[name]:
                state[source] = self.read(source)
        config = LoadStateDictConfig(
            device_map={"": self.device}, dtype=torch.float32, weight_mapping=self._transforms
        )
        with quiet():
            info, _ = convert_and_load_state_dict_in_model(self.network, state, config)
        wrong = [*info.mismatched_keys, *info.conversion_errors, *info.error_msgs]
        if wrong:
            raise FileFormatError(
                f"{self.path}: weights do not fit config.json: {brief(str(wrong[0]), 200)}"
            )
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)

    def read(self, name: str) -> Tensor:
        """Read a tensor as it lies in its file; raise if it is not finite."""
        file = self.checkpoint.file(name)
        tensor = as_tensor(np.array(file.read(name)))
        if tensor.is_floating_point() and not bool(tensor.float().isfinite().all()):
            raise InvalidInput(f"{file.path}: tensor {name!r}: weights must be finite")
        return tensor

    def free(self, names: Iterable[str]) -> None:
        """Let go of the weights of some parameters and buffers."""
        for name in names:
            owner = self.network.get_submodule(name.rpartition(".")[0])
            own = name.rpartition(".")[2]
            held = getattr(owner, own)
            if isinstance(held, nn.Parameter):
                empty = nn.Parameter(torch.empty_like(held, device="meta"), requires_grad=False)
                owner._parameters[own] = empty
            else:
                owner._buffers[own] = torch.empty_like(held, device="meta")

    def as_files(self, name: str, value: Tensor) -> dict[str, Tensor]:
        """Return a parameter, or a mask of it, as the tensors that files hold it in.

        Raises
        ------
        InvalidInput
            If there is no way back.
        """
        from transformers.core_model_loading import WeightConverter, revert_weight_conversion

        own = self.sources[name]
        if len(own) == 1 and tuple(value.shape) == self.checkpoint.tensors[own[0]].shape:
            changed = any(
                isinstance(one, WeightConverter) and one.rename_source_key(own[0])[1] is not None
                for one in self._transforms
            )
            if not changed:
                return {own[0]: value}
        with quiet():
            found = revert_weight_conversion(self.network, {name: value})
        tensors = self.checkpoint.tensors
        if {*found} != {*own} or any(tuple(found[k].shape) != tensors[k].shape for k in own):
            raise InvalidInput(
                f"{self.path}: {name} is made of {len(own)} tensors, {own[0]!r} among them, and "
                "this version of transformers cannot take it apart again"
            )
        return {key: part.contiguous() for key, part in found.items()}


def _empty(path: Path) -> Any:
    """Build the network that the configuration asks for, on no device."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(path, **LOCAL)
    if getattr(config, "quantization_config", None) is not None:
        raise InvalidInput(
            f"{path} is quantised, as its config.json says: expected the model that it was made of"
        )
    if getattr(config, "is_encoder_decoder", False):
        raise InvalidInput(
            f"{path} holds an encoder and a decoder, {config.model_type}, which have two streams "
            "of hidden states: prune it in memory, by masksolve.torch.adaprune"
        )
    named = [*(getattr(config, "architectures", None) or ())]
    kind = getattr(transformers, named[0], None) if named else None
    if named and kind is None:
        raise InvalidInput(
            f"{path} holds {brief(str(named[0]))}, an architecture that transformers "
            f"{transformers.__version__} does not know"
        )
    config.use_cache = False
    config.get_text_config().use_cache = False
    with torch.device("meta"):
        network = transformers.AutoModel.from_config(config) if kind is None else kind(config)
    if network._can_set_experts_implementation():
        network.set_experts_implementation("eager")
    return network.eval().requires_grad_(False)


def _transforms(network: Any) -> list[Any]:
    from transformers.conversion_mapping import get_model_conversion_mapping

    return list(get_model_conversion_mapping(network))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say in one sentence what cannot be read, whatever a library raises."""
    try:
        with quiet():
            yield
    except (MemoryError, InvalidInput, FileFormatError):
        raise
    except Exception as error:  # of any kind: JSON, shapes, packages that are missing
        said = brief(" ".join(str(error).split()), 200) or type(error).__name__
        raise FileFormatError(f"{path}: its configuration cannot be read: {said}") from None
