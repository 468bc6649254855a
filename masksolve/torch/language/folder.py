"""A model's folder, in Hugging Face's layout: its configuration, its tokenizer, its weights.

Nothing is ever downloaded, and no code that lies in the folder is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from masksolve.checkpoints.names import brief
from masksolve.errors import FileFormatError, InvalidInput
from masksolve.torch.language.quiet import quiet

__all__ = ["LanguageModel"]

LOCAL: dict[str, bool] = {"local_files_only": True, "trust_remote_code": False}


class LanguageModel:
    """A folder of a language model, whose parts are read when they are asked for.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path

    Raises
    ------
    FileFormatError
        If there is no such folder, or no configuration in it.
    InvalidInput
        If transformers is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileFormatError(f"{path} is not a folder: expected one with a model")
        if not (self.path / "config.json").is_file():
            raise FileFormatError(f"{path} holds no config.json: expected a model's folder")
        try:
            import transformers  # noqa: F401
        except ModuleNotFoundError:
            raise InvalidInput(
                "language models need transformers: pip install 'masksolve[prune]'"
            ) from None

    @cached_property
    def config(self) -> Any:
        """The configuration of the whole model."""
        from transformers import AutoConfig

        with self._reading("configuration"):
            return AutoConfig.from_pretrained(self.path, **LOCAL)

    @property
    def _text(self) -> Any:
        """The configuration of the part that reads text."""
        return self.config.get_text_config(decoder=True)

    @property
    def vocabulary(self) -> int | None:
        """How many tokens the model knows; None if its configuration does not say."""
        return getattr(self._text, "vocab_size", None)

    @property
    def longest(self) -> int | None:
        """How many tokens the model reads at once; None if its configuration does not say."""
        return getattr(self._text, "max_position_embeddings", None)

    @property
    def reads_text(self) -> bool:
        """Whether a tokenizer lies in the folder."""
        return any(self.path.glob("*token*")) or any(self.path.glob("vocab*"))

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer that lies in the folder.

        Raises
        ------
        FileFormatError
            If there is none, or it cannot be read.
        """
        from transformers import AutoTokenizer

        if not self.reads_text:
            raise FileFormatError(
                f"{self.path} holds no tokenizer: expected one, or tokens in a safetensors file"
            )
        with self._reading("tokenizer"):
            return AutoTokenizer.from_pretrained(self.path, **LOCAL)

    def load(self, device: torch.device | str | None = None) -> Any:
        """Return the model, ready to foretell tokens, its weights of the dtype they are stored in.

        Raises
        ------
        FileFormatError
            If weights are missing.
        InvalidInput
            If the model does not foretell the next token, as encoders do not, or there is no such
            device.
        """
        from transformers import AutoModelForCausalLM

        place = _device(device)
        self._check_foretells()
        with self._reading("weights"):
            model, seen = AutoModelForCausalLM.from_pretrained(
                self.path, dtype="auto", output_loading_info=True, **LOCAL
            )
        if missing := sorted(seen["missing_keys"]):
            raise FileFormatError(
                f"{self.path} lacks {len(missing)} of the model's weights, {missing[0]!r} first"
            )
        return model.to(place).eval()

    def _check_foretells(self) -> None:
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        wanted = {
            name
            for names in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()
            for name in ([names] if isinstance(names, str) else names)
        }
        own = list(getattr(self.config, "architectures", None) or [])
        if own and not wanted & set(own):
            raise InvalidInput(
                f"{self.path} holds {own[0]}, which does not foretell the next token of a text"
            )

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        """Say in one sentence what could not be read, whatever a library raises, and be quiet."""
        try:
            with quiet():
                yield
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # of any kind: files, JSON, shapes, packages that are missing
            first = brief(" ".join(str(error).split()), 200) or type(error).__name__
            raise FileFormatError(f"{self.path}: its {what} cannot be read: {first}") from None


def _device(device: torch.device | str | None) -> torch.device:
    """Return a device that is there; default: the CPU."""
    try:
        place = torch.device("cpu" if device is None else device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).split("\n")[0]
        raise InvalidInput(f"device {str(device)!r} cannot be used: {brief(first, 200)}") from None
    return place
