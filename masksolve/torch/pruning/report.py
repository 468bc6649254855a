"""What a run of pruning tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from masksolve.errors import FileFormatError, naming

__all__ = ["PruneReport"]


@dataclass
class PruneReport:
    """What became of a model.

    Attributes
    ----------
    path : Path
        The folder.
    settings : dict
        What was asked for.
    blocks : list of dict
        Of each block its ``name``, the ``seconds`` that it took in parts, the ``errors`` of its
        hidden states (squared, in shares of the dense ones' squares, for ``fit`` and
        ``held_out``; nothing in parallel mode), and its ``layers``: ``name``, ``kind``,
        ``shape``, ``damping``, whether inputs were ``seen``, and ``errors`` of outputs, likewise,
        ``before`` (the first mask alone) and ``after``, ``held_out_before``, ``held_out_after``.
    left : list of (str, str)
        Tensors of two dimensions or more that are dense still, and why.
    warnings : list of str
    pruned, share : int, float
        Weights that masks are of, and their share of all that the model has.
    tokens : int
    seconds : float
        Of all blocks.
    evaluation : dict or None
        Of text that was asked for.
    """

    path: Path
    settings: dict[str, Any]
    blocks: list[dict[str, Any]]
    left: list[tuple[str, str]]
    warnings: list[str] = field(default_factory=list)
    pruned: int = 0
    share: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    evaluation: dict[str, Any] | None = None

    @property
    def layers(self) -> list[dict[str, Any]]:
        """All layers, in order."""
        return [layer for block in self.blocks for layer in block["layers"]]

    @property
    def title(self) -> str:
        """What it is about, in a line."""
        asked = self.settings
        return f"{self.path.name}: {asked['pattern']}, {asked['algorithm']}, {asked['mode']}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as report.json holds it."""
        found = asdict(self)
        del found["path"]
        return {"version": 1, **found}

    @classmethod
    def read(cls, folder: Path, beside: Path) -> PruneReport:
        """Read a folder's report.

        Raises
        ------
        FileFormatError
            If it is damaged.
        """
        try:
            with naming(beside, "read"):
                content: Mapping[str, Any] = json.loads(beside.read_bytes())
            known = {name: value for name, value in content.items() if name != "version"}
            left = [(name, why) for name, why in known.pop("left")]
            return cls(path=folder, left=left, **known)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"{beside} is damaged") from None

    def mean(self, figure: str) -> float | None:
        """Return a figure of errors as the mean over layers; None if it is of none."""
        found = [layer["errors"][figure] for layer in self.layers if layer["seen"]]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if known else None
