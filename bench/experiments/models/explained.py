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


RECURRENT = (
    "torch's recurrent layers keep their weights in a list that a parametrization does not "
    "reach, so the module way passes them over by name. A file has no such bounds."
)
INTERLEAVED = (
    "The file interleaves the rows of two matrices, and loading sets them apart. Tiles of the "
    "file would be none in memory: the file way passes them over under transposable patterns; "
    "the module way solves them as loaded."
)
ROTARY = (
    "Loading puts rows in another order, for rotary positions. Tiles of the file would be none "
    "in memory: the file way passes them over under transposable patterns; the module way "
    "solves them as loaded."
)
EXPLAINED = (
    Explanation("same", RECURRENT, modules="LSTM"),
    Explanation("same", INTERLEAVED, modules="Inkling*Experts"),
    *(
        Explanation("same", ROTARY, types, names)
        for types in ("gradium_phonon_tts", "kimi_k25", "mistral_large4", "step3p7")
        for names in ("*attn.[qkv]_proj.weight", "*attention.[qk]_proj.weight")
    ),
)
"""The first that fits is taken; what none fits is explained by the way that passed it over."""


def explain(of: str, model_type: str, name: str = "", module: str = "") -> str:
    """Return the sentence that explains a no; empty if there is none."""
    for one in EXPLAINED:
        pairs = ((model_type, one.types), (name, one.names), (module, one.modules))
        if one.of == of and all(fnmatchcase(what, pattern) for what, pattern in pairs):
            return one.sentence
    return ""
