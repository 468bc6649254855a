"""Kernels compile for real devices, also where there is none."""

import os
import subprocess
import sys

import pytest

COMPILE = """
import itertools
import triton
from triton.backends.compiler import GPUTarget
from masksolve.torch.gpu.certificate import _certify, certificate_sizes
from masksolve.torch.gpu.finish import _finish, finish_sizes

STRIDES = ("batch", "row", "column")
PLACES = {f"{name}_{axis}": "i64" for name in ("w", "mask") for axis in STRIDES}
COUNTS = ("rows", "columns", "tile_rows", "tile_columns", "first", "count")
POINTERS = {
    "mask": "*i1", "flags": "*i32", "left": "*i32", "number_left": "*i32",
    "U": "*fp64", "V": "*fp64", "kept_out": "*fp64", "gap_out": "*fp64",
}

def built(kernel, capability, entries, constants, options):
    names = PLACES | dict.fromkeys(COUNTS, "i32") | POINTERS | {"W": f"*{entries}"}
    names |= dict.fromkeys(constants, "constexpr")
    source = triton.compiler.ASTSource(
        fn=kernel, signature={k: names[k] for k in kernel.arg_names}, constexprs=constants
    )
    target = GPUTarget("cuda", capability, 32)
    return triton.compile(source, target=target, options=options).asm["cubin"]

for n, m, entries, at_most, capability in CASES:
    how = {"n": n, "m": m, "AT_MOST": at_most, "MAGNITUDE": True}
    sizes, options = finish_sizes(m)
    assert built(_finish, capability, entries, how | {"GROUND": at_most} | sizes, options)
    sizes, options = certificate_sizes(m)
    assert built(_certify, capability, entries, how | sizes, options)
print("built")
"""
CASES = [
    (2, 4, "fp32", False, 90),
    (2, 4, "bf16", True, 80),
    (3, 10, "fp64", False, 80),
    (8, 16, "fp32", False, 90),
    (16, 32, "fp16", True, 90),
    (16, 64, "fp32", False, 80),
]


def compiled(program):
    """Run a program where kernels are compiled, not interpreted; return what it prints."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="Triton's compiler is for Linux")
def test_finish_and_certificate_compile_without_a_device(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assert compiled(f"CASES = {CASES}\n{COMPILE}") == "built\n"
