"""Kernels compile for real devices as they are launched there, without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("capability", [80, 90])
def test_every_kernel_compiles(capability):
    done = subprocess.run(
        [sys.executable, "-m", "tests.torch.gpu.launches", str(capability)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "0"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shared = {}
    for line in done.stdout.splitlines():
        name, nbytes = line.split()
        shared.setdefault(name, []).append(int(nbytes))
    assert set(shared) == {"kernel", "bisect_rounds", "_finish", "_certify"}
    assert set(shared["kernel"]) == {0}  # all in registers: nothing is shared, nobody waits
