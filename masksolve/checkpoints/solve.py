"""Solve a checkpoint of any size, in little memory."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from masksolve.checkpoints.axes import Axes, AxesByName
from masksolve.checkpoints.finish import read_all_records
from masksolve.checkpoints.memory import slice_bytes
from masksolve.checkpoints.others import Others
from masksolve.checkpoints.plan import Method, plan_solved
from masksolve.checkpoints.result import CheckpointResult
from masksolve.checkpoints.run import AHEAD, Job, carry_out
from masksolve.checkpoints.runners import LocalRunner, Runner
from masksolve.checkpoints.selection import choose_tensors
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.target import FileTarget, FolderTarget, Target
from masksolve.errors import InvalidInput
from masksolve.inputs import as_threads
from masksolve.pattern import Pattern
from masksolve.quantised import recognise
from masksolve.solvers import as_options, find_method
from masksolve.threads import Progress

__all__ = ["choose_target", "solve_checkpoint"]


def solve_checkpoint(
    source: str | Path,
    target: str | Path,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    tensors: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    axes: Axes | AxesByName = None,
    apply: bool = False,
    repair: bool = False,
    memory: str | int = "1GB",
    largest: int | None = None,
    threads: int | None = None,
    runner: Runner | None = None,
    progress: Progress = False,
    compare: Sequence[str] = (),
    single: bool | None = None,
) -> CheckpointResult:
    """Find masks for the tensors of a checkpoint, a file or a folder, and write them.

    Tensors are read in slices, and files are written in order, so memory stays small however
    large the checkpoint. A folder of shards becomes a folder of its shape: all files appear
    in `target` at the end, with a manifest, ``masksolve.json``, that holds a checksum of
    every byte; until then the work hides in ``.masksolve-work`` inside it. A file that is to
    become a file carries its checksums itself, and the work hides beside it. When a run is
    interrupted, by whatever means, the same call goes on where it stopped and leaves the
    same bytes.

    Parameters
    ----------
    source : str or Path
        A folder with ``model.safetensors.index.json`` and its shards, a folder with one
        file of tensors, or that file.
    target : str or Path
        A folder: new, empty, or with the work of such a run. Or a file, which is replaced if
        it is there: see `single`.
    pattern : Pattern or str
    method, options : str, mapping
        As for `solve`.
    tensors, exclude : sequence of str
        Names, or patterns like ``"model.layers.*.weight"``. Default: the matrices of
        products, as far as names, shapes and config.json tell, whose sides are multiples
        of m; the result names the others.
    axes : tuple of int or mapping of str to tuple of int, optional
        The output and input axes of every tensor, or by names or patterns of names, of
        which the first that fits counts. Default: as names, shapes and config.json tell.
    apply : bool
        Write the whole checkpoint with the masked weights set to zero, and copy all else
        that is in the folder, subfolders and hidden files included. Otherwise masks alone,
        one bit per weight.
    repair : bool
        Fill the lines that the method leaves short.
    memory : str or int
        What a process may take, such as ``"2GB"``.
    largest : int, optional
        Bytes of the largest slice. Default: what `memory` allows, at most 32 MiB.
    threads : int, optional
        Default: every core.
    runner : Runner, optional
        Who solves the slices. Default: this process.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).
    compare : sequence of str
        Methods to solve by as well, each by its default options, for their figures alone.
    single : bool, optional
        Whether `target` is a file. Default: if `source` is one and the name of `target`
        ends in ``.safetensors``.

    Returns
    -------
    CheckpointResult

    Raises
    ------
    FileFormatError
        If a file is missing or damaged, the index disagrees with the shards, or the disk
        has no room. Work that was done stays and can be gone on with.
    InvalidInput
        If something else is in `target`, or what was made of other weights; if another run
        is at work there; if weights are not finite, naming file, tensor and entry, or are
        changed while they are read: then nothing stays.
    InvalidPattern, UnknownMethod
        If there is no such pattern or method.

    Examples
    --------
    >>> import masksolve as ms, numpy as np, pathlib, tempfile
    >>> from safetensors.numpy import save_file
    >>> weights = np.arange(64, dtype=np.float32).reshape(8, 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source, target = pathlib.Path(folder, "model"), pathlib.Path(folder, "masks")
    ...     source.mkdir()
    ...     save_file({"layer.weight": weights}, source / "model.safetensors")
    ...     found = ms.solve_checkpoint(source, target, "4:8")
    ...     sorted(path.name for path in target.iterdir())
    ['masksolve.json', 'model.safetensors']
    >>> found.status.name, found.objective
    ('OPTIMAL', 1008.0)
    """
    started = time.perf_counter()
    checkpoint = Checkpoint.open(source)
    pattern = Pattern.parse(pattern)
    given = as_options(method, find_method(method, pattern).options, options)
    for other in compare:
        find_method(other, pattern)
    if threads is not None:
        threads = as_threads(threads)
    most = slice_bytes(memory) if largest is None else largest
    how = Method(pattern, method, given, repair, tuple(compare), threads)
    quantised = recognise(checkpoint.path, checkpoint.shards.values())
    choice = choose_tensors(
        checkpoint, tensors, exclude, axes, patterns=[pattern], quantised=quantised
    )
    place = choose_target(checkpoint, Path(target), single)
    shards = plan_solved(
        checkpoint,
        choice.axes,
        how,
        apply=apply,
        alone=not place.manifested,
        most=most,
        codings=quantised.codings,
    )
    copy = apply and place.manifested
    others = checkpoint.others(leave=place.path) if copy else Others([], [], [])
    asked = {
        "kind": "weights" if apply else "masks",
        "pattern": str(pattern),
        "method": method,
        "options": given,
        "repair": repair,
    }
    job = Job(
        checkpoint,
        shards,
        others,
        place,
        asked,
        (lambda watch: LocalRunner(watch)) if runner is None else (lambda watch: runner),
        tuple(compare),
        AHEAD * most,
    )
    done = carry_out(job, progress)
    records = read_all_records(place, shards)
    seconds = time.perf_counter() - started
    return CheckpointResult(place.path, records, done.nbytes, seconds, done.figures, others, choice)


def choose_target(checkpoint: Checkpoint, path: Path, single: bool | None) -> Target:
    """Say where the output goes: to a file or to a folder.

    Raises
    ------
    InvalidInput
        If the place is taken, or a folder is to become a file.
    """
    folder = checkpoint.path.is_dir()
    if single is None:
        single = not folder and path.suffix == ".safetensors" and not path.is_dir()
    if single and folder:
        raise InvalidInput(f"{checkpoint.path} is a folder: its output is one, too")
    inputs = [checkpoint.path, *(file.path for file in checkpoint.shards.values())]
    return FileTarget(path, inputs) if single else FolderTarget(path, inputs)
