"""The work of a run: hidden beside where its output goes, until that is whole.

Each block that is done is a file: its tensors as the output will hold them, the bits of its masks,
and in the metadata what the report says of it. It appears whole, and last of all that belongs to
the block, so that a run that is cut short goes on behind the last of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.lock import lock
from masksolve.checkpoints.target import compare_settings
from masksolve.errors import FileFormatError, InvalidInput, naming
from masksolve.storage.atomic import whole_file
from masksolve.storage.hashing import hash_weights
from masksolve.storage.packing import dtype_code, pack
from masksolve.storage.records import describe, read_records
from masksolve.storage.stored import StoredMask
from masksolve.storage.tensors import TensorFile, TensorSpec, write_tensors

__all__ = ["BlockFile", "Work"]

SETTINGS = "settings.json"
BITS = "masksolve.bits."
"""Before the name of a mask, in a file that holds its weights as well."""
TOLD = "block"


class BlockFile:
    """What became of a block.

    Attributes
    ----------
    file : TensorFile
    records : dict of str to MaskRecord
        By the names of the weights that have masks.
    told : dict
        For the report.
    """

    def __init__(self, path: Path) -> None:
        self.file = TensorFile(path)
        self.records = read_records(self.file)[1]
        try:
            self.told: dict[str, Any] = json.loads(self.file.metadata[TOLD])
        except (KeyError, ValueError):
            raise FileFormatError(f"{path} is damaged: remove {path.parent.parent}") from None

    @property
    def names(self) -> list[str]:
        """Names of the tensors that take the place of others."""
        return [name for name in self.file.tensors if not name.startswith(BITS)]

    def bits(self, name: str) -> NDArray[np.uint8]:
        """Read the bits of a mask."""
        found: NDArray[np.uint8] = self.file.read(BITS + name)
        return found


class Work:
    """The folder of a run.

    Parameters
    ----------
    output : Path
        Where the output goes.

    Attributes
    ----------
    path : Path
        The folder itself.
    made : Path
        Where the output takes shape.
    states : Path
        Hidden states.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.parent / f".{output.name}.masksolve-prune"
        self.made = self.path / "out"
        self.states = self.path / "states"

    @contextmanager
    def opened(self, settings: Mapping[str, Any]) -> Iterator[None]:
        """Keep other runs out; refuse to go on with the work of another.

        Raises
        ------
        InvalidInput
            If another run is at work there, or was asked for something else.
        FileFormatError
            If nothing can be written, or what is there makes no sense.
        """
        new = not self.path.exists()
        with lock(self.path / "lock", self.output):
            try:
                self._compare(settings)
                yield
            except BaseException:
                if new and not any(self.path.glob("block-*")):
                    self.remove()  # nothing is done that could be gone on with
                raise

    def _compare(self, settings: Mapping[str, Any]) -> None:
        path = self.path / SETTINGS
        if not path.exists():
            content = json.dumps(settings, indent=2).encode()
            with whole_file(path, len(content)) as file:
                file.write(content)
            return
        try:
            with naming(path, "read"):
                held = dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError):
            raise FileFormatError(f"{path} is damaged: remove {self.path}") from None
        compare_settings(self.output, held, settings, f"remove {self.path} to give that up")

    def block(self, number: int) -> BlockFile | None:
        """Return what became of a block, if it is done."""
        path = self._block(number)
        return BlockFile(path) if path.exists() else None

    def write(
        self,
        number: int,
        tensors: Mapping[str, NDArray[Any]],
        masks: Mapping[str, StoredMask],
        told: Mapping[str, Any],
    ) -> BlockFile:
        """Write what became of a block, and return it.

        Parameters
        ----------
        number : int
        tensors : mapping of str to ndarray
            Pruned weights, and biases that go with them.
        masks : mapping of str to StoredMask
            Of some of these.
        told : mapping
            For the report.
        """
        packed = {name: pack(stored.mask) for name, stored in masks.items()}
        records = {
            name: replace(stored.record, bits=hash_weights(packed[name]))
            for name, stored in masks.items()
        }
        specs = [
            TensorSpec(name, dtype_code(array), array.shape, array.nbytes)
            for name, array in tensors.items()
        ]
        for name, stored in masks.items():
            specs.append(replace(TensorSpec.packed(name, stored.mask.shape), name=BITS + name))
        metadata = describe("weights", records) | {TOLD: json.dumps(told)}
        with write_tensors(self._block(number), specs, metadata) as writer:
            for array in (*tensors.values(), *packed.values()):
                writer.write(array)
            writer.finish(metadata)
        return BlockFile(self._block(number))

    def _block(self, number: int) -> Path:
        return self.path / f"block-{number:05d}"

    def check_space(self, nbytes: int) -> None:
        """Raise unless the disk has room for so many bytes, those that are there included."""
        with naming(self.output, "write"):
            free = shutil.disk_usage(self.path).free
            files = [file for file in self.path.rglob("*") if file.is_file()]
            have = sum(file.stat().st_blocks * 512 for file in files)
        if nbytes - have > free:
            raise FileFormatError(
                f"{self.output} needs {(nbytes - have) / 1e9:.2f} GB more: its disk has "
                f"{free / 1e9:.2f} GB free"
            )

    def publish(self) -> None:
        """Put the output where it goes, all at once, and clear up."""
        with naming(self.output, "write"):
            with suppress(FileNotFoundError):
                self.output.rmdir()  # an empty one may be there
            os.replace(self.made, self.output)
        self.remove()

    def remove(self) -> None:
        """Clear up."""
        shutil.rmtree(self.path, ignore_errors=True)


def refuse_taken(output: Path) -> None:
    """Raise if something else is where the output goes."""
    with naming(output, "write", InvalidInput):
        if not output.absolute().parent.is_dir():
            raise InvalidInput(f"output {output} lies in a folder that does not exist")
        if os.path.lexists(output) and not output.is_dir():
            raise InvalidInput(f"output {output} is a file: expected a new folder")
        if output.is_dir() and any(output.iterdir()):
            raise InvalidInput(f"output {output} holds other files: expected a new folder")
