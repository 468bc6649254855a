"""Files to tokens: plain text, JSON lines, or tokens in safetensors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.errors import FileFormatError, InvalidInput, naming
from masksolve.storage.tensors import TensorFile
from masksolve.torch.language.folder import LanguageModel

__all__ = ["Tokens", "read_tokens"]

LINES = (".jsonl", ".ndjson", ".json")
TENSORS = ".safetensors"
FIELD = "text"
PIECE = 1 << 20
"""Characters that are handed to a tokenizer at once."""


@dataclass(frozen=True)
class Tokens:
    """What a file says, in a model's tokens.

    Attributes
    ----------
    path : Path
        Where it was read.
    ids : ndarray of int64
        One after the other.
    before, after : tuple of int
        What the model's tokenizer puts around whatever it reads, such as the sign that a text
        begins; none for tokens that were read as such.
    """

    path: Path
    ids: NDArray[np.int64]
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


def read_tokens(path: str | Path, model: LanguageModel) -> Tokens:
    """Read a file in a model's tokens.

    Parameters
    ----------
    path : str or Path
        ``.jsonl``, ``.ndjson`` and ``.json``: a text a line, as the ``"text"`` of an object or as
        a string; texts are joined by the token that ends one. ``.safetensors``: a single tensor of
        integers, of any shape, read row by row. Anything else: text in UTF-8.
    model : LanguageModel
        Whose tokenizer reads text.

    Raises
    ------
    FileFormatError
        If the file is missing, empty, or not what its name says.
    InvalidInput
        If a token is beyond the model's vocabulary.
    """
    path = Path(path)
    with naming(path, "read"):
        if not path.stat().st_size:
            raise FileFormatError(f"{path} is empty: expected text")
    if path.suffix == TENSORS:
        found = Tokens(path, _stored(path))
    else:
        texts = _lines(path) if path.suffix in LINES else _pieces(_text(path))
        found = _tokenised(path, texts, model.tokenizer, apart=path.suffix in LINES)
    if not found.ids.size:
        raise FileFormatError(f"{path} holds no tokens")
    _check_vocabulary(found, model)
    return found


def _check_vocabulary(tokens: Tokens, model: LanguageModel) -> None:
    low, high, known = int(tokens.ids.min()), int(tokens.ids.max()), model.vocabulary
    if low < 0:
        raise InvalidInput(f"{tokens.path} holds token {low}: tokens are counted from 0")
    if known is not None and high >= known:
        raise InvalidInput(
            f"{tokens.path} holds token {high}, but {model.path} knows {known} tokens, "
            f"0 to {known - 1}"
        )


def _stored(path: Path) -> NDArray[np.int64]:
    file = TensorFile(path)
    if len(file.tensors) != 1:
        raise FileFormatError(f"{path} holds {len(file.tensors)} tensors: expected one of tokens")
    (name,) = file.tensors
    ids = file.read(name)
    if ids.dtype.kind not in "iu":
        raise FileFormatError(f"{path}: tensor {name!r} is of {ids.dtype}: expected integers")
    return ids.reshape(-1).astype(np.int64)


def _text(path: Path) -> str:
    with naming(path, "read"):
        content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path} is not text in UTF-8, at byte {error.start}") from None


def _lines(path: Path) -> Iterator[str]:
    """Go through the texts of JSON lines; what is blank says nothing."""
    for number, line in enumerate(_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise FileFormatError(f"{path}, line {number}: not JSON: {error.msg}") from None
        text = found.get(FIELD) if isinstance(found, dict) else found
        if not isinstance(text, str):
            raise FileFormatError(
                f'{path}, line {number}: expected a string, or an object with a "{FIELD}"'
            )
        if text.strip():
            yield text


def _pieces(text: str) -> Iterator[str]:
    """Cut a text at ends of lines: tokenizers take more time a letter, the longer the text."""
    start = 0
    while start < len(text):
        stop = text.rfind("\n", start, start + PIECE) + 1 if len(text) - start > PIECE else 0
        stop = stop or start + PIECE
        yield text[start:stop]
        start = stop


def _tokenised(path: Path, texts: Iterator[str], tokenizer: Any, *, apart: bool) -> Tokens:
    parts: list[NDArray[np.int64]] = []
    end = tokenizer.eos_token_id if apart else None
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        parts.append(np.array(ids, np.int64))
        if end is not None:
            parts.append(np.array([end], np.int64))
    return Tokens(path, np.concatenate(parts or [np.empty(0, np.int64)]), *_around(tokenizer))


def _around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens before and after a text."""
    ids = list(tokenizer("", verbose=False)["input_ids"])
    starts = {tokenizer.bos_token_id, tokenizer.cls_token_id}
    count = next((k for k, token in enumerate(ids) if token not in starts), len(ids))
    return tuple(ids[:count]), tuple(ids[count:])
