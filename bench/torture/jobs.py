"""What a command is given to do in a round: solve or apply, a file or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .models import PATTERNS, Shards, contents, draw, write
from .trial import Trial

__all__ = ["Job", "draw_job", "made"]

WORK = ".masksolve-work"


@dataclass(frozen=True)
class Job:
    """A command but for its output.

    Attributes
    ----------
    verb : {"solve", "apply"}
    source : Path
    shards : Shards
        What lies there.
    inputs : tuple of Path
    options : tuple of str
    pattern : str
    folder : bool
        Whether the model is one.
    """

    verb: str
    source: Path
    shards: Shards
    inputs: tuple[Path, ...]
    options: tuple[str, ...]
    pattern: str
    folder: bool

    def into(self, target: Path) -> Sequence[str | Path]:
        """Give the arguments of the command that writes to `target`."""
        return [self.verb, *self.inputs, target, *self.options]


def draw_job(trial: Trial, *, large: bool = False) -> Job:
    """Draw a model, write it to ``in``, and say what to do with it; masks lie in ``masks``."""
    rng, source, masks = trial.rng, trial.folder / "in", trial.folder / "masks"
    shards, folder = draw(rng, large=large), bool(rng.random() < 0.6)
    write(source, shards, folder=folder)
    pattern = str(rng.choice(PATTERNS))
    kind = rng.choice(["masks", "weights", "apply"])
    # Ragged ones too, which by default are passed over.
    options: tuple[str, ...] = ("--pattern", pattern, "--tensors", *_matrices(shards))
    if large:
        options += ("--memory", "356MB")
    if kind != "apply":
        options += ("--apply",) if kind == "weights" else ()
        return Job("solve", source, shards, (source,), options, pattern, folder)
    trial.expect_done("solve", source, masks, *options, what="masks to apply")
    return Job("apply", source, shards, (source, masks), (), pattern, folder)


def _matrices(shards: Shards) -> list[str]:
    return [name for file in shards.values() for name, array in file.items() if array.ndim == 2]


def made(target: Path) -> dict[str, bytes | None]:
    """Take a snapshot of what is published: work that is hidden in a folder does not count."""
    return {
        name: content
        for name, content in contents(target).items()
        if name.partition("/")[0] != WORK and not (name == "." and content is None)
    }
