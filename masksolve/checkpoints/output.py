"""Output files written in order, hashed on the way, and taken up again where they ended."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import fsum, prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from masksolve.checkpoints.changes import changed, changed_since
from masksolve.checkpoints.plan import Shard, Tensor
from masksolve.checkpoints.work import Slice, Solved, read_slice
from masksolve.errors import InvalidInput, naming
from masksolve.layout import Layout
from masksolve.result import Status
from masksolve.storage.hashing import WeightsHash, hash_weights
from masksolve.storage.packing import pack, unpack
from masksolve.storage.records import MaskRecord

__all__ = ["Line", "ShardOutput", "Step"]

PIECE = 1 << 22
"""Bytes that are masked, hashed and written at once: the caches hold them meanwhile."""

Line: TypeAlias = dict[str, Any]
"""What the journal keeps of a step."""

Step: TypeAlias = tuple[Tensor, int]
"""A slice of a tensor, by its number; a tensor that is copied is one step."""


@dataclass
class _State:
    """A tensor at work: hashes of what was written and read, verdicts, bits left over."""

    written: WeightsHash = field(default_factory=WeightsHash)
    read: WeightsHash = field(default_factory=WeightsHash)
    verdicts: list[Line] = field(default_factory=list)
    rest: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))


class ShardOutput:
    """One output file at work.

    Parameters
    ----------
    path : Path
        Created if it is not there.
    shard : Shard
    name : Path
        What to call it: where it goes in the end.

    Attributes
    ----------
    hashes : dict of str to str
        Of the bytes of every tensor that is whole.
    """

    def __init__(self, path: Path, shard: Shard, name: Path) -> None:
        self.path = path
        self.name = name
        self.shard = shard
        self.hashes: dict[str, str] = {}
        self._records: dict[str, MaskRecord] = {}
        self._state = _State()
        self._end = 8 + shard.room
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        with naming(name, "write"):
            self._file = open(os.open(path, flags, 0o666), "r+b", buffering=0)  # noqa: SIM115

    @classmethod
    def resume(
        cls, path: Path, shard: Shard, name: Path, steps: Sequence[Step], lines: Sequence[Line]
    ) -> tuple[ShardOutput, int]:
        """Take up a file where it ends; return it and how many of the lines are true of it.

        A line is true if the bytes that it speaks of are there. Where the bits of a mask
        end within a byte, the slice is done again.
        """
        while True:
            output = cls(path, shard, name)
            try:
                good = output._replay(steps, lines)
            except BaseException:
                output.close()
                raise
            if good == len(lines):
                return output, good
            output.close()
            lines = lines[:good]

    def _replay(self, steps: Sequence[Step], lines: Sequence[Line]) -> int:
        good = 0
        for k, ((tensor, number), line) in enumerate(zip(steps, lines, strict=False)):
            if number == 0:
                self._state = _State()
            left = line["end"] - self._end
            for part in self._reread(line["end"]):
                self._state.written.update(part)
                left -= len(part)
            if left or self._state.written.text != line["written"]:
                break
            self._end = line["end"]
            if tensor.slices:
                self._state.verdicts.append(line)
            if _is_last(tensor, number):
                self._close(tensor)
            if not line["open"]:
                good = k + 1
        if good and good == len(lines) and not _is_last(*steps[good - 1]):
            self._reread_weights(*steps[good - 1])
        return good

    def _reread(self, end: int) -> Iterator[bytes]:
        self._file.seek(self._end)
        for start in range(self._end, min(end, self.shard.nbytes), PIECE):
            yield self._file.read(min(PIECE, end - start))

    def _reread_weights(self, tensor: Tensor, number: int) -> None:
        """Hash the slices of a tensor that are solved, as those to come go on from there."""
        for piece in tensor.slices[: number + 1]:
            self._state.read.update(read_slice(piece))
        if self._state.read.text != self._state.verdicts[-1]["weights"]:
            raise changed_since(self.shard.file.path, tensor.source.name, self.path.parents[1])

    def put(self, tensor: Tensor, number: int, solved: Solved | None) -> Line:
        """Write one more slice, or a tensor that is copied; return what to remember."""
        if number == 0:
            self._state = _State()
        state = self._state
        self._file.seek(self._end)
        line: Line = {}
        if solved is None:
            self._copy(tensor)
        else:
            line = self._solved(tensor, tensor.slices[number], solved)
            state.verdicts.append(line)
        line |= {"at": [tensor.source.name, number]}
        line |= {"end": self._end, "written": state.written.text, "open": bool(state.rest.size)}
        if _is_last(tensor, number):
            self._close(tensor)
        return line

    def _solved(self, tensor: Tensor, piece: Slice, solved: Solved) -> Line:
        masks = self.shard.kind == "masks"
        if masks and solved.upto:
            text = solved.hash
        else:
            weights = self._weights(piece, solved)
            text = solved.hash if solved.upto else self._state.read.text
            if not masks:
                self._write_masked(weights, piece, solved.packed)
        if masks:
            self._write_bits(solved.packed, prod(piece.shape), piece is tensor.slices[-1])
        return {
            "method": solved.method,
            "objective": solved.objective,
            "upper_bound": solved.upper_bound,
            "status": solved.status.value,
            "weights": text,
            "total": solved.total,
            "tiles": solved.tiles,
            "short_tiles": solved.short_tiles,
            "seconds": solved.seconds,
            "rivals": [list(rival) for rival in solved.rivals],
        }

    def _weights(self, piece: Slice, solved: Solved) -> NDArray[Any]:
        """Return the weights of a slice; read again, and compared, if it was solved elsewhere."""
        if solved.weights is not None:
            array = solved.weights.array
        else:
            array = read_slice(piece)
            if hash_weights(array) != solved.hash:
                raise changed(piece.path)
        if not solved.upto:
            self._state.read.update(array)
        return array

    def _write_masked(self, weights: NDArray[Any], piece: Slice, packed: NDArray[np.uint8]) -> None:
        from masksolve.kernels.zeros import keep_bits

        if piece.coding is not None:
            kept = unpack(packed, piece.shape)
            self._write(piece.coding.zeroed(weights, piece.start, piece.shape, kept))
            return
        words = weights.reshape(-1).view(f"u{weights.dtype.itemsize}")
        step = PIECE // words.itemsize
        out = np.empty(min(step, words.size), dtype=words.dtype)
        for start in range(0, words.size, step):
            part = np.require(words[start : start + step], requirements="A")
            keep_bits(part, packed[start // 8 :], out[: part.size])
            self._write(out[: part.size].view(np.uint8))

    def _write_bits(self, packed: NDArray[np.uint8], count: int, last: bool) -> None:
        """Write packed bits after those that were left of the last byte."""
        state = self._state
        if state.rest.size:
            packed = pack(np.concatenate([state.rest, unpack(packed, (count,))]))
            count += state.rest.size
        whole = len(packed) if last else count // 8
        state.rest = unpack(packed[whole:], (0 if last else count % 8,))
        self._write(packed[:whole])

    def _copy(self, tensor: Tensor) -> None:
        for part in self.shard.file.parts(tensor.source.name):
            self._write(np.frombuffer(part, dtype=np.uint8))

    def _write(self, content: NDArray[np.uint8]) -> None:
        self._state.written.update(content)
        left = content.data
        with naming(self.name, "write"):
            while left:
                left = left[self._file.write(left) :]
        self._end += content.size

    def _close(self, tensor: Tensor) -> None:
        """Put together what the slices of a tensor tell."""
        state, source = self._state, tensor.source
        self.hashes[source.name] = state.written.text
        if not tensor.slices:
            return
        self._records[source.name] = self._record(tensor, state)

    def _record(self, tensor: Tensor, state: _State) -> MaskRecord:
        lines, first, source = state.verdicts, tensor.slices[0], tensor.source
        found = lines[-1]["weights"]
        if tensor.record is not None:
            if tensor.mask_file is not None and tensor.record.weights != found:
                raise InvalidInput(
                    f"{self.shard.file.path}: tensor {source.name!r} is not what its mask in "
                    f"{tensor.mask_file} belongs to: its hash is {found}, that of the mask's "
                    f"weights {tensor.record.weights}"
                )
            return tensor.record
        methods, bounds = ([line[key] for line in lines] for key in ("method", "upper_bound"))
        method = "repair" if "repair" in methods else methods[0]
        score = fsum(line["objective"] for line in lines)
        bound = None if None in bounds else fsum(bounds)
        status = Status.worst(Status(line["status"]) for line in lines)
        bits = state.written.text if self.shard.kind == "masks" else None
        known = (score, bound, status, source.dtype, found, bits)
        return MaskRecord(tensor.shape, first.pattern, Layout(first.axes), method, *known)

    def finish(self) -> str:
        """Write the header, make the file last, and return the header's hash."""
        header = np.frombuffer(self.shard.header(self._records, self.hashes), dtype=np.uint8)
        with naming(self.name, "write"):
            self._file.truncate(self._end)
            self._file.seek(0)
            self._state, end = _State(), self._end
            self._write(header)
            self._end = end
            os.fsync(self._file.fileno())
        self.close()
        return self._state.written.text

    def close(self) -> None:
        """Stop, to be taken up later if it is not finished."""
        self._file.close()


def _is_last(tensor: Tensor, number: int) -> bool:
    return number + 1 >= len(tensor.slices)
