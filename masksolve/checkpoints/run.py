"""Solve a checkpoint of any size, in little memory, safely interrupted at any moment."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from masksolve.checkpoints import finish
from masksolve.checkpoints.folder import Target, compare_settings
from masksolve.checkpoints.journal import Journal
from masksolve.checkpoints.manifest import read_manifest
from masksolve.checkpoints.memory import slice_bytes
from masksolve.checkpoints.plan import Method, Shard, plan_shards
from masksolve.checkpoints.progress import reporting_bytes
from masksolve.checkpoints.result import CheckpointResult
from masksolve.checkpoints.runners import LocalRunner, Runner
from masksolve.checkpoints.selection import choose_tensors
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.work import Slice, Solved
from masksolve.checkpoints.writer import Step, Writer, all_steps
from masksolve.errors import InvalidInput, MasksolveError
from masksolve.inputs import as_threads
from masksolve.pattern import Pattern
from masksolve.solvers import as_options, find_method
from masksolve.threads import Progress

__all__ = ["solve_checkpoint"]

AHEAD = 2
"""Slices that a process may hold besides the one that it is at."""
BEHIND = 2
"""Solved slices that may wait to be written."""


def solve_checkpoint(
    source: str | Path,
    target: str | Path,
    pattern: Pattern | str,
    *,
    method: str = "exact",
    options: Mapping[str, float] | None = None,
    tensors: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    axes: tuple[int, int] | None = None,
    apply: bool = False,
    repair: bool = False,
    memory: str | int = "1GB",
    largest: int | None = None,
    threads: int | None = None,
    runner: Runner | None = None,
    progress: Progress = False,
) -> CheckpointResult:
    """Find masks for the tensors of a checkpoint and write them to a folder of its shape.

    Tensors are read by memory map, in slices, and files are written in order, so memory
    stays small however large the checkpoint. All files appear in `target` at the end, with
    a manifest, ``masksolve.json``, that holds a checksum of every byte; until then the
    work hides in ``.masksolve-work`` inside it. When a run is interrupted, by whatever
    means, the same call goes on where it stopped and leaves the same bytes.

    Parameters
    ----------
    source : str or Path
        A folder with ``model.safetensors.index.json`` and its shards, a folder with one
        file of tensors, or that file.
    target : str or Path
        A folder: new, empty, or with the work of such a run.
    pattern : Pattern or str
    method, options : str, mapping
        As for `solve`.
    tensors, exclude : sequence of str
        Names, or patterns like ``"model.layers.*.weight"``. Default: every two-dimensional
        tensor of floats.
    axes : tuple of int, optional
        As for `solve`; tensors of more than two dimensions need it.
    apply : bool
        Write the whole checkpoint with the masked weights set to zero, and copy what else
        is in the folder. Otherwise masks alone, one bit per weight.
    repair : bool
        Fill the lines that the method leaves short.
    memory : str or int
        What a process may take, such as ``"2GB"``.
    largest : int, optional
        Bytes of the largest slice. Default: what `memory` allows, at most 256 MiB.
    threads : int, optional
        Default: every core.
    runner : Runner, optional
        Who solves the slices. Default: this process.
    progress : bool or callable
        True draws a bar on a terminal; a function gets (bytes done, bytes in all).

    Returns
    -------
    CheckpointResult

    Raises
    ------
    FileFormatError
        If a file is missing or damaged, the index disagrees with the shards, or the disk
        has no room. Work that was done stays and can be gone on with.
    InvalidInput
        If something else is in `target`, or what was made of other weights; if weights are
        not finite, naming file, tensor and entry: then nothing stays.
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
    if threads is not None:
        threads = as_threads(threads)
    most = slice_bytes(memory) if largest is None else largest
    how = Method(pattern, method, given, repair, threads)
    chosen = choose_tensors(checkpoint, tensors, exclude, axes)
    shards = plan_shards(checkpoint, chosen, how, apply=apply, most=most)
    place = Target(Path(target), checkpoint.path)
    settings = finish.make_settings(checkpoint, shards, how)
    done = 0
    if place.finished:
        compare_settings(place.path, read_manifest(place.path)["settings"], settings)
        finish.refuse_changed(place.path, shards)
        place.clear()
    else:
        others = checkpoint.others() if apply else []
        place.check_space(
            sum(shard.nbytes for shard in shards) + sum(path.stat().st_size for path in others)
        )
        place.open(settings | finish.times_modified(checkpoint))
        with closing(Journal(place.journal)) as journal:
            try:
                done, files = _work(
                    place, journal, shards, runner or LocalRunner(), AHEAD * most, progress
                )
            except MasksolveError as error:
                if isinstance(error, InvalidInput) or journal.empty:
                    place.discard()
                raise
            names = finish.write_rest(place, checkpoint, shards, others, files, settings)
            place.publish(names)
    return CheckpointResult(
        place.path, finish.read_all_records(place.path, shards), done, time.perf_counter() - started
    )


def _work(
    place: Target,
    journal: Journal,
    shards: Sequence[Shard],
    runner: Runner,
    ahead: int,
    progress: Progress,
) -> tuple[int, dict[str, Any]]:
    """Solve and write what is not done yet; return its bytes and the files' checksums."""
    steps = all_steps(shards)
    with closing(Writer(place, journal, steps)) as writer:
        before = done = sum(step.nbytes for step in steps[: writer.done])
        total = sum(step.nbytes for step in steps)
        left = steps[writer.done :]
        pieces = (piece for step in left if (piece := step.piece) is not None)
        with (
            reporting_bytes(progress, total, done) as report,
            ThreadPoolExecutor(1, thread_name_prefix="masksolve-write") as pool,
            closing(_generate(runner, pieces, ahead)) as solutions,
        ):
            writing: deque[tuple[Step, Future[None]]] = deque()
            for step in left:
                solved = None if step.piece is None else next(solutions)
                writing.append((step, pool.submit(writer.write, step, solved)))
                while len(writing) > (BEHIND if step is not left[-1] else 0):
                    written, future = writing.popleft()
                    future.result()
                    done += written.nbytes
                    report(done, written.tensor.source.name)
        return done - before, writer.files


def _generate(runner: Runner, pieces: Iterable[Slice], ahead: int) -> Generator[Solved, None, None]:
    """Give what the runner gives, in a form that can be closed."""
    yield from runner.run(pieces, ahead)
