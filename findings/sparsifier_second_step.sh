#!/usr/bin/env bash
# Two sparsifiers of one base class: the second step() of one changes nothing, that of the other
# prunes below 2 of 4.
#
# One would guess: step() ranks the weights as they are now and gives each group of 4 the two
# largest, so that calling it again in training renews a 2:4 mask.
# Seen: torch's WeightNormSparsifier ranks what the module shows, which is the masked weight. A
# pruned weight counts as 0 however large the dense one behind it has become, so the first mask is
# the last. torchao's WandaSparsifier ranks the dense weight, but only writes
# zeros into the mask that it has: steps pile up, and groups are left with one weight or none.
# Why it matters: neither raises or warns. The first looks like a mask that has settled, and the
# second still passes for 2:4, which is "at most 2 of 4" for most who check.
# Way out: set the mask to ones before each step.
#
# Versions: torch 2.13.0, torchao 0.18.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 torchao==0.18.0 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
import logging
import warnings

import torch
from torch import nn

logging.disable(logging.WARNING)
warnings.filterwarnings("ignore")

import torchao
from torch.ao.pruning import WeightNormSparsifier
from torchao.sparsity import WandaSparsifier


def groups(mask):
    """How many groups of 4 keep 0, 1, 2, 3 and 4 weights."""
    return torch.bincount(mask.reshape(-1, 4).int().sum(1), minlength=5).tolist()


def two_steps(sparsifier, ones_first):
    """The mask of a first step, and of a second after all weights were drawn anew."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 64, bias=False))
    sparsifier.prepare(model, None)
    model(torch.randn(32, 256))
    sparsifier.step()
    weight = model[0].parametrizations.weight
    first = weight[0].mask.clone().bool()
    with torch.no_grad():
        weight.original.copy_(torch.randn(64, 256))
        if ones_first:
            weight[0].mask.fill_(1)
    sparsifier.step()
    return first, weight[0].mask.clone().bool()


def norm():
    return WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)


def wanda():
    return WandaSparsifier(semi_structured_block_size=4)


print("torch", torch.__version__, "torchao", torchao.__version__)
print("groups of 4 by how many weights they keep: [0, 1, 2, 3, 4]")
all_two = [0, 0, 64 * 64, 0, 0]

first, second = two_steps(norm(), ones_first=False)
print("WeightNormSparsifier", groups(first), "then", groups(second), end=", ")
print("the same mask" if torch.equal(first, second) else "another mask")
assert groups(first) == all_two
assert torch.equal(first, second)

first, second = two_steps(wanda(), ones_first=False)
print("WandaSparsifier", groups(first), "then", groups(second))
assert groups(first) == all_two
assert not (second & ~first).any()
assert groups(second)[0] > 100 and groups(second)[1] > 1000 and sum(groups(second)[3:]) == 0

for make in (norm, wanda):
    first, second = two_steps(make(), ones_first=True)
    print(make.__name__, "with the mask set to ones before:", groups(second), "another mask")
    assert groups(second) == all_two and not torch.equal(second, first)
print("as found: no pruned weight comes back in either, and the second prunes on")
PYTHON
"$folder/venv/bin/python" finding.py
