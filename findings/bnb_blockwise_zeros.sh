#!/usr/bin/env bash
# bitsandbytes' 8 bits a block keep no zero on the CPU, though 0 is in their table; 4 bits keep all.
#
# One would guess: quantising picks the nearest of the table's 256 numbers, one of which is exactly
# 0, so a pruned weight comes back as 0; and 8 bits are the safer choice beside NF4's 16 numbers.
# Seen, on the CPU: every 0 becomes the fourth number above 0, 2.1e-5 of the block's largest weight,
# and of the table's seven numbers nearest to 0 none is ever used. What is smaller than that becomes
# the fourth number on its own side. NF4, FP4 and 8 bits a row (LLM.int8) keep every zero.
# Why it matters: a 2:4 weight comes back with no zero at all, every one of them positive; its error
# is small, so nothing but a count of zeros tells.
#
# Versions: bitsandbytes 0.50.2, torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 bitsandbytes==0.50.2 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
from importlib.metadata import version

import torch
from bitsandbytes import functional

torch.manual_seed(0)
weight = torch.randn(256, 512) * 0.02
order = weight.abs().reshape(-1, 4).argsort(1, descending=True)
weight.view(-1, 4).scatter_(1, order[:, 2:], 0)
zero = weight == 0
assert (zero.reshape(-1, 4).sum(1) == 2).all()


def blocks(values):
    return functional.dequantize_blockwise(*functional.quantize_blockwise(values))


def rows(values):
    packed, scales, _ = functional.int8_vectorwise_quant(values.half())
    return functional.int8_vectorwise_dequant(packed, scales).float()


def four(kind):
    def back(values):
        packed, state = functional.quantize_4bit(values, quant_type=kind)
        return functional.dequantize_4bit(packed, state)

    return back


print("bitsandbytes", version("bitsandbytes"), "torch", torch.__version__)
table = functional.create_dynamic_map()
assert len(table) == 256 and (table == 0).sum() == 1
for name, back in (("NF4", four("nf4")), ("FP4", four("fp4")), ("8 bits a row", rows)):
    lost = float((back(weight)[zero] != 0).float().mean())
    print(f"{name}: zeros lost {lost:.4f}")
    assert lost == 0
seen = blocks(weight)
lost = float((seen[zero] != 0).float().mean())
error = float((seen - weight).norm() / weight.norm())
print(f"8 bits a block: zeros lost {lost:.4f}, all positive: {bool((seen[zero] > 0).all())}", end="")
print(f", error {error:.4f}")
assert lost == 1 and (seen[zero] > 0).all() and error < 0.02

fourth = table[table > 0].sort().values[3]
for value in (0.0, -0.0, 1e-7, -1e-7, 1e-5):
    codes, state = functional.quantize_blockwise(torch.tensor([1.0, value] * 2048))
    got = state.code[int(codes[1])]
    nearest = table[(table - value).abs().argmin()]
    print(f"{value:g} beside 1: {got:.3g}, though {nearest:.3g} is in the table")
    assert got.abs() == fourth and got != nearest
sizes = torch.logspace(-9, 0, 2**20)
codes, _ = functional.quantize_blockwise(torch.cat([sizes, -sizes]), blocksize=2**21)
unused = table[sorted(set(range(256)) - set(codes.unique().tolist()))]
print("never used, of values of every size:", [f"{v:.2g}" for v in unused.tolist()])
assert len(unused) == 7 and 0 in unused and (unused.abs() < fourth).all()
print("as found: 0 is in the table, and no weight becomes it")
PYTHON
"$folder/venv/bin/python" finding.py
