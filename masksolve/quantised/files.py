"""The tensors of a model as its files hold them, and what is said of how they are quantised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from masksolve.quantised.grid import Place
from masksolve.storage.tensors import TensorFile, TensorSpec

__all__ = ["Files", "Settings", "elsewhere"]

CONFIGS = (
    ("config.json", "quantization_config"),
    ("config.json", "compression_config"),
    ("hf_quant_config.json", "quantization"),
    ("quantize_config.json", None),
    ("quant_config.json", None),
)
"""Where tools say how they quantised: a file beside the weights, and a key in it."""
INDICES = "*.safetensors.index.json"
SIZES = ("weight_block_size", "block_structure", "group_size", "q_group_size", "block_size")


class Settings:
    """What stands beside the weights of how they were quantised.

    Parameters
    ----------
    content : mapping
        As ``quantization_config`` in config.json holds it.

    Examples
    --------
    >>> settings = Settings({"quant_method": "fp8", "weight_block_size": [128, 64]})
    >>> settings.method, settings.blocks
    ('fp8', [(128, 64)])
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.blocks = list(dict.fromkeys(_blocks(content)))
        """Sides of blocks, outputs first; of groups 1 and their length."""

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read them in a folder, or beside a file; nothing is known without."""
        folder = path if path.is_dir() else path.parent
        for name, key in CONFIGS:
            try:
                content = json.loads((folder / name).read_bytes())
                parts = [content, *content.values()] if isinstance(content, dict) else []
                for part in parts if key else parts[:1]:
                    own = part if key is None else part.get(key) if isinstance(part, dict) else None
                    if isinstance(own, dict):
                        return cls(own)
            except (OSError, ValueError, RecursionError):  # of numbers and depths beyond reason too
                continue
        return cls({})

    @property
    def method(self) -> str:
        """Which tool, or family of formats, as far as it is said."""
        return str(self.content.get("quant_method") or self.content.get("quant_algo") or "")


def _blocks(content: Any) -> Iterator[tuple[int, int]]:
    """Find sizes of blocks and groups, however deep they are."""
    if isinstance(content, dict):
        for key, value in content.items():
            pair = str(value).split("x") if isinstance(value, str) else value
            if key in SIZES and isinstance(pair, list) and len(pair) == 2:
                if all(str(side).isdecimal() and int(side) > 0 for side in pair):
                    yield int(pair[0]), int(pair[1])
            elif key in SIZES and type(value) is int and value > 0:
                yield 1, value
            else:
                yield from _blocks(value)
    elif isinstance(content, list):
        for part in content:
            yield from _blocks(part)


def elsewhere(path: Path) -> frozenset[str]:
    """Name the tensors that lie in other files of a model, if `path` is one file of many."""
    found: set[str] = set()
    for index in () if path.is_dir() else path.parent.glob(INDICES):
        try:
            files = json.loads(index.read_bytes())["weight_map"]
            if path.name in files.values():
                found |= {name for name, file in files.items() if file != path.name}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return frozenset(found)


def _by_module(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return found


@dataclass(frozen=True)
class Files:
    """The tensors of a model.

    Attributes
    ----------
    shards : sequence of TensorFile
    settings : Settings
    elsewhere : frozenset of str
        Names of those that lie in files that were not given.
    """

    shards: Sequence[TensorFile]
    settings: Settings
    elsewhere: frozenset[str] = frozenset()

    @cached_property
    def tensors(self) -> dict[str, TensorSpec]:
        """All of them by name, shard after shard."""
        return {name: spec for file in self.shards for name, spec in file.tensors.items()}

    @cached_property
    def _homes(self) -> dict[str, TensorFile]:
        return {name: file for file in self.shards for name in file.tensors}

    @cached_property
    def metadata(self) -> dict[str, str]:
        """What the headers say."""
        return {key: text for file in self.shards for key, text in file.metadata.items()}

    @cached_property
    def _modules(self) -> dict[str, list[str]]:
        return _by_module(self.tensors)

    @cached_property
    def _modules_elsewhere(self) -> dict[str, list[str]]:
        return _by_module(sorted(self.elsewhere))

    def place(self, name: str, dtype: str | None = None) -> Place:
        """Say where a tensor lies."""
        return Place.of(self._homes[name], name, dtype)

    def where(self, name: str) -> str:
        """Name a tensor and its file, for messages."""
        return f"{self._homes[name].path}: tensor {name!r}"

    def of_module(self, module: str) -> list[str]:
        """Name the tensors of a module itself."""
        return self._modules.get(module, [])

    def apart(self, module: str) -> list[str]:
        """Name those of its tensors that lie elsewhere."""
        return self._modules_elsewhere.get(module, [])
