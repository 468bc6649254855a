"""Why the two ways differ where they do: sentences, and what they hold for. Data."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["EXPLAINED", "Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """A sentence, and the weights that it holds for.

    Attributes
    ----------
    of : str
        What is not as it should be: "same", "loads" or "obeys".
    types, names : str
        Patterns of types of models, and of weights' names in the model.
    sentence : str
    """

    of: str
    types: str
    names: str
    sentence: str


EXPLAINED: tuple[Explanation, ...] = ()


def explain(of: str, model_type: str, name: str) -> str:
    """Return the sentence that explains a no; empty if there is none."""
    for one in EXPLAINED:
        if one.of == of and fnmatchcase(model_type, one.types) and fnmatchcase(name, one.names):
            return one.sentence
    return ""
