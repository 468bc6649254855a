#!/usr/bin/env bash
# numba compiles a function once more for every whole number that a compiled caller writes out.
#
# One would guess: whole numbers are int64 to a compiled function, whoever calls it, and a constant is
# a type of its own only to who asks for it, with `numba.literally`.
# Seen: called from Python with 8, 16 and 32, a function is compiled once. Called with the same three
# from a compiled function, it is compiled three times, for Literal[int](8) and so on; a counter that
# begins at a written 0 and goes on as a variable makes two. A float constant does not do this.
# Why it matters: kernels for masks take the group size, the stage or n and m as arguments. Each
# constant is one more compilation at first call, with nothing in the code to show it.
# Way out: numbers that come from data (a field of a tuple, an element of an array), float32
# constants, or one place that calls.
#
# Versions: numba 0.68.1, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
import numba
import numpy as np


def scaled(value, by):
    """Scale a number."""
    return value * by + 1


print("numba", numba.__version__, "numpy", np.__version__)

from_python = numba.njit(scaled)
for size in (8, 16, 32):
    from_python(3, size)

whole = numba.njit(scaled)


@numba.njit
def with_whole(value):
    """Call with three constants."""
    return whole(value, 8) + whole(value, 16) + whole(value, 32)


with_whole(3)
single = numba.njit(scaled)
A, B, C = np.float32(8), np.float32(16), np.float32(32)


@numba.njit
def with_single(value):
    """Do so with floats."""
    return single(value, A) + single(value, B) + single(value, C)


with_single(3)
print("called from Python:", from_python.signatures)
print("by a compiled caller:", whole.signatures)
print("by one, with float32:", single.signatures)
assert len(from_python.signatures) == 1
assert [str(kinds[1]) for kinds in whole.signatures] == [
    "Literal[int](8)",
    "Literal[int](16)",
    "Literal[int](32)",
]
assert len(single.signatures) == 1
print("as found: one compilation for each constant")
PYTHON
"$folder/venv/bin/python" finding.py
