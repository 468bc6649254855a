import copy
import io
from shutil import which

import numpy as np
import pytest
import torch
from torch import nn

import masksolve.torch as mst
from masksolve.torch.filters.following import follow
from masksolve.torch.filters.traced import Sizes

from .nets import NETS, make

SAMPLERS = list(mst.filters.SAMPLERS)


def outputs(found):
    return found["logits"] if isinstance(found, dict) else found


def zeroed(net, pruner, factors):
    """Let the whole network run as if channels were multiplied as they are read."""
    net = copy.deepcopy(net).eval()
    for layer in pruner._traced.layers():
        scale = np.where(layer.inputs < 0, 1.0, factors[layer.inputs])
        module = net.get_submodule(layer.name)
        axes = -1 if isinstance(module, nn.Linear) else 1

        def hook(_, inputs, scale=scale, axis=axes):
            shape = [1] * inputs[0].ndim
            shape[axis] = -1
            return (inputs[0] * torch.tensor(scale).to(inputs[0]).view(shape),)

        module.register_forward_pre_hook(hook)
    return net


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", NETS)
def test_the_smaller_network_is_the_whole_one_without_those_channels(name, sampler, monkeypatch):
    net, batch = make(name)
    before = copy.deepcopy(net.state_dict())
    pruner = mst.filters.Pruner(net, [batch])
    seen, operate = [], mst.filters.pruner.operate
    noted = lambda *given: seen.append(given[2]) or operate(*given)  # noqa: E731
    monkeypatch.setattr(mst.filters.pruner, "operate", noted)
    for budget in (0.7, 0.4):
        pruned = pruner.prune(budget, sampler=sampler)
        model = pruned.model.eval()
        with torch.no_grad():
            expected = outputs(zeroed(net, pruner, seen[-1])(batch))
            found = outputs(model(batch))
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
            wrong = seen[-1].copy()
            wrong[np.flatnonzero(wrong)[0]] *= 2  # the comparison can fail
            assert not torch.allclose(outputs(zeroed(net, pruner, wrong)(batch)), found, rtol=1e-3)
            assert found.shape == expected.shape
        _check_shapes(model, pruned.report)
    after = net.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def _check_shapes(model, report):
    for row in report.layers:
        assert tuple(model.get_submodule(row.name).weight.shape) == row.after
    assert sum(p.numel() for p in model.parameters()) == report.parameters[1]
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            inputs = module.in_channels // module.groups
            assert module.weight.shape[:2] == (module.out_channels, inputs)
        if isinstance(module, nn.Linear):
            assert module.weight.shape == (module.out_features, module.in_features)
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean.shape == (module.num_features,)
    for group in report.groups:
        for maker in group.makers:
            assert len(model.get_submodule(maker).weight) % group.kept == 0


@pytest.mark.parametrize("name", NETS)
def test_errors_stay_within_the_bounds(name):
    """Of all layers and draws at least 99 %, here all; and the bounds are in their order."""
    net, batch = make(name)
    pruner = mst.filters.Pruner(net, [batch[:3], batch[3:]], delta=0.01)
    trials = within = 0
    for sampler in SAMPLERS:
        for seed in range(5):
            report = pruner.prune(0.5, sampler=sampler, seed=seed).report
            for row in report.layers:
                assert row.measured <= row.certified * (1 + 1e-9) + 1e-12
                if row.proven is not None:
                    trials += 1
                    within += row.measured <= row.proven * (1 + 1e-9) + 1e-12
                if row.published is not None:
                    assert row.proven <= row.published
                assert row.guaranteed <= row.certified
    assert within >= 0.99 * trials
    assert trials >= 8


@pytest.mark.parametrize("name", NETS)
def test_the_size_is_what_was_asked_for(name):
    net, batch = make(name)
    pruner = mst.filters.Pruner(net, [batch])
    whole = sum(p.numel() for p in net.parameters())
    for sampler in ("deterministic", "uniform", "magnitude"):
        for budget in (0.9, 0.6, 0.35):
            report = pruner.prune(budget, sampler=sampler).report
            assert report.parameters[0] == whole
            assert report.parameters[1] <= budget * whole
            kept = np.array([group.kept for group in report.groups])
            expected = Sizes(pruner._traced).after(kept)
            assert expected == pytest.approx(report.parameters[1])
    assert pruner.prune(1.0).report.parameters[1] == whole


@pytest.mark.parametrize("sampler", ["random", "hybrid"])
def test_the_size_is_met_on_average(sampler):
    net, batch = make("residual")
    pruner = mst.filters.Pruner(net, [batch])
    shares = [pruner.prune(0.4, sampler=sampler, seed=k).report.share for k in range(40)]
    assert np.mean(shares) == pytest.approx(0.4, abs=0.03)


def test_the_largest_share_that_fits():
    """All shares there are, one after another."""
    net, batch = make("residual")
    report = mst.filters.prune(net, [batch], 0.5, sampler="magnitude").report
    most = np.array([group.filters for group in report.groups])
    sizes = Sizes(mst.filters.Pruner(net, [batch])._traced)
    kept = [np.maximum(1, np.round(most * f)) for f in np.linspace(1, 0, 5000)]
    first = next(k for k in kept if sizes.after(k) <= 0.5 * report.parameters[0])
    assert [group.kept for group in report.groups] == first.tolist()


def test_the_least_error_that_fits():
    """The root of the size, found by SciPy."""
    from scipy.optimize import brentq

    from masksolve.torch.filters.bounds import expected_unique, published_factor

    net, batch = make("residual")
    pruner = mst.filters.Pruner(net, [batch])
    report = pruner.prune(0.5).report
    sizes = Sizes(pruner._traced)
    patches = {"a1": 64, "b1": 16, "shortcut": 16, "a2": 64, "b2": 16, "head": 1}
    kernel = {"a1": 9, "b1": 9, "shortcut": 1, "a2": 9, "b2": 9, "head": 1}
    readers = [["a1", "b1", "shortcut"], ["a2"], ["b2"], ["head"]]
    assert [g.makers[0] for g in report.groups] == ["stem", "a1", "b1", "b2"]

    def kept(epsilon):
        found = []
        for names, s in zip(readers, pruner.sensitivities, strict=True):
            factor = max(published_factor(patches[n], kernel[n]) for n in names)
            draws = np.ceil(3 * (6 + 2 * epsilon) * factor * s.sum() / epsilon**2)
            found.append(np.ceil(expected_unique(s / s.sum(), draws) - 1e-9))
        return np.array(found)

    whole = report.parameters[0]
    root = np.exp(brentq(lambda e: sizes.after(kept(np.exp(e))) - 0.5 * whole, 0, 15, xtol=1e-9))
    assert report.epsilon == pytest.approx(root, rel=1e-4)
    assert [g.kept for g in report.groups] == kept(report.epsilon).tolist()


def test_what_stays_the_same():
    net, batch = make("residual")
    net.train()
    net.norm.eval()
    net.a1.weight.requires_grad_(False)
    pruner = mst.filters.Pruner(net, [(batch, torch.zeros(6))], keep="b?")
    one, two = (pruner.prune(0.6, sampler="random", seed=5) for _ in range(2))
    assert one.report == two.report
    assert one.report != pruner.prune(0.6, sampler="random", seed=6).report
    model = one.model
    assert type(model) is type(net)
    assert model.training
    assert not model.norm.training
    assert not model.a1.weight.requires_grad
    assert model.a2.weight.requires_grad
    assert (model.b1.out_channels, model.b2.out_channels) == (12, 12)
    assert {"b1", "b2"}.isdisjoint({m for g in one.report.groups for m in g.makers})
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    again = torch.load(buffer, weights_only=False)
    torch.testing.assert_close(again.eval()(batch), model.eval()(batch))


def test_it_trains_on():
    net, batch = make("residual")
    model = mst.filters.prune(net, [batch], 0.4, sampler="hybrid").model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    target = torch.randint(3, (6,))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch), target)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", NETS)
def test_it_runs_in_compile(name):
    net, batch = make(name)
    model = mst.filters.prune(net, [batch], 0.5).model.eval()
    torch.compiler.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(outputs(compiled(batch)), outputs(model(batch)))


@pytest.mark.skipif(which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_runs_in_compile_with_real_code():
    net, batch = make("residual")
    model = mst.filters.prune(net, [batch], 0.5, sampler="hybrid").model.eval()
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(batch), model(batch), rtol=1e-4, atol=1e-5)


def test_masks_fit_afterwards():
    torch.manual_seed(0)
    first, second, last = nn.Linear(16, 40), nn.Linear(40, 36), nn.Linear(36, 8)
    net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)
    batch = torch.rand(32, 16)
    model = mst.filters.prune(net, [batch], 0.5, multiple_of=8).model
    assert model[0].out_features % 8 == model[2].out_features % 8 == 0
    handle = mst.sparsify(model, "4:8")
    assert handle.skipped == []
    handle.finalize()


def test_held_out_batches_and_the_table():
    net, batch = make("residual")
    seen = mst.filters.prune(net, [batch], 0.5, held_out=[batch]).report
    assert all(row.held_out == row.measured for row in seen.layers)
    other = mst.filters.prune(net, [batch], 0.5, held_out=iter([batch * 2, batch])).report
    for row, same in zip(other.layers, seen.layers, strict=True):
        assert row.held_out >= same.measured
    text = str(seen)
    assert text.startswith(f"deterministic: {seen.parameters[1]:,} of {seen.parameters[0]:,} ")
    assert "stem, a2" in text
    assert text.splitlines()[-1].startswith("relative error of the network's output: 0.")
    assert seen.to_dict()["groups"][1]["makers"] == ["a1"]
    assert mst.filters.prune(net, batch, 1.0).report.output == 0


def test_half_precision_stays_half():
    net, batch = make("residual")
    model = mst.filters.prune(net.bfloat16(), [batch.bfloat16()], 0.5, sampler="random").model
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model.eval()(batch.bfloat16()).isfinite().all()


def test_following_is_of_a_copy():
    net, batch = make("plain")
    pruner = mst.filters.Pruner(net, [batch])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(float("nan"))
    report = pruner.prune(0.5).report
    assert np.isfinite([row.measured for row in report.layers]).all()
    assert follow(net.eval(), batch).makers == pruner.makers
