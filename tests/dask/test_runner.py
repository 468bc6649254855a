"""Slices on a cluster: in order, bounded, the same whoever dies on the way."""

import asyncio
import os
import signal
import threading
from concurrent.futures import CancelledError

import dask
import dask.array as da
import ml_dtypes
import numpy as np
import pytest
from distributed import Client, KilledWorker, LocalCluster
from safetensors.numpy import save_file

import masksolve as ms
import masksolve.dask as msd
from masksolve.checkpoints.runners import LocalRunner
from masksolve.dask import clusters, runner
from masksolve.errors import ClusterError
from tests.checkpoints.models import slices_of
from tests.dask.strangers import NOBODY, STRANGERS, stranger

AHEAD = 1 << 20


def slices(folder, tensors, most=4096, pattern="4:8", threads=None):
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    return slices_of(folder, pattern, most, threads)


def many(folder):
    rng = np.random.default_rng(0)
    tensors = {
        "first": rng.normal(size=(333, 90)).astype(np.float32),
        "second": rng.integers(-3, 4, (128, 51)).astype(np.float16),
        "third": rng.normal(size=(10, 10)),
    }
    return slices(folder, tensors)


def figures(solved):
    return [(s.packed.tobytes(), s.objective, s.upper_bound, s.status, s.weights) for s in solved]


@pytest.fixture(scope="module")
def two():
    with msd.local_cluster(2) as found:
        yield found


def pids(two):
    return set(two.client.run(os.getpid).values())


def test_two_workers_solve_what_one_process_does(two, tmp_path):
    pieces = many(tmp_path)
    assert len(pieces) > 30
    assert figures(two.run(pieces, AHEAD)) == figures(LocalRunner().run(pieces, AHEAD))
    assert list(two.run([], AHEAD)) == []


def test_a_worker_that_is_killed_loses_nothing(two, tmp_path):
    pieces = many(tmp_path)
    before = pids(two)
    found = []
    for solved in two.run(pieces, AHEAD):
        found.append(solved)
        if len(found) == 3:  # others are on their way, or wait on the workers
            os.kill(min(before), signal.SIGKILL)
    assert figures(found) == figures(LocalRunner().run(pieces, AHEAD))
    two.client.wait_for_workers(2)  # another has taken its place
    assert pids(two) != before


def test_failures_come_in_their_place_in_the_same_words(two, tmp_path):
    weights = np.ones((64, 32), np.float32)
    weights[41, 7] = np.inf
    pieces = slices(tmp_path, {"fine": np.ones((8, 8), np.float32), "w": weights}, most=1024)
    found = [], []
    for solver, solved in zip((two, LocalRunner()), found, strict=True):
        with pytest.raises(ms.InvalidInput) as caught:
            solved.extend(solver.run(pieces, AHEAD))
        words = f"{tmp_path}/model.safetensors: tensor 'w': weights[41, 7] is inf: scores must"
        assert str(caught.value) == f"{words} be finite"
    assert figures(found[0]) == figures(found[1])
    assert found[0]
    os.remove(tmp_path / "model.safetensors")
    with pytest.raises(ms.FileFormatError, match=r"^cannot read .*, on the worker tcp://"):
        list(two.run(pieces, AHEAD))


def test_dask_arrays_find_the_same_on_two_workers(two):
    weights = np.random.default_rng(3).normal(size=(70, 90)).astype(ml_dtypes.bfloat16)
    lazy = msd.solve(da.from_array(weights, chunks=(33, 29)), "4:8")
    mask, status = two.client.gather(two.client.compute([lazy.mask, lazy.status]))
    np.testing.assert_array_equal(mask, ms.solve(weights, "4:8").mask)
    assert status is ms.Status.OPTIMAL
    weights[50, 60] = np.nan
    lazy = msd.solve(da.from_array(weights, chunks=(33, 29)), "4:8")
    with pytest.raises(ms.InvalidInput, match=r"^weights\[50, 60\] is nan: scores must be fin"):
        two.client.compute(lazy.mask).result()


class FakeFuture:
    def __init__(self):
        self.found, self.callbacks, self.released = None, [], False

    def done(self):
        return self.found is not None

    def add_done_callback(self, call):
        self.callbacks.append(call)
        if self.done():
            call(self)

    def finish(self, found):
        self.found = found
        for call in self.callbacks:
            call(self)

    def result(self):
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found

    def release(self):
        self.released = True


class FakeClient:
    """A scheduler with three threads; `decide` says which futures are finished when."""

    status = "running"

    def __init__(self, decide):
        self.futures, self.pieces, self.cancelled, self.decide = [], [], [], decide

    def nthreads(self):
        return {"one": 2, "other": 1}

    def submit(self, function, piece, *, key, priority):
        self.futures.append(FakeFuture())
        self.pieces.append(piece)
        self.decide(self.futures)
        return self.futures[-1]

    def cancel(self, futures):
        self.cancelled += futures


@pytest.fixture
def pieces(tmp_path):
    return slices(tmp_path, {"w": np.ones((512, 64), np.float32)}, most=2048)


def all_but_the_first(futures):
    if len(futures) > 1:
        futures[-1].finish(len(futures) - 1)


def test_a_slow_slice_does_not_hold_the_rest(pieces):
    def decide(futures):
        all_but_the_first(futures)
        if len(futures) == len(pieces):
            futures[0].finish(0)

    client = FakeClient(decide)
    assert list(msd.DaskRunner(client).run(pieces, AHEAD)) == list(range(len(pieces)))
    assert all(future.released for future in client.futures)
    assert client.cancelled == []


@pytest.mark.parametrize(("ahead", "most"), [(0, 2), (640, 12), (1 << 30, 64)])
def test_masks_that_wait_are_bounded(pieces, ahead, most):
    # 64 bytes each: as many as fit, the one that does not, and the slow one.
    client = FakeClient(all_but_the_first)
    found = msd.DaskRunner(client).run(pieces, ahead)
    timer = threading.Timer(0.2, lambda: client.futures[0].finish(0))
    timer.start()
    assert next(found) == 0
    assert len(client.futures) <= most
    found.close()
    assert len(client.cancelled) == len(client.futures) - 1


def test_unsolved_slices_are_bounded_by_the_workers_threads(pieces):
    client = FakeClient(lambda futures: None)
    found = msd.DaskRunner(client).run(pieces, AHEAD)
    asked = []

    def finish():
        asked.append(len(client.futures))
        client.futures[0].finish(0)

    threading.Timer(0.2, finish).start()
    next(found)
    found.close()
    assert asked == [6]


def test_threads_do_not_multiply(pieces, tmp_path):
    def decide(futures):
        futures[-1].finish(0)

    for asked, own, threads in ((None, 1, 1), (None, 3, 3), (2, 1, 2)):
        client = FakeClient(decide)
        some = slices(tmp_path, {"w": np.ones((16, 16), np.float32)}, threads=asked)
        list(msd.DaskRunner(client, threads=own).run(some, AHEAD))
        assert [piece.threads for piece in client.pieces] == [threads]


FAILURES = [
    (KilledWorker("key", None, 3), "model.safetensors: tensor 'w' ended 4 workers one after"),
    (ModuleNotFoundError("No module named 'masksolve'"), "the workers cannot import what solv"),
    (CancelledError("lost"), "the Dask scheduler at tcp://here is gone or has given up"),
]


@pytest.mark.parametrize(("error", "words"), FAILURES)
def test_what_a_cluster_does_is_said_in_a_sentence(pieces, error, words):
    client = FakeClient(lambda futures: futures[-1].finish(error))
    client.scheduler = type("Scheduler", (), {"address": "tcp://here"})
    with pytest.raises(ClusterError) as caught:
        list(msd.DaskRunner(client).run(pieces, AHEAD))
    assert words in str(caught.value)


def test_a_scheduler_that_goes_away_is_missed(pieces, monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "LOOK", 0.1)
    quiet = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}
    with dask.config.set({"temporary-directory": str(tmp_path)}):
        alone = LocalCluster(0, processes=False, protocol="tcp", silence_logs=60, **quiet)
    with alone, Client(alone.scheduler_address, set_as_default=False) as client:
        threading.Timer(0.5, alone.close).start()
        with pytest.raises(ClusterError, match=r"scheduler at tcp://.* is gone"):
            list(msd.DaskRunner(client).run(pieces, AHEAD))


def assert_refused(address, **options):
    with pytest.raises(ClusterError) as caught, clusters.connect(address, **options):
        pass
    said = str(caught.value)
    assert said.startswith(f"no Dask scheduler answers at {address}: ")
    assert not said.endswith(": ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("address", NOBODY)
def test_a_wrong_address_is_refused(address, monkeypatch):
    """Before a client is made of it, which would try on and on, and complain when it ends."""
    monkeypatch.setattr(clusters, "Client", None)
    assert_refused(address)


@pytest.mark.parametrize("kind", STRANGERS)
def test_whoever_is_no_scheduler_is_refused(kind, monkeypatch):
    monkeypatch.setattr(clusters, "Client", None)
    with stranger(kind) as address:
        assert_refused(address, timeout=0.3)


def test_a_worker_is_no_scheduler(two, monkeypatch):
    monkeypatch.setattr(clusters, "Client", None)
    worker = next(iter(two.client.nthreads()))
    assert assert_refused(worker).endswith("whoever listens there is none")


def test_a_scheduler_is_connected_to_from_a_running_loop_as_well(two):
    async def connected():
        with clusters.connect(two.client.scheduler.address) as found:
            return found.threads

    assert asyncio.run(connected()) == 1
