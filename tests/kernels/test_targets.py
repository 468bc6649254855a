"""What the rounds compile to elsewhere: looked at, since no such machine is here."""

import re
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from numba.core import codegen
from llvmlite import binding as llvm
import masksolve.kernels.jit as jit
from masksolve.kernels import narrow

triple, cpu, features = sys.argv[1:]
whole = codegen.CPUCodegen.magic_tuple
codegen.CPUCodegen.magic_tuple = lambda self: (triple, cpu, features)
if "aarch64" in triple:
    narrow.FRACTIONS = ()  # this machine's compiler goes over it first, and knows no other's names
libraries = []

def compile_(callback):
    with jit._making():
        libraries.append(callback._compile_uncached().library)
    callback._wrapper_address = 0

jit._Callback.compile = compile_
jit._Callback.address = 0
from masksolve.kernels.narrow_rounds import narrow_relaxer
narrow_relaxer(8, 16, False)
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
text = "\\n".join(line for line in libraries[-1].get_llvm_str().splitlines()
                 if not line.startswith(("target triple", "target datalayout")))
text = text.replace('"target-cpu"', '"x"').replace('"target-features"', '"y"')
machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=3)
print(machine.emit_assembly(llvm.parse_assembly(text)))
"""
TARGETS = {
    "sse": ("x86_64-unknown-linux-gnu", "nehalem", "+sse4.1,+ssse3"),
    "avx2": ("x86_64-unknown-linux-gnu", "haswell", "+avx2,+ssse3"),
    "avx512": ("x86_64-unknown-linux-gnu", "icelake-server", "+avx512bw,+avx512vl,+avx2,+ssse3"),
    "neon": ("aarch64-unknown-linux-gnu", "neoverse-n1", "+neon"),
}
EXPECTED = {  # minima, maxima, differences, averages, fractions
    "sse": (r"pminuw\s+.*%xmm", r"pmaxuw\s+.*%xmm", r"psubusw\s", r"pavgw\s", r"pmulhrsw\s"),
    "avx2": (r"vpminuw\s+.*%ymm", r"vpmaxuw\s+.*%ymm", r"vpsubusw\s", r"vpavgw\s", r"vpmulhrsw\s"),
    "avx512": (r"vpminuw\s+.*%ymm", r"vpmaxuw\s+.*%ymm", r"vpsubusw", r"vpavgw", r"vpmulhrsw"),
    "neon": (r"umin\s+v.*8h", r"umax\s+v.*8h", r"uqsub\s+v", r"urhadd\s+v", r"smull"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_each_step_of_a_network_is_one_instruction(name):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *TARGETS[name]], capture_output=True, text=True, check=False
    )
    if "Unable to find target" in done.stderr or "No available targets" in done.stderr:
        pytest.skip("this llvmlite compiles for this machine alone")
    assert done.returncode == 0, done.stderr[-2000:]
    counts = [len(re.findall(rf"^\s+{what}", done.stdout, re.M)) for what in EXPECTED[name]]
    registers = 2 if name in ("sse", "neon") else 1  # to sixteen lanes
    # Two loops, over rows and columns: 80 operations each, and 16 differences.
    assert counts[0] >= 80 * registers
    assert counts[1] >= 80 * registers
    assert counts[0] + counts[1] <= 2 * 90 * registers
    assert counts[2] >= 32 * registers
    assert counts[3] >= 2 * registers
    assert counts[4] >= 2
