"""Slices of a checkpoint solved by the workers of a Dask cluster."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from queue import Empty, SimpleQueue
from typing import Any

from distributed import Client, Future, KilledWorker, get_worker
from distributed.comm import CommClosedError

from masksolve.checkpoints.work import Slice, Solved, solve_slice
from masksolve.errors import ClusterError, FileFormatError, MasksolveError
from masksolve.inputs import as_threads

__all__ = ["DaskRunner"]

QUEUED = 2
"""Slices that each of the workers' threads may have: one at work, one to go on with."""

LOOK = 2.0
"""Seconds after which to look again who the workers are: they may come and go."""


class DaskRunner:
    """Have slices solved by the workers of a cluster, which must see the checkpoint's files.

    Slices go to whoever is free. Their masks, an eighth of a byte for each weight, wait on
    the workers for their turn, so that a slow slice does not hold up the others. What a
    worker was at when it died, or held, is solved again by another.

    Parameters
    ----------
    client : distributed.Client
    threads : int
        For each slice, where the caller of `solve_checkpoint` asks for no number. A worker
        solves as many slices at once as it has threads, so one each is right there.

    Examples
    --------
    >>> import masksolve as ms, masksolve.dask as msd
    >>> from distributed import Client
    >>> client = Client("tcp://10.0.0.1:8786")  # doctest: +SKIP
    >>> ms.solve_checkpoint(source, target, "4:8", runner=msd.DaskRunner(client))
    ... # doctest: +SKIP
    """

    def __init__(self, client: Client, threads: int = 1) -> None:
        self.client = client
        self.threads = as_threads(threads)

    def run(self, slices: Iterable[Slice], ahead: int) -> Iterator[Solved]:
        """Solve slices; see `masksolve.checkpoints.runners.Runner`.

        Parameters
        ----------
        slices : iterable of Slice
        ahead : int
            Bytes of masks that may wait for their turn; workers read no weights before
            they solve them.

        Yields
        ------
        Solved

        Raises
        ------
        FileFormatError, InvalidInput
            In the place of the first slice that cannot be read or solved.
        ClusterError
            If the scheduler is gone; if a slice ends every worker that tries it.
        """
        window = _Window(self.client, ahead)
        source = iter(slices)
        try:
            while True:
                while window.has_room() and (piece := next(source, None)) is not None:
                    window.submit(replace(piece, threads=piece.threads or self.threads))
                if not window.waiting:
                    return
                if (solved := window.take()) is not None:
                    yield solved
        finally:
            window.give_up()


@dataclass(eq=False, slots=True)
class _Job:
    """A slice that was handed to the cluster."""

    piece: Slice
    future: Future
    solved: bool = False

    @property
    def mask_bytes(self) -> int:
        return -(-prod(self.piece.shape) // 8)


class _Window:
    """Slices on their way, in order."""

    def __init__(self, client: Client, ahead: int) -> None:
        self.client = client
        self.waiting: deque[_Job] = deque()
        self._ahead = ahead
        self._name = f"masksolve-{uuid.uuid4().hex}"
        self._count = 0
        self._unsolved = 0
        self._held = 0
        self._done: SimpleQueue[_Job] = SimpleQueue()
        self._threads, self._looked = 0, -LOOK

    def has_room(self) -> bool:
        """Tell whether another slice may be submitted."""
        with suppress(Empty):
            while True:
                self._note(self._done.get_nowait())
        if self._held > self._ahead:
            return False
        return self._unsolved < max(1, QUEUED * self._count_threads())

    def _count_threads(self) -> int:
        now = time.monotonic()
        if now - self._looked >= LOOK:
            with _scheduler_there(self.client):
                self._threads = sum(self.client.nthreads().values())
            self._looked = now
        return self._threads

    def submit(self, piece: Slice) -> None:
        """Hand a slice to the cluster."""
        with _scheduler_there(self.client):
            future = self.client.submit(
                _solve, piece, key=f"{self._name}-{self._count}", priority=-self._count
            )
        job = _Job(piece, future)
        self._count += 1
        self._unsolved += 1
        self.waiting.append(job)
        future.add_done_callback(lambda _: self._done.put(job))

    def take(self) -> Solved | None:
        """Return the first slice if it is solved; wait a while for any otherwise."""
        head = self.waiting[0]
        if not head.future.done():
            with suppress(Empty):
                self._note(self._done.get(timeout=LOOK))
            return None
        while not head.solved:
            self._note(self._done.get())
        found = _result(self.client, head)
        self.waiting.popleft()
        self._held -= head.mask_bytes
        head.future.release()
        return found

    def _note(self, job: _Job) -> None:
        job.solved = True
        self._unsolved -= 1
        self._held += job.mask_bytes

    def give_up(self) -> None:
        """Let the cluster forget what is left."""
        if self.waiting and self.client.status == "running":
            with suppress(CancelledError, CommClosedError, OSError, TimeoutError):
                self.client.cancel([job.future for job in self.waiting])
        self.waiting.clear()


def _solve(piece: Slice) -> Solved:
    """Solve a slice on a worker, which says its name if it does not see the file."""
    try:
        return solve_slice(piece)
    except FileFormatError as error:
        raise FileFormatError(f"{error}, on the worker {get_worker().address}") from None


def _result(client: Client, job: _Job) -> Solved:
    """Fetch what a slice gave, its failure in one sentence."""
    what = f"{job.piece.path}: tensor {job.piece.tensor!r}"
    try:
        with _scheduler_there(client):
            found: Solved = job.future.result()
    except MasksolveError:
        raise
    except KilledWorker as error:
        raise ClusterError(
            f"{what} ended {error.allowed_failures + 1} workers one after the other: "
            "have they enough memory?"
        ) from None
    except ImportError as error:
        raise ClusterError(
            f"the workers cannot import what solves slices ({error}): install the same "
            "masksolve there"
        ) from None
    return found


class _scheduler_there:  # noqa: N801  # reads as a condition
    """Say in one sentence that the scheduler is gone."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, FileFormatError):
            return
        if isinstance(error, (CancelledError, CommClosedError, TimeoutError, OSError)):
            raise ClusterError(
                f"the Dask scheduler at {self.client.scheduler.address} is gone or has given "
                "up the work: the same command, with that or another one, goes on where "
                "it stopped"
            ) from None
