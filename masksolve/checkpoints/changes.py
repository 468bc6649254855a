"""Whether the files that are read are still those that were solved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from masksolve.checkpoints.plan import Shard, Tensor
from masksolve.checkpoints.stamp import Stamp
from masksolve.checkpoints.work import read_slice
from masksolve.errors import FileFormatError, InvalidInput
from masksolve.storage.hashing import WeightsHash

__all__ = [
    "changed",
    "changed_since",
    "hashes_of",
    "noticing",
    "refuse_changed_at_work",
    "refuse_changed_since_finished",
    "refuse_changed_while_read",
]


def changed(path: Path | str) -> InvalidInput:
    """Return what to raise for a file that did not stay as it was."""
    return InvalidInput(
        f"{path} was changed while it was read: nothing is written, run it again when it stays "
        "as it is"
    )


def changed_since(path: Path, tensor: str, work: Path) -> FileFormatError:
    """Return what to raise for weights of which a part is solved that are others by now."""
    return FileFormatError(
        f"{path}: tensor {tensor!r} has changed since the work in {work} began: remove that"
    )


def hashes_of(
    lines: Sequence[Mapping[str, Any]], shards: Sequence[Shard], files: Mapping[str, Any]
) -> dict[str, str]:
    """Return the hashes of the tensors that were read, by what is known of what is done.

    Parameters
    ----------
    lines : sequence of mapping
        Of the journal.
    shards : sequence of Shard
    files : mapping
        Of finished shards: tensors that were copied have the hash of what was written.
    """
    last = {tuple(line["at"]): line["weights"] for line in lines if "weights" in line}
    found = {}
    for shard in shards:
        written = files.get(shard.name, {"tensors": {}})["tensors"]
        for tensor in shard.tensors:
            name = tensor.source.name
            text = last.get((name, len(tensor.slices) - 1), written.get(name))
            if text is not None:
                found[name] = text
    return found


@contextmanager
def noticing(shards: Sequence[Shard], before: Mapping[str, Stamp]) -> Iterator[None]:
    """Say of a file that cannot be read, or makes no sense, that it was changed, if it was."""
    try:
        yield
    except (FileFormatError, InvalidInput):
        for shard in shards:
            if before[shard.name].differs(Stamp.of(shard.file.path)):
                raise changed(shard.file.path) from None
        raise


def refuse_changed_while_read(
    shards: Sequence[Shard], before: Mapping[str, Stamp], hashes: Mapping[str, str]
) -> None:
    """Raise unless the files are those that were opened; where nothing proves it, read them."""
    for shard in shards:
        now = Stamp.of(shard.file.path)
        if before[shard.name].differs(now):
            raise changed(shard.file.path)
        if not before[shard.name].proves(now):
            for tensor in shard.tensors:
                if _hash(shard, tensor) != hashes[tensor.source.name]:
                    raise changed(shard.file.path)


def refuse_changed_at_work(
    shards: Sequence[Shard],
    held: Mapping[str, Any],
    now: Mapping[str, Stamp],
    hashes: Mapping[str, str],
    work: Path,
) -> None:
    """Raise if the tensors that an earlier run has done are others by now."""
    _compare(shards, held, now, hashes, lambda shard, name: changed_since(shard, name, work))


def refuse_changed_since_finished(
    shards: Sequence[Shard],
    held: Mapping[str, Any],
    now: Mapping[str, Stamp],
    hashes: Mapping[str, str],
    folder: Path,
) -> None:
    """Raise if a finished folder was made from other weights than there are now."""
    _compare(
        shards,
        held,
        now,
        hashes,
        lambda shard, name: InvalidInput(
            f"{shard}: tensor {name!r} has changed since {folder} was made: expected a new or "
            "an empty folder as output"
        ),
    )


def _compare(
    shards: Sequence[Shard],
    held: Mapping[str, Any],
    now: Mapping[str, Stamp],
    hashes: Mapping[str, str],
    failure: Callable[[Path, str], Exception],
) -> None:
    """Hash the tensors of every file that is not known by its stamp to be the same."""
    for shard in shards:
        before = Stamp.read(held.get(shard.name))
        if before is not None and before.proves(now[shard.name]):
            continue
        for tensor in shard.tensors:
            name = tensor.source.name
            if name in hashes and _hash(shard, tensor) != hashes[name]:
                raise failure(shard.file.path, name)


def _hash(shard: Shard, tensor: Tensor) -> str:
    state = WeightsHash()
    for piece in tensor.slices:
        state.update(read_slice(piece))
    if not tensor.slices:
        for part in shard.file.parts(tensor.source.name):
            state.update(part)
    return state.text
