"""The way of a file or a folder through a run, safely interrupted at any moment."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from masksolve.checkpoints import changes
from masksolve.checkpoints.figures import Figures, figures_of, read_figures
from masksolve.checkpoints.finish import read_all_records, write_rest
from masksolve.checkpoints.journal import Journal
from masksolve.checkpoints.manifest import identity, read_manifest
from masksolve.checkpoints.others import Others
from masksolve.checkpoints.plan import Shard, fingerprint
from masksolve.checkpoints.progress import metering
from masksolve.checkpoints.runners import Runner, Watch
from masksolve.checkpoints.source import MANIFEST, Checkpoint
from masksolve.checkpoints.target import Target, compare_settings
from masksolve.checkpoints.work import Slice, Solved
from masksolve.checkpoints.writer import Step, Writer, all_steps
from masksolve.errors import FileFormatError, InvalidInput
from masksolve.threads import Progress

__all__ = ["AHEAD", "Done", "Job", "carry_out"]

AHEAD = 2
"""Slices that a process may hold besides the one that it is at."""
BEHIND = 2
"""Solved slices that may wait to be written."""


@dataclass(frozen=True)
class Job:
    """What a run is to do.

    Attributes
    ----------
    checkpoint : Checkpoint
        What is read.
    shards : sequence of Shard
        The files to write.
    others : Others
        What else of the folder to copy.
    place : Target
    asked : mapping
        What the output depends on besides the input and how it is cut.
    runner : callable
        Makes who solves the slices; gets a function to call with what is under way.
    compare : sequence of str
        Other methods whose figures are wanted.
    ahead : int
        Bytes of weights that may be held besides those at work.
    """

    checkpoint: Checkpoint
    shards: Sequence[Shard]
    others: Others
    place: Target
    asked: Mapping[str, Any]
    runner: Callable[[Watch], Runner]
    compare: Sequence[str]
    ahead: int

    @property
    def settings(self) -> dict[str, Any]:
        """Say what the output depends on."""
        files = self.checkpoint.shards.items()
        found = {
            **self.asked,
            "source": {name: identity(file) for name, file in files},
            "slices": fingerprint(self.shards),
        }
        return found | ({"compare": list(self.compare)} if self.compare else {})

    @property
    def nbytes(self) -> int:
        """Bytes that will be written."""
        others = sum((self.checkpoint.path / path).stat().st_size for path in self.others.files)
        return sum(shard.nbytes for shard in self.shards) + others


@dataclass(frozen=True)
class Done:
    """What a run has done: bytes of the checkpoint, and figures of each tensor."""

    nbytes: int
    figures: Mapping[str, Figures]


def carry_out(job: Job, progress: Progress) -> Done:
    """Do what is not done yet, and publish all when it is whole.

    Raises
    ------
    FileFormatError
        If something cannot be read or written: what was done stays, to be gone on with.
    InvalidInput
        If something else lies where the output goes, or the input is not what it should be:
        then nothing stays.
    """
    settings = job.settings
    if not job.place.finished:
        job.place.check_space(job.nbytes)
        with job.place.locked():
            if not job.place.finished:  # by somebody else in the meantime
                return _go_on(job, settings, progress)
    figures = _refuse_others(job, settings)
    if job.place.work.is_dir():
        with job.place.locked():
            job.place.clear()
    return Done(0, figures)


def _refuse_others(job: Job, settings: Mapping[str, Any]) -> dict[str, Figures]:
    """Raise if a finished folder was made of something else; return its figures."""
    place, manifest = job.place, read_manifest(job.place.path)
    instead = "expected a new or an empty folder"
    compare_settings(place.path, manifest["settings"], settings, instead)
    try:
        figures = read_figures(manifest.get("figures", {}))
        copied = changes.hashes_of([], job.shards, manifest["files"])
    except (KeyError, TypeError, AttributeError):
        path = place.path / MANIFEST
        raise FileFormatError(f"{path} is damaged: its figures make no sense") from None
    records = read_all_records(place, job.shards).items()
    hashes = copied | {name: r.weights for name, r in records if r.weights is not None}
    hashes |= {name: found.weights for name, found in figures.items()}
    inputs, stamps = manifest.get("inputs", {}), job.checkpoint.stamps
    changes.refuse_changed_since_finished(job.shards, inputs, stamps, hashes, place.path)
    return figures


def _go_on(job: Job, settings: Mapping[str, Any], progress: Progress) -> Done:
    place, stamps = job.place, job.checkpoint.stamps
    inputs = place.open(settings, {name: stamp.to_json() for name, stamp in stamps.items()})
    try:
        with closing(Journal(place.journal)) as journal:
            steps = all_steps(job.shards)
            with closing(Writer(place, journal, steps)) as writer:
                done = changes.hashes_of(writer.lines, job.shards, writer.files)
                changes.refuse_changed_at_work(job.shards, inputs, stamps, done, place.work)
                with changes.noticing(job.shards, stamps):
                    nbytes = _work(job, steps, writer, progress)
        hashes = changes.hashes_of(writer.lines, job.shards, writer.files)
        changes.refuse_changed_while_read(job.shards, stamps, hashes)
        figures = figures_of(writer.lines, job.compare)
        files = {shard.name: writer.files[shard.name] for shard in job.shards}
        if place.manifested:
            files = write_rest(
                place, job.checkpoint, job.shards, job.others, files, settings, figures
            )
        place.check_whole(files, read=False)
    except BaseException as error:
        if isinstance(error, InvalidInput) or place.untouched:
            place.discard()
        raise
    place.publish([*files, MANIFEST] if place.manifested else files, job.others.folders)
    return Done(nbytes, figures)


def _work(job: Job, steps: Sequence[Step], writer: Writer, progress: Progress) -> int:
    """Solve and write what is not done yet; return its bytes."""
    left = steps[writer.done :]
    before = sum(step.nbytes for step in steps[: writer.done])
    total = sum(step.nbytes for step in steps)
    pieces = (piece for step in left if (piece := step.piece) is not None)
    with (
        metering(progress, total, before) as meter,
        ThreadPoolExecutor(1, thread_name_prefix="masksolve-write") as pool,
        closing(_generate(job.runner(meter.watch), pieces, job.ahead)) as solutions,
    ):
        writing: deque[tuple[Step, Future[None]]] = deque()
        for step in left:
            solved = None if step.piece is None else next(solutions)
            writing.append((step, pool.submit(writer.write, step, solved)))
            while len(writing) > (BEHIND if step is not left[-1] else 0):
                written, future = writing.popleft()
                future.result()
                meter.finish(written.tensor.source.name, written.piece, written.nbytes)
    return total - before


def _generate(runner: Runner, pieces: Iterable[Slice], ahead: int) -> Generator[Solved, None, None]:
    """Give what the runner gives, in a form that can be closed."""
    yield from runner.run(pieces, ahead)
