#!/usr/bin/env bash
# A first step that a loss scaler skips is none for torch's SGD, but not for its fused one.
#
# One would guess: a step whose gradients overflowed is left out, and training goes on as if it had
# never been; fused or not, SGD with momentum then begins with the first gradient that is finite.
# Seen: the fused optimizer makes its momentum buffer before the kernel looks at found_inf. The
# kernel leaves it unwritten, and the next step takes it for the momentum so far: whatever lay in
# that memory, and dampening on the first gradient, which a first step has not. The weights
# differ from those of the plain optimizer, which has no buffer after the skipped step, and may be
# NaN.
# Why it matters: loss scales begin so high that first steps are often skipped; a mask solved after
# a few of these steps is one of ruined weights.
# Way out: fused=False, or a first step that is known to be finite.
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


def train(fused, losses):
    """Return the weights, and whether there was a momentum after the first step."""
    weight = torch.nn.Parameter(torch.ones(4096))
    optimizer = torch.optim.SGD([weight], lr=1.0, momentum=0.9, dampening=0.5, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    buffers = []
    for factor in losses:
        optimizer.zero_grad()
        scaler.scale((weight * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        buffers.append(optimizer.state[weight].get("momentum_buffer") is not None)
    return weight.detach(), buffers[0]


print("torch", torch.__version__)
right, _ = train(False, [1.0])
assert torch.equal(train(True, [1.0])[0], right)  # nothing skipped: the same
weight, buffer = train(False, [float("inf"), 1.0])
print("plain, first step skipped: momentum", buffer, "weights", weight[:3].tolist())
assert torch.equal(weight, right) and not buffer
weight, buffer = train(True, [float("inf"), 1.0])
print("fused, first step skipped: momentum", buffer, "weights", weight[:3].tolist())
assert buffer and not (weight == right).any()
print("as found: the fused optimizer takes the skipped step for its first")
PYTHON
"$folder/venv/bin/python" finding.py
