"""What a model's configuration tells of its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Facts"]

VOCABULARY = ("vocab_size",)
POSITIONS = ("max_position_embeddings", "n_positions")
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


@dataclass(frozen=True)
class Facts:
    """What config.json says that bears on tensors.

    Attributes
    ----------
    model_type : str or None
        None: there is no configuration, or it has none.
    vocabularies, positions, experts : frozenset of int
        Sizes, of all parts of the model.
    tied : bool
        Whether the output head is the input embedding.
    """

    model_type: str | None = None
    vocabularies: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    experts: frozenset[int] = frozenset()
    tied: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Facts:
        """Take what is needed of a configuration, and of those within it."""
        if config is None:
            return cls()
        found = [frozenset(_sizes(config, keys)) for keys in (VOCABULARY, POSITIONS, EXPERTS)]
        kind = config.get("model_type")
        return cls(
            kind if isinstance(kind, str) else None, *found, bool(config.get("tie_word_embeddings"))
        )

    @classmethod
    def read(cls, path: str | Path) -> Facts:
        """Read config.json in a folder, or beside a file; nothing is known without."""
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        try:
            content = json.loads((folder / "config.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return cls()
        return cls.of(content if isinstance(content, dict) else None)


def _sizes(config: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[int]:
    for key, value in config.items():
        if key in keys and isinstance(value, int) and value > 0:
            yield value
        elif isinstance(value, Mapping):
            yield from _sizes(value, keys)
