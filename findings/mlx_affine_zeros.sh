#!/usr/bin/env bash
# MLX's affine quantisation keeps nearly all zeros of a 2:4 weight, and the fewer bits, the more.
#
# One would guess, from the formula that its documentation gives (a scale and an offset, both real
# numbers, from a group's least and largest weight): 0 falls between two levels, so nearly every
# zero is lost; and more bits can only help.
# Seen: it moves the scale and the offset until 0 is a level, so with 4 bits about 98% of the zeros
# come back as exactly 0. In the other groups of 64, offset + scale * level rounds to the last digit
# above or below 0, and all zeros of such a group come back as one tiny number. The more levels,
# the more often: 2 bits lose none, 8 bits lose more than twice what 4 bits lose.
# Why it matters: counting nonzeros then calls a 2:4 weight dense in a few groups, though all that
# stands there is one rounding of the offset: multiply by the mask, or compare with a tolerance.
# The modes mxfp4, mxfp8 and nvfp4 keep every zero.
#
# Versions: mlx 0.32.4 with its CPU back end, numpy 2.4.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  "mlx[cpu]==0.32.4" numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
from importlib.metadata import version

import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
GROUP = 64
rng = np.random.default_rng(0)
weight = rng.standard_normal((256, 1024)).astype(np.float32) * 0.02
fours = weight.reshape(-1, 4)
np.put_along_axis(fours, np.argsort(-abs(fours), axis=1)[:, 2:], 0, axis=1)
zero = weight == 0
assert (zero.reshape(-1, 4).sum(1) == 2).all()


def by_the_formula(bits):
    """What mx.quantize documents for its affine mode, then offset + scale * level."""
    groups = weight.reshape(-1, GROUP)
    least = groups.min(1, keepdims=True)
    scale = (groups.max(1, keepdims=True) - least) / np.float32(2**bits - 1)
    return (np.round((groups - least) / scale) * scale + least).reshape(weight.shape)


def by_mlx(bits, dtype):
    packed = mx.quantize(mx.array(weight).astype(dtype), group_size=GROUP, bits=bits)
    back = mx.dequantize(*packed, group_size=GROUP, bits=bits)
    return np.array(back.astype(mx.float32))


def lost(seen):
    return float((seen[zero] != 0).mean())


formulas = mx.quantize.__doc__
assert r"\beta &= \min_i w_i" in formulas and r"s &= \frac{\alpha - \beta}{2^b - 1}" in formulas
print("mlx", version("mlx"), "numpy", np.__version__)
print("share of the zeros lost; the largest |number| in their place, / the mean kept one")
kept = abs(weight[~zero]).mean()
for dtype in (mx.float32, mx.float16, mx.bfloat16):
    share = {}
    for bits in (2, 4, 8):
        seen = by_mlx(bits, dtype)
        share[bits] = lost(seen)
        largest = float(abs(seen[zero]).max() / kept)
        formula = lost(by_the_formula(bits))
        print(f"{str(dtype):18} {bits} bits: {share[bits]:.4f} {largest:.1e}", end="")
        print(f"   (by the formula, float32: {formula:.4f})")
        assert formula > 0.9
        assert largest < 0.05
        # A group of 64 has one level for 0, so it loses all of its zeros or none.
        in_group = (seen != 0) & zero
        shares = in_group.reshape(-1, GROUP).sum(1) / zero.reshape(-1, GROUP).sum(1)
        assert set(shares.tolist()) <= {0.0, 1.0}
    assert share[2] == 0 and 0 < share[4] < 0.05 and 2 * share[4] < share[8] < 0.2, share
for mode in ("mxfp4", "mxfp8", "nvfp4"):
    back = mx.dequantize(*mx.quantize(mx.array(weight), mode=mode), mode=mode)
    seen = np.array(back.astype(mx.float32))
    print(f"{mode}: {lost(seen):.4f}")
    assert lost(seen) == 0
print("as found: most zeros are exact, the rest tiny, and more bits lose more")
PYTHON
"$folder/venv/bin/python" finding.py
