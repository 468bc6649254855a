#!/usr/bin/env bash
# HQQ's round_zero=True, which its own configuration sets, keeps not one zero of a 2:4 weight.
#
# One would guess: with a zero point rounded to a whole number, 0 is a level, so a pruned weight
# stays exactly 0. BaseQuantizeConfig() asks for just that at 4 bits.
# Seen: the same configuration also optimises, which starts at the rounded zero point and replaces
# it by a mean of residuals, no whole number. With optimize=True every zero is lost, and
# round_zero=True or False makes next to no difference to the result. With optimize=False and
# round_zero=True every zero is kept, and the error grows by little; with neither, all are lost.
# Why it matters: the option that makes a 2:4 weight survive has no effect until the other is off.
#
# Versions: hqq 0.2.8.post1, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip() {
  "$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check "$@"
}
pip torch==2.13.0 numpy==2.4.6 einops==0.8.2 termcolor==3.3.0 tqdm==4.70.1
# The rest of what it asks for loads whole models, which this doesn't.
pip --no-deps hqq==0.2.8.post1
cd "$folder"
cat > finding.py <<'PYTHON'
import warnings
from importlib.metadata import version

import torch

warnings.filterwarnings("ignore")

from hqq.core.quantize import BaseQuantizeConfig, Quantizer

torch.manual_seed(0)
weight = torch.randn(256, 512) * 0.02
order = weight.abs().reshape(-1, 4).argsort(1, descending=True)
weight.view(-1, 4).scatter_(1, order[:, 2:], 0)
zero = weight == 0
assert (zero.reshape(-1, 4).sum(1) == 2).all()


def there_and_back(**options):
    packed, meta = Quantizer.quantize(weight, device="cpu", compute_dtype=torch.float32, **options)
    seen = Quantizer.dequantize(packed, meta).float()
    lost = (seen[zero] != 0).float().mean().item()
    error = ((seen - weight).norm() / weight.norm()).item()
    whole = torch.equal(meta["zero"], meta["zero"].round())
    return lost, error, whole


print("hqq", version("hqq"), "torch", torch.__version__)
shipped = BaseQuantizeConfig()["weight_quant_params"]
assert shipped["round_zero"] and shipped["optimize"] and shipped["nbits"] == 4
lost, error, whole = there_and_back(**shipped)
print(f"as BaseQuantizeConfig() has it: zeros lost {lost:.4f}, error {error:.4f}")
assert lost > 0.99 and not whole
for bits in (8, 4, 3, 2):
    result = {}
    for rounded in (True, False):
        for optimised in (True, False):
            options = dict(shipped, nbits=bits, round_zero=rounded, optimize=optimised)
            lost, error, whole = result[rounded, optimised] = there_and_back(**options)
            print(f"{bits} bits, round_zero={rounded}, optimize={optimised}:", end=" ")
            print(f"zeros lost {lost:.4f}, error {error:.4f}, whole zero points: {whole}")
    kept = result.pop((True, False))
    assert kept[0] == 0 and kept[2]
    assert all(lost > 0.99 and not whole for lost, _, whole in result.values())
    # Optimised, the two differ by little; and keeping every zero costs little.
    assert abs(result[True, True][1] / result[False, True][1] - 1) < 0.01
    assert kept[1] < 1.05 * result[True, True][1]
print("as found: optimising undoes the rounded zero point, and with it every zero")
PYTHON
"$folder/venv/bin/python" finding.py
