"""Checksums that a file carries in its own metadata, those of its header included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from masksolve.errors import FileFormatError
from masksolve.storage import hashing
from masksolve.storage.hashing import WeightsHash
from masksolve.storage.records import HASH, KEY, MaskRecord
from masksolve.storage.tensors import TensorFile

__all__ = ["checksums", "own_hash", "read_checksums", "sign"]

UNSIGNED = hashing.NAME + ":" + 32 * "?"
"""What stands for the header's hash in the header that is hashed."""


def checksums(records: Mapping[str, MaskRecord], hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return what the metadata says of a file's bytes; the header is not signed yet.

    Parameters
    ----------
    records : mapping of str to MaskRecord
    hashes : mapping of str to str
        Of every tensor. Masks have theirs on record.
    """
    bits = {name for name, record in records.items() if record.bits is not None}
    tensors = {name: text for name, text in hashes.items() if name not in bits}
    return {"header": UNSIGNED, "tensors": tensors}


def sign(header: bytes) -> bytes:
    """Put into a header its own hash."""
    return header.replace(UNSIGNED.encode(), _hash(header).encode())


def own_hash(header: bytes, signature: str) -> str:
    """Return the hash that a signed header should hold."""
    return _hash(header.replace(signature.encode(), UNSIGNED.encode()))


def read_checksums(file: TensorFile) -> dict[str, Any]:
    """Read what a file says of its own bytes.

    Raises
    ------
    FileFormatError
        If it says nothing, or what makes no sense.
    """
    try:
        found = json.loads(file.metadata[KEY])["checksums"]
        fine = isinstance(found["header"], str) and isinstance(found["tensors"], dict)
    except KeyError:
        raise FileFormatError(
            f"{file.path} carries no checksums: masksolve solve and apply write them"
        ) from None
    except (ValueError, TypeError, RecursionError):
        fine = False
    if not fine or HASH.fullmatch(found["header"]) is None:
        raise FileFormatError(f"{file.path}: its checksums are damaged")
    checked: dict[str, Any] = found
    return checked


def _hash(content: bytes) -> str:
    state = WeightsHash()
    state.update(content)
    return state.text
