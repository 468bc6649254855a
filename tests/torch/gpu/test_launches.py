"""Kernels compile for real devices as they are launched there, without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform != "linux", reason="Triton's compiler is for Linux")
def test_every_kernel_compiles():
    done = subprocess.run(
        [sys.executable, "-m", "tests.torch.gpu.launches"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "0"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    shared = {}
    for line in done.stdout.splitlines():
        name, capability, nbytes = line.split()
        shared.setdefault((name, int(capability)), set()).add(int(nbytes))
    kernels = ("kernel", "bisect_rounds", "_finish", "_certify")
    assert shared.keys() == {(name, capability) for name in kernels for capability in (80, 90)}
    # All in registers: nothing is shared, nobody waits.
    assert shared["kernel", 80] == shared["kernel", 90] == {0}
