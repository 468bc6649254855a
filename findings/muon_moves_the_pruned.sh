#!/usr/bin/env bash
# torch's Muon moves weights whose gradient is exactly 0, without decay and from the first step on.
#
# One would guess: where the gradient has always been 0 and weight_decay is 0, an optimizer leaves a
# weight alone, as SGD with momentum, Adam and AdamW do; so to mask gradients is enough to keep a
# 2:4 weight's zeros while it is trained on.
# Seen: Muon takes the nearest orthogonal matrix to the momentum, which is dense however many zeros
# the momentum has. After one step no pruned weight is 0, and pruned weights move by more
# than a third of what the kept ones do.
# Why it matters: fine-tuning a 2:4 model with masked gradients gives a dense one, without a word.
# Way out: multiply the weights by the mask after every step.
#
# Versions: torch 2.13.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > finding.py <<'PYTHON'
import torch

OPTIMIZERS = {
    "SGD, momentum": lambda w: torch.optim.SGD([w], lr=0.1, momentum=0.9),
    "Adam": lambda w: torch.optim.Adam([w], lr=0.01),
    "AdamW, no decay": lambda w: torch.optim.AdamW([w], lr=0.01, weight_decay=0),
    "Muon, no decay": lambda w: torch.optim.Muon([w], lr=0.01, weight_decay=0),
}


def two_of_four(weight):
    kept = weight.abs().reshape(-1, 4).topk(2, 1).indices
    return torch.zeros(len(kept), 4).scatter(1, kept, 1).reshape(weight.shape)


def one_step(make):
    torch.manual_seed(0)
    weight = torch.randn(128, 256) * 0.02
    mask = two_of_four(weight)
    weight = torch.nn.Parameter(weight * mask)
    before = weight.detach().clone()
    optimizer = make(weight)
    inputs, target = torch.randn(64, 256), torch.randn(64, 128)
    (inputs @ weight.T - target).square().mean().backward()
    weight.grad *= mask
    optimizer.step()
    moved = (weight.detach() - before).abs()
    pruned = mask == 0
    lost = (weight[pruned] != 0).float().mean()
    return float(lost), float(moved[pruned].mean() / moved[~pruned].mean())


print("torch", torch.__version__)
for name, make in OPTIMIZERS.items():
    lost, share = one_step(make)
    print(f"{name}: zeros lost {lost:.4f}, pruned weights moved by {share:.2f} of what kept ones did")
    if name.startswith("Muon"):
        assert lost > 0.99 and share > 0.3
    else:
        assert lost == share == 0
print("as found: a gradient of 0 holds nothing under Muon")
PYTHON
"$folder/venv/bin/python" finding.py
