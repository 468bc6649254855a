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
    sentence : str
    types, names, modules : str
        Patterns of types of models, of weights' names, and of types of the modules that hold
        them.
    """

    of: str
    sentence: str
    types: str = "*"
    names: str = "*"
    modules: str = "*"


TRANSPOSED = (
    "A transposed convolution holds inputs first, (in, out / groups, ...). Its name does not "
    "say so in the file: plain patterns run along its outputs there. Whole tiles hold both ways."
)
EXPLAINED = (
    Explanation("same", TRANSPOSED, modules="ConvTranspose*"),
    Explanation("obeys", TRANSPOSED, modules="ConvTranspose*"),
)


def explain(of: str, model_type: str, name: str = "", module: str = "") -> str:
    """Return the sentence that explains a no; empty if there is none."""
    for one in EXPLAINED:
        pairs = ((model_type, one.types), (name, one.names), (module, one.modules))
        if one.of == of and all(fnmatchcase(what, pattern) for what, pattern in pairs):
            return one.sentence
    return ""
