"""Problems that are solved together: the answers of each alone, and the first error of all."""

import threading

import numpy as np
import pytest

import masksolve as ms
from masksolve import compiling
from masksolve.errors import InvalidInput
from masksolve.problem import Problem
from masksolve.solving import task_of
from masksolve.tasks import Task, run_together
from tests.test_compiling import FakeTime

SHAPES = [(64, 128), (8, 8), (512, 600), (9, 30), (0, 8), (3, 24, 40)]
METHODS = ["exact", "greedy"]


def weights_of(shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


def task_for(weights, method="exact", pattern="4:8", **options):
    return task_of(Problem(weights, pattern, np.abs, (-2, -1), None, **options), method)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_each_result_is_that_of_its_problem_alone(method, threads):
    weights = weights_of(SHAPES)
    tasks = [task_for(w, method, totals=True) for w in weights]
    run_together(tasks, threads)
    for task, w in zip(tasks, weights, strict=True):
        mine, alone = task.result(), ms.solve(w, "4:8", method=method)
        np.testing.assert_array_equal(mine.mask, alone.mask)
        assert mine.objective == pytest.approx(alone.objective, rel=1e-12)
        assert (mine.status, mine.method) == (alone.status, method)
        assert {**mine.stats, **dict.fromkeys(("seconds", "compile_seconds"))} == {
            **alone.stats,
            **dict.fromkeys(("seconds", "compile_seconds")),
        }
        assert task.problem.total == pytest.approx(np.abs(w.astype(np.float64)).sum(), rel=1e-12)


@pytest.mark.parametrize("pattern", ["4:8,plain", "2:4,at-most", "8:8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_totals_are_of_all_entries_whatever_the_way_they_are_read(pattern, order):
    w = np.asarray(weights_of([(301, 603)])[0].astype(np.float64), order=order)
    task = task_for(w, pattern=pattern, totals=True)
    task.run()
    assert task.problem.total == pytest.approx(np.abs(w).sum(), rel=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_first_error_is_raised_whoever_is_quicker(threads):
    """Of two bad problems the second one's error comes first, where there are threads."""
    second_failed = threading.Event()
    if threads == 1:
        second_failed.set()

    def first(box):
        assert second_failed.wait(60)
        raise InvalidInput("first")

    def second(box):
        second_failed.set()
        raise InvalidInput("second")

    box = np.ones((256, 256), dtype=np.float32)
    tasks = [Task(Problem(box, "4:8", np.abs, (0, 1), None), work) for work in (first, second)]
    tasks = [task_for(np.ones((512, 512), dtype=np.float32)), *tasks]
    with pytest.raises(InvalidInput, match="first"):
        run_together(tasks, threads)
    assert tasks[0].result().status is ms.Status.OPTIMAL
    with pytest.raises(InvalidInput, match="first"):
        tasks[1].result()


def test_seconds_are_shared_out_by_what_each_took(monkeypatch):
    """Kernels that are made meanwhile are of none of them, but for the first."""
    clock = FakeTime()
    monkeypatch.setattr(compiling, "time", clock)
    monkeypatch.setattr(compiling, "_CLOCK", compiling._Clock())
    problems = [Problem(np.eye(4), "1:4", np.abs, (0, 1), None) for _ in range(2)]
    solve = [task_of(problem, "exact") for problem in problems]

    def slowly(task, seconds):
        def work(box):
            clock.pass_(seconds)
            clock.pass_(40, compiled=True)
            task.do(box)

        return Task(task.problem, work, method="exact")

    tasks = [slowly(task, seconds) for task, seconds in zip(solve, (1, 3), strict=True)]
    run_together(tasks, 1)
    assert [task.result().stats["seconds"] for task in tasks] == [1, 3]
    assert [task.result().stats["compile_seconds"] for task in tasks] == [80, 0]
