"""Kernels are compiled whatever numba is told about the functions of others."""

import json
import os
import subprocess
import sys

import numpy as np

import masksolve as ms

DISABLED = """
import json, numba, numpy as np, masksolve as ms
weights = np.random.default_rng(0).normal(size=(40, 40))
found = [ms.solve(weights, pattern, threads=2) for pattern in ("4:8", "2:4,plain")]
judged = [ms.certify(weights, r.mask, r.pattern, threads=1).status.name for r in found]
theirs = numba.njit(lambda x: x)
print(json.dumps([[r.mask.tolist() for r in found], judged, type(theirs).__name__]))
"""


def test_disabling_numba_is_for_the_code_of_others():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DISABLED],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    masks, judged, kind = json.loads(done.stdout)
    weights = np.random.default_rng(0).normal(size=(40, 40))
    for mask, pattern in zip(masks, ("4:8", "2:4,plain"), strict=True):
        assert (ms.solve(weights, pattern).mask == mask).all()
    assert judged == ["OPTIMAL", "OPTIMAL"]
    assert kind == "function"


def test_so_are_kernels_compiled_for_the_first_time(tmp_path):
    """With what numba has in Python built in, which it would not compile either."""
    source = tmp_path / "small.py"
    source.write_text(
        "import numpy as np\n"
        "from masksolve.kernels.jit import kernel\n"
        "@kernel\n"
        "def small(x):\n"
        "    return np.sort(x).max() + np.median(x)\n"
        "print(small(np.array([3.0, 1.0, 2.0])))\n"
    )
    changed = {"NUMBA_DISABLE_JIT": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(source)], env=os.environ | changed, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("5.0\n", "")
