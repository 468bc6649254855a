"""What `import masksolve` loads, and that compiled kernels are kept on disk."""

import json
import os
import subprocess
import sys

import pytest

import masksolve as ms
from masksolve.kernels.jit import kernel

HEAVY = ["torch", "matplotlib", "scipy", "ortools", "numba", "dask", "xxhash"]


def answer(code, **environment):
    """Run code in a fresh interpreter, warnings being errors; what it answers, through JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\nimport json; print(json.dumps(answer))"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_importing_loads_nothing_heavy():
    code = "import sys, masksolve; answer = [name for name in {} if name in sys.modules]"
    assert answer(code.format(HEAVY)) == []


@pytest.mark.parametrize(
    ("package", "adapter", "words"),
    [
        ("torch", "masksolve.torch", "PyTorch: pip install torch"),
        ("dask", "masksolve.dask", "Dask: pip install 'masksolve[dask]'"),
    ],
)
def test_without_its_package_an_adapter_says_what_to_install(package, adapter, words):
    code = f"""
import sys
sys.modules["{package}"] = None  # as if it were not installed
import masksolve as ms
answer = [ms.solve([[4, 1], [2, 3]], "1:2").objective]
try:
    import {adapter}
except ImportError as error:
    answer.append(str(error))
"""
    assert answer(code) == [7, f"{adapter} needs {words}"]


def test_solving_does_not_load_the_planner():
    code = """
import sys
import masksolve as ms
later = ("masksolve.planning", "masksolve.diversity")
before = [name in sys.modules for name in later]
ms.plan, ms.Plan, ms.diversity.count
answer = [before, [name in sys.modules for name in later], "plan" in dir(ms)]
"""
    assert answer(code) == [[False, False], [True, True], True]


def test_checking_masks_needs_no_compiler():
    code = """
import sys
import masksolve as ms
answer = [ms.is_valid([[1, 0], [0, 1]], "1:2"), "numba" in sys.modules]
"""
    assert answer(code) == [True, False]


def test_a_second_process_finds_the_kernels_compiled():
    ms.solve([[1.0, 2.0], [3.0, 4.0]], "1:2", threads=1)  # here, the first
    code = """
import masksolve as ms
ms.solve([[1.0, 2.0], [3.0, 4.0]], "1:2", threads=1)
from masksolve.kernels import engine
stats = engine._compiled(double=False).stats
answer = [sum(stats.cache_hits.values()), sum(stats.cache_misses.values())]
"""
    assert answer(code) == [1, 0]


def test_kernels_without_a_place_for_their_cache_still_compile():
    namespace = {}
    exec("def double(x): return 2 * x", namespace)  # a function without a source file
    assert kernel(namespace["double"])(21) == 42


def test_public_names_are_there():
    assert len(ms.__all__) == len(set(ms.__all__))
    assert [name for name in ms.__all__ if not hasattr(ms, name)] == []
    with pytest.raises(AttributeError):
        ms.no_such_name  # noqa: B018
