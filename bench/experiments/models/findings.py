"""What is found of every architecture."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["Broken", "Difference", "Findings", "Outcome", "Run"]


class Difference(TypedDict):
    """Weights that one way chose and the other did not, or masked otherwise."""

    name: str  # in the model, numbers written as *
    module: str  # the type of module that holds it
    count: int
    chosen_by: str  # "module", "file" or "both": by both, but with other masks
    why: str  # what the other way says of them; empty if nothing


class Broken(TypedDict):
    """Weights in memory that do not obey the pattern along the axes of their product."""

    name: str  # numbers written as *
    module: str


class Outcome(TypedDict):
    """What became of a model under a pattern."""

    module_share: float  # of all parameters
    file_share: float
    masked: int  # parameters, by the module way
    skipped: dict[str, int]  # matrices that the module way passed over, by reason
    same: bool  # whether both ways masked the same weights in the same way
    loads: bool  # whether from_pretrained takes what the file way leaves, whole
    obeys: bool  # whether its weights in memory obey the pattern
    broken: list[Broken]
    refused: str  # what the file way or the loading said, if they refused
    differences: list[Difference]


class Run(TypedDict):
    """A type of model."""

    model_type: str
    kind: str
    class_name: str
    made: str  # how it was made small; empty if it could not be
    why: str  # why it could not be made or compared
    parameters: int
    experts: bool
    outcomes: dict[str, Outcome]  # by pattern


class Findings(TypedDict):
    """A whole experiment."""

    machine: dict[str, Any]
    versions: dict[str, str]
    settings: dict[str, Any]
    runs: list[Run]
