"""What the processes of test_distributed do: the same training, shared in several ways."""

from collections import OrderedDict
from contextlib import contextmanager

import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import masksolve.torch as mst
from masksolve.errors import InvalidInput

STEPS = 4


def make(seed=0):
    """Sides that are no multiples of 4, nor of 2: pieces of tiles and of weights are uneven."""
    torch.manual_seed(seed)
    layers = {"fc1": nn.Linear(12, 13), "act1": nn.GELU()}
    layers |= {"fc2": nn.Linear(13, 20), "act2": nn.GELU()}
    layers |= {"fold": nn.Unflatten(1, (5, 4)), "conv": nn.Conv1d(5, 7, 3), "flat": nn.Flatten()}
    layers |= {"fc3": nn.Linear(14, 4), "act3": nn.LeakyReLU()}
    return nn.Sequential(OrderedDict(layers))


def sparsify(model, **options):
    options = {"select": "*", "refresh_every": 2, "decay": 0.01} | options
    select = options.pop("select")
    kinds = (nn.Linear, nn.Conv1d) if select == "*" else select
    return mst.sparsify(model, "2:4", select=kinds, **options)


def optimizer_for(model, **options):
    return torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, **options)


def batch(step, rank=0, world=1):
    """A process's share of the batch of a step."""
    made = torch.Generator().manual_seed(100 + step)
    x = torch.randn(8, 12, generator=made)
    target = torch.randint(4, (8,), generator=made)
    share = slice(rank * 8 // world, (rank + 1) * 8 // world)
    return x[share], target[share]


def train(model, handle, rank=0, world=1, steps=STEPS, optimizer=None, **options):
    """Return the masks after each step, and the dense weights after the last."""
    if optimizer is None:
        optimizer = optimizer_for(model, **options)
    if not handle.attached:
        handle.attach(optimizer)
    masks = []
    for _ in range(steps):
        x, target = batch(handle.steps, rank, world)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()
        masks.append(_masks(handle))
    return masks, _weights(model)


def _masks(handle):
    return {_plain(name): mask.clone() for name, mask in handle.masks.items()}


def _weights(model):
    return {
        _plain(name): (p.full_tensor() if hasattr(p, "full_tensor") else p).detach().clone()
        for name, p in model.named_parameters()
    }


def _plain(name):
    return name.removeprefix("module.")


def alone(seed=0, **options):
    """Train in one process: what the others are held against."""
    model = make(seed)
    return train(model, sparsify(model, **options))


@contextmanager
def _refused(outcome, key):
    try:
        yield
    except InvalidInput as error:
        outcome[key] = str(error)


# DistributedDataParallel


def wrapped_first(rank, world, options):
    """The processes begin with weights of their own: the wrapper makes them agree."""
    model = DistributedDataParallel(make(seed=rank))
    handle = sparsify(model, **options)
    return train(model, handle, rank, world)


def wrapped_last(rank, world, options):
    """Their masks are of different weights at first: the wrapper sends the first's."""
    model = make(seed=rank)
    handle = sparsify(model, **options)
    x, _ = batch(0)
    model(x), model(x)  # masks are kept as factors by now
    model = DistributedDataParallel(model)
    return train(model, handle, rank, world)


def two_forwards(rank, world, options):
    """One backward pass for two forward ones, before each of which masks are sent."""
    model = make()
    sparsify(model, **options)
    model = DistributedDataParallel(model)
    x, _ = batch(0, rank, world)
    (model(x) + model(-x)).square().mean().backward()
    return {_plain(name): p.grad.clone() for name, p in model.named_parameters()}


def finalized_replicas(rank, world):
    model = DistributedDataParallel(make())
    handle = sparsify(model)
    train(model, handle, rank, world)
    masks = {_plain(name): mask for name, mask in handle.finalize().items()}
    zeros = {name: weight != 0 for name, weight in _weights(model).items() if name in masks}
    optimizer = optimizer_for(model)
    x, _ = batch(0, rank, world)
    model(x).square().mean().backward()
    optimizer.step()
    return type(model.module.fc1) is nn.Linear, masks, zeros, _weights(model)


def _either(sharded, **options):
    """Make a sparse model that is sharded, or else replicated."""
    model = make() if sharded else DistributedDataParallel(make())
    handle = sparsify(model, **options)
    return fully_shard(model) if sharded else model, handle


def scored(rank, world, score, sharded):
    """Masks by scores that each process makes of what it saw."""
    if score == "random":
        torch.manual_seed(rank)
        score = _random
    return train(*_either(sharded, score=score), rank, world)[0]


def _random(layer):
    return torch.rand(layer.mask.shape)


def broken_data(rank, world, sharded):
    """One process sees a batch that makes its gradients infinite."""
    model, handle = _either(sharded)
    before = _masks(handle)
    optimizer = optimizer_for(model)
    handle.attach(optimizer)
    outcome = {}
    with _refused(outcome, "error"):
        for scale in (1.0, float("inf") if rank == 1 else 1.0):
            x, target = batch(0, rank, world)
            nn.functional.cross_entropy(model(x * scale), target).backward()
            optimizer.step()
    return outcome, all(torch.equal(before[name], mask) for name, mask in _masks(handle).items())


# fully_shard


def _shard(model, nested=True):
    if nested:
        fully_shard(model.fc2)
        fully_shard(model.conv)
    return fully_shard(model)


def sharded(rank, world, options):
    model = make()
    handle = sparsify(model, **options)
    _shard(model)
    masks, weights = train(model, handle, rank, world)
    outcome = {}
    with _refused(outcome, "finalize"):
        handle.finalize()
    with _refused(outcome, "sparsify"):
        sparsify(model)
    plain = make(seed=3)
    plain.load_state_dict(mst.dense_state_dict(model), strict=True)
    x, _ = batch(0)
    outcome["same output"] = torch.equal(plain(x), model(x))
    return masks, weights, outcome, [layer.kind.__name__ for layer in handle.layers]


def hybrid(rank, world, shape):
    """Replicas of shards; the trivial one of either, with two processes."""
    model = make()
    handle = sparsify(model)
    fully_shard(model, mesh=init_device_mesh("cpu", shape, mesh_dim_names=("copy", "shard")))
    return train(model, handle, rank, world)


def resumed(rank, world, directory, options):
    """Train on, and from a checkpoint: the same?"""
    model = make()
    handle = sparsify(model, **options)
    _shard(model)
    optimizer = optimizer_for(model)
    train(model, handle, rank, world, steps=3, optimizer=optimizer)
    state, optimizer_state = get_state_dict(model, optimizer)
    saved = {"model": state, "optimizer": optimizer_state, "handle": handle}
    dcp.save(saved, checkpoint_id=directory)
    everything = StateDictOptions(full_state_dict=True, cpu_offload=True)
    whole = get_model_state_dict(model, options=everything)
    whole = {name: value.clone() for name, value in whole.items()}  # buffers are the model's

    twin = make(seed=5)
    twins = sparsify(twin, **options)
    _shard(twin, nested=False)
    theirs = optimizer_for(twin)
    twins.attach(theirs)
    state, optimizer_state = get_state_dict(twin, theirs)  # takes a step without gradients
    loaded = {"model": state, "optimizer": optimizer_state, "handle": twins}
    dcp.load(loaded, checkpoint_id=directory)
    set_state_dict(
        twin, theirs, model_state_dict=loaded["model"], optim_state_dict=loaded["optimizer"]
    )
    there = _masks(handle), _masks(twins)
    steps = handle.steps, twins.steps
    on = train(model, handle, rank, world, steps=3, optimizer=optimizer)
    again = train(twin, twins, rank, world, steps=3, optimizer=theirs)
    return there, steps, on, again, whole


def other_checkpoint(rank, world):
    model = make()
    sparsify(model)
    fully_shard(model)
    state = model.state_dict()
    other = make()
    mst.sparsify(other, "1:4", select=(nn.Linear, nn.Conv1d))
    fully_shard(other)
    outcome = {}
    with _refused(outcome, "error"):
        other.load_state_dict(state)
    return outcome


# Tensor parallel


def _parallel(model, mesh):
    plan = {
        "fc2": ColwiseParallel(output_layouts=Replicate()),
        "fc3": RowwiseParallel(input_layouts=Replicate()),
    }
    return parallelize_module(model, mesh, plan)


def tensor_parallel(rank, world, options):
    model = _parallel(make(), init_device_mesh("cpu", (world,)))
    handle = sparsify(model, **options)
    masks, weights = train(model, handle, foreach=False)  # all see the whole batch
    x, _ = batch(0)
    before = model(x)
    last = handle.finalize()
    outcome = {
        "same output": torch.allclose(before, model(x)),
        "zeros": all(torch.equal(_weights(model)[name] != 0, mask) for name, mask in last.items()),
    }
    return masks, weights, outcome


def sharded_tensor_parallel(rank, world, shape):
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=("data", "tensor"))
    model = _parallel(make(), mesh["tensor"])
    handle = sparsify(model)
    fully_shard(model, mesh=mesh["data"])
    return train(model, handle, rank if shape[0] == 2 else 0, shape[0], foreach=False)


SHARDED = {
    "finalize": "the model's weights are sharded by fully_shard: instead of finalizing it, load "
    "masksolve.torch.dense_state_dict(model) into a plain one",
    "sparsify": "the model is sharded already, by fully_shard: sparsify it first, and then use "
    "fully_shard",
    "same output": True,
}
EXPECTED = {
    wrapped_first: [],
    wrapped_last: [],
    sharded: [SHARDED, ["Linear", "Linear", "Conv1d", "Linear"]],
    tensor_parallel: [{"same output": True, "zeros": True}],
}
"""What comes with the masks and weights of a training."""
