#!/usr/bin/env bash
# numba lets LLVM assume that sums of signed integers never overflow, so bits counted in words get lost.
#
# One would guess: int64 sums in a compiled function wrap around, as NumPy's do, and the usual way to
# count the bits of each field of a word, by shifts, masks and sums, gives the same in both.
# Seen: two bits in the two highest places sum up to a word whose sign is set. numba marks the sum as
# one that cannot overflow; LLVM concludes that it is not negative, and the next shift and mask drop the
# highest bit. NumPy and plain Python count 4 in the highest nibble of a word of ones, numba 2.
# Why it matters: masks kept as bits, 64 flags a word, are counted wrong in words whose last entries
# are kept, and in no others.
# Way out: put the first level together by xor, and and a shift; or count in uint64.
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

PAIRS, NIBBLES = 0x5555555555555555, 0x3333333333333333


def count(word):
    """Count the bits of each nibble."""
    word = (word & PAIRS) + (word >> 1 & PAIRS)
    return (word & NIBBLES) + (word >> 2 & NIBBLES)


print("numba", numba.__version__, "numpy", np.__version__)
ones = np.full(1, -1, dtype=np.int64)
right = int(count(ones)[0]) % 2**64
found = int(numba.njit(count)(-1)) % 2**64
print(f"NumPy {right:x}, numba {found:x}")
assert right == 0x4444444444444444
assert found == 0x2444444444444444
print("as found: the highest field is counted wrong")
PYTHON
"$folder/venv/bin/python" finding.py
