"""What the encoder's layers see when it reads real sentences: the inputs' norms.

The sentences are plain English from the language reference that every Python brings
along for its help(). They differ a little between versions of Python.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pydoc_data.topics import topics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoder import encoder_layers, encoder_model, encoder_tokenizer

__all__ = ["input_norms", "norms_over", "sentences", "sentences_of"]

SENTENCE = re.compile(r"(?:^|(?<=\. ))[A-Z][A-Za-z,;' -]{40,300}\.(?= |$)")
"""Words and commas only: whatever names code, cites or counts has other signs in it."""


def sentences() -> list[str]:
    """Return some hundred sentences of the language reference."""
    return list(dict.fromkeys(s for topic in sorted(topics) for s in sentences_of(topics[topic])))


def sentences_of(text: str) -> Iterator[str]:
    """Go through the sentences in paragraphs whose lines are indented alike.

    That leaves out lists, tables and definitions, which run on from a heading.
    """
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.strip("\n").split("\n")
        if len({len(line) - len(line.lstrip()) for line in lines}) == 1:
            yield from SENTENCE.findall(re.sub(r"(?<=\w-) ", "", " ".join(paragraph.split())))


@cache
def input_norms() -> dict[str, NDArray[np.float32]]:
    """Return `norms_over` all sentences, measured once."""
    return norms_over(sentences())


def norms_over(text: list[str]) -> dict[str, NDArray[np.float32]]:
    """Return the root mean square of every input feature, over all tokens, by layer.

    The keys are those of `encoder_layers`.
    """
    import torch

    model, tokenizer = encoder_model(), encoder_tokenizer()
    squares: dict[str, Any] = {}

    def watch(name: str) -> None:
        def add(module: Any, inputs: tuple[Any, ...]) -> None:
            seen = inputs[0].double().square().sum(dim=(0, 1))
            squares[name] = squares.get(name, 0) + seen

        model.get_submodule(name.removesuffix(".weight")).register_forward_pre_hook(add)

    for name in encoder_layers():
        watch(name)

    alike = defaultdict(list)  # by length, so that no batch needs padding
    for encoding in tokenizer.encode_batch(text):
        alike[len(encoding.ids)].append(encoding.ids)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # in batches this small a second one mostly waits
    with torch.inference_mode():
        for batch in alike.values():
            model(torch.tensor(batch))
    torch.set_num_threads(threads)
    tokens = sum(length * len(batch) for length, batch in alike.items())
    return {name: (s / tokens).sqrt().float().numpy() for name, s in squares.items()}
