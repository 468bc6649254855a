"""Clusters to run on: processes of this machine, or a scheduler that is there already."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, resource_tracker
from multiprocessing.process import BaseProcess

import dask
from distributed import Client, LocalCluster
from distributed.comm import connect as comm_connect
from distributed.comm.addressing import parse_address, parse_host_port
from distributed.comm.registry import get_backend
from distributed.security import Security

from masksolve.dask.runner import DaskRunner
from masksolve.errors import ClusterError
from masksolve.inputs import as_threads

__all__ = ["connect", "local_cluster"]

KNOCK = 3.0
"""Seconds that a machine may take to say that it listens."""


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
    with (
        tempfile.TemporaryDirectory(prefix="masksolve-") as folder,
        _started(workers, folder) as client,
    ):
        yield DaskRunner(client, threads)


@contextmanager
def _started(workers: int, folder: str) -> Iterator[Client]:
    """Start processes and a client, and close them, whatever comes in between.

    In a thread, which Ctrl-C does not interrupt: a cluster can only be closed in good order
    when it is whole.
    """
    others = set(active_children())
    with ThreadPoolExecutor(1, thread_name_prefix="masksolve-start") as starter:
        future = starter.submit(_start, workers, folder)
        try:
            yield future.result()[1]
        finally:
            cluster, client = future.result()
            client.close()
            cluster.close()
            _end(set(active_children()) - others)


def _start(workers: int, folder: str) -> tuple[LocalCluster, Client]:
    _block_sigint()
    try:
        with dask.config.set({"temporary-directory": folder}):
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                # On a port of its own: the usual one may be another cluster's.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=folder,
                # Slices are as small as was asked for, and mapped files are no load.
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
    except (OSError, RuntimeError) as error:
        raise ClusterError(f"cannot start {workers} processes: {error}") from None
    return cluster, Client(cluster, set_as_default=False, direct_to_workers=True)


def _block_sigint() -> None:
    """Let no process that this thread starts, or a thread of its own, ever see Ctrl-C.

    A terminal sends it to all of them; the main thread here alone is to act on it.
    """
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # else the first process starts it: it unblocks
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _end(children: set[BaseProcess]) -> None:
    """End what did not heed that the cluster was closed."""
    for child in children:
        if child.name.startswith("Dask Worker process"):
            child.kill()
            child.join()


@contextmanager
def connect(address: str, timeout: float = 10.0) -> Iterator[DaskRunner]:
    """Use a Dask scheduler and its workers.

    Parameters
    ----------
    address : str
        Such as ``"tcp://10.0.0.1:8786"``.
    timeout : float
        Seconds to wait for its answer, once somebody listens at the address: whoever does
        not speak Dask's language is given up after them, wherever nobody listens at once, and
        a machine that does not say which after 3 seconds.

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
        _knock(address)
        # In a thread: the caller's may have a loop that runs, as in a notebook.
        with ThreadPoolExecutor(1, thread_name_prefix="masksolve-greet") as greeter:
            greeter.submit(asyncio.run, _greet(address, timeout)).result()
        client = Client(address, timeout=timeout, set_as_default=False)
    except Exception as error:  # strangers may answer anything
        reason = str(error).split(". ")[0].split("\n")[0] or type(error).__name__
        raise ClusterError(f"no Dask scheduler answers at {address}: {reason}") from None
    with client:
        yield DaskRunner(client)


async def _greet(address: str, timeout: float) -> None:
    """Raise unless a scheduler answers in time.

    A client that fails is not closed without waiting and complaints, and waits for a
    stranger's answer without an end.
    """
    comm = None
    try:
        async with asyncio.timeout(timeout):
            security = Security().get_connection_args("client")
            comm = await comm_connect(address, timeout=timeout, **security)
            await comm.write({"op": "identity", "reply": True})
            found = await comm.read()
    except TimeoutError:
        raise OSError(f"nothing came in {timeout:g} s") from None
    finally:
        if comm is not None:
            comm.abort()
    if not (isinstance(found, dict) and found.get("type") == "Scheduler"):
        raise ValueError("whoever listens there is none")


def _knock(address: str) -> None:
    """Raise at once if nobody listens there: Dask would go on trying until its time is up.

    Raises
    ------
    OSError, ValueError
        Saying why.
    """
    scheme, place = parse_address(address)
    get_backend(scheme)
    if scheme not in ("tcp", "tls", "ws", "wss"):
        return
    host, port = parse_host_port(place)
    try:
        socket.create_connection((host, port), KNOCK).close()
    except (UnicodeError, OverflowError):  # what Python says of names and ports that are none
        raise ValueError(f"{place!r} is no name and port of a machine") from None
