"""Clusters to run on: processes of this machine, or a scheduler that is there already."""

from __future__ import annotations

import logging
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import dask
from distributed import Client, LocalCluster

from masksolve.dask.runner import DaskRunner
from masksolve.errors import ClusterError
from masksolve.pieces import as_threads

__all__ = ["connect", "local_cluster"]

START = 300
"""Seconds that processes may take to start, on a machine that is busy with other things."""


@contextmanager
def local_cluster(workers: int, threads: int | None = None) -> Iterator[DaskRunner]:
    """Start processes on this machine that solve slices; end them with the block.

    Parameters
    ----------
    workers : int
        Processes, which solve a slice at a time each. One that dies is started again.
    threads : int, optional
        For each of them. Default: the cores shared out.

    Yields
    ------
    DaskRunner

    Examples
    --------
    >>> import masksolve as ms, masksolve.dask as msd
    >>> with msd.local_cluster(2) as runner:  # doctest: +SKIP
    ...     ms.solve_checkpoint(source, target, "4:8", runner=runner)
    """
    workers = as_threads(workers)
    threads = max(1, as_threads(None) // workers) if threads is None else as_threads(threads)
    cluster = None
    with tempfile.TemporaryDirectory(prefix="masksolve-") as folder:
        try:
            scratch = {"temporary-directory": folder}
            with dask.config.set(scratch), _sigint_blocked():
                cluster = _start()
            cluster.scale(workers)
            with Client(cluster, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=START)
                yield DaskRunner(client, threads)
        except TimeoutError:
            raise ClusterError(f"{workers} processes have not started in {START} s") from None
        finally:
            if cluster is not None:
                cluster.close()


def _start() -> LocalCluster:
    """Start a cluster that has no workers yet: soon done, so that none is left half-started."""
    return LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        # On a port of its own: the usual one may be another cluster's.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        # Slices are as small as they were asked to be, and mapped files are no load.
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Let processes that are started in the block, or by its threads, never see Ctrl-C.

    A terminal sends it to all of them; this process alone is to act on it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # would be started with the first, and unblock it again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def connect(address: str, timeout: float = 10.0) -> Iterator[DaskRunner]:
    """Use a Dask scheduler and its workers.

    Parameters
    ----------
    address : str
        Such as ``"tcp://10.0.0.1:8786"``.
    timeout : float
        Seconds to wait for its answer.

    Yields
    ------
    DaskRunner
        Whose slices take a thread each, and a worker as many slices as it has threads.

    Raises
    ------
    ClusterError
        If none answers.
    """
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).split(". ")[0].split("\n")[0]
        raise ClusterError(f"no Dask scheduler answers at {address}: {reason}") from None
    with client:
        yield DaskRunner(client)
