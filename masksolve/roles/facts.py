"""What a model's configuration tells of its tensors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masksolve.roles.model_types import MODEL_TYPES

__all__ = ["Facts"]

POSITIONS = frozenset({
    "max_position_embeddings", "n_positions", "max_source_positions", "max_target_positions",
    "num_position_embeddings", "num_queries",
})  # fmt: skip
EXPERTS = frozenset({"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"})
WIDTHS = frozenset({"hidden_size", "d_model", "n_embd", "embed_dim", "hidden_dim", "dim"})


@dataclass(frozen=True)
class Facts:
    """What config.json says that bears on tensors; its parts within (text, vision) count too.

    Attributes
    ----------
    model_type : str or None
        None: there is no configuration, or it has none.
    model_types : frozenset of str
        That one and those of the parts.
    vocabularies, positions, experts : frozenset of int
        Numbers of words, of places in a table of positions, of experts.
    widths : frozenset of int
        Of what goes from layer to layer.
    others : frozenset of int
        All other sizes.
    tied : bool
        Whether the output head is the input embedding.
    """

    model_type: str | None = None
    model_types: frozenset[str] = frozenset()
    vocabularies: frozenset[int] = frozenset()
    positions: frozenset[int] = frozenset()
    experts: frozenset[int] = frozenset()
    widths: frozenset[int] = frozenset()
    others: frozenset[int] = frozenset()
    tied: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Facts:
        """Take what is needed of a configuration.

        Parameters
        ----------
        config : mapping or None
            As config.json holds it. None: nothing is known.

        Examples
        --------
        >>> facts = Facts.of({"model_type": "gpt2", "vocab_size": 50257, "n_positions": 1024})
        >>> facts.model_type, sorted(facts.vocabularies), sorted(facts.positions)
        ('gpt2', [50257], [1024])
        """
        if config is None:
            return cls()
        kinds = ("vocabularies", "positions", "experts", "widths", "others")
        sizes: dict[str, set[int]] = {kind: set() for kind in kinds}
        types = set()
        for part in _parts(config):
            if isinstance(kind := part.get("model_type"), str):
                types.add(kind)
            for kind, size in _sizes(part):
                sizes[kind].add(size)
        kind = config.get("model_type")
        return cls(
            model_type=kind if isinstance(kind, str) else None,
            model_types=frozenset(types),
            tied=bool(config.get("tie_word_embeddings")),
            **{kind: frozenset(found) for kind, found in sizes.items()},
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

    @property
    def known(self) -> bool:
        """Whether rules were tried on this type of model, or no type is given.

        Examples
        --------
        >>> [Facts.of({"model_type": kind}).known for kind in ("llama", "of_my_own", None)]
        [True, False, True]
        """
        return self.model_type is None or self.model_type in MODEL_TYPES

    def unmistakable(self, size: int, sizes: frozenset[int]) -> bool:
        """Tell whether a side is one of these sizes, and of no other kind.

        Examples
        --------
        >>> facts = Facts.of({"vocab_size": 512, "hidden_size": 64, "num_experts": 64})
        >>> facts.unmistakable(512, facts.vocabularies), facts.unmistakable(64, facts.experts)
        (True, False)
        """
        kinds = (self.vocabularies, self.positions, self.experts, self.widths, self.others)
        return size in sizes and not any(size in kind for kind in kinds if kind is not sizes)


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield config
    for value in config.values():
        if isinstance(value, Mapping):
            yield from _parts(value)


def _sizes(part: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Give each size of a part, lists' as well, with its kind."""
    rotary = any("rope" in key or "rotary" in key for key in part if isinstance(key, str))
    for key, value in part.items():
        if not isinstance(key, str) or key.endswith("_id"):
            continue
        for size in value if isinstance(value, list | tuple) else [value]:
            if isinstance(size, int) and not isinstance(size, bool) and size > 0:
                yield _kind(key, rotary), size


def _kind(key: str, rotary: bool) -> str:
    if key == "codebook_size" or (key.endswith("vocab_size") and "type" not in key):
        return "vocabularies"
    if key in POSITIONS and not rotary:  # with a rotation there is no table
        return "positions"
    if key in EXPERTS:
        return "experts"
    return "widths" if key in WIDTHS else "others"
