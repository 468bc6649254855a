"""What the commands say of files that they copied beside the tensors."""

from __future__ import annotations

from typing import Any

from masksolve.checkpoints.others import Others

__all__ = ["others_as_json", "print_others"]


def others_as_json(others: Others) -> dict[str, Any]:
    """Return the names of what was copied, of weights among that, of what was not."""
    return {
        "other_files": [path.as_posix() for path in others.files],
        "unmasked": others.weights,
        "left_out": [path.as_posix() for path in others.left],
    }


def print_others(others: Others) -> None:
    """Name the files of which somebody might think otherwise."""
    if others.weights:
        print(f"copied with all their weights, masks are not for them: {', '.join(others.weights)}")
    if others.left:
        left = ", ".join(path.as_posix() for path in others.left)
        print(f"not copied, being neither files nor folders: {left}")
