"""Steps that a loss scaler skipped, or whose gradients are not finite, are none."""

import pytest
import torch
from torch import nn
from torch.amp import GradScaler

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.training import skipped
from masksolve.torch.training.skipped import Count, not_finite
from tests.torch.trained import equal, snapshot

INF, NAN = float("inf"), float("nan")
SCORES = ("magnitude", "gradient", "movement", "wanda")


class Curious:
    """A criterion of one's own, which counts what it sees."""

    def __init__(self):
        self.seen = 0

    def observe(self, layer):
        self.seen += 1

    def __call__(self, layer):
        return layer.weight.abs()


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8), nn.Linear(8, 3))


def batch(step):
    return torch.randn(6, 16, generator=torch.Generator().manual_seed(step))


def train(bad_steps, bad="input", fused=False, attached=True, late=False, **options):
    """Take six steps under a loss scale, and bad ones between; return the handle."""
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
    handle = mst.sparsify(model, "4:8", optimizer=optimizer if attached else None, **options)
    scaler = GradScaler("cpu", init_scale=1024.0)  # powers of two: the scale leaves no trace
    for step in range(6):
        for is_bad in [True] * bad_steps.count(step) + [False]:
            if not late:
                optimizer.zero_grad()
            x = batch(100 + step if is_bad else step) * (INF if is_bad and bad == "input" else 1)
            loss = model(x).square().mean() * (INF if is_bad and bad == "loss" else 1)
            if late:
                optimizer.zero_grad(set_to_none=False)
            scaler.scale(loss).backward()
            if is_bad and bad == "head":  # of a layer without a mask
                model[3].weight.grad.fill_(NAN)
            scaler.step(optimizer)
            scaler.update()
            if not attached:
                handle.step()
    return handle


@pytest.fixture(scope="module")
def undisturbed():
    return {score: train([], score=score) for score in SCORES}


def assert_same_training(handle, other):
    assert handle.steps == other.steps == 6
    assert equal(handle.masks, other.masks)
    steps = [record.step for record in handle.history.records]
    assert steps == [record.step for record in other.history.records]
    for one, two in zip(handle.layers, other.layers, strict=True):
        assert torch.equal(one.weight, two.weight)
        if handle._score is not None:
            assert torch.equal(handle._score(one), other._score(two))


@pytest.mark.parametrize("attached", [True, False], ids=["attached", "by hand"])
@pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
@pytest.mark.parametrize("bad", ["input", "loss", "head"])
@pytest.mark.parametrize("score", SCORES[1:])
def test_a_skipped_step_leaves_no_trace(undisturbed, score, bad, fused, attached):
    handle = train([0, 2, 2, 5], bad, fused, attached, score=score)
    if fused:  # whose sums are rounded otherwise
        undisturbed = {score: train([], fused=True, score=score)}
    assert_same_training(handle, undisturbed[score])
    # What a scaler skips without a call of the optimizer, an attached handle never hears of.
    assert handle.dropped == (4 if fused or not attached else 0)


@pytest.mark.parametrize("score", SCORES)
def test_gradients_that_are_zeroed_late(undisturbed, score):
    """After the forward pass, and kept: what Wanda saw is dropped all the same."""
    handle = train([1, 3], "loss", late=True, score=score)
    assert_same_training(handle, undisturbed[score])


@pytest.mark.parametrize("value", [INF, -INF, NAN])
@pytest.mark.parametrize("score", SCORES)
def test_without_a_scaler(score, value):
    """Who looks at gradients, and leaves a step out, may call the handle nonetheless."""
    outcomes = []
    for bad in (None, 2):
        model = make()
        handle = mst.sparsify(model, "4:8", score=score, refresh_every=2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(6):
            optimizer.zero_grad()
            if step == bad:
                model(batch(50)).sum().backward()
                model[2].bias.grad[1] = value
                before = snapshot(handle)
                handle.step()
                assert equal(before, handle.masks)
                assert (handle.steps, handle.dropped) == (2, 1)
                optimizer.zero_grad()
            model(batch(step)).square().mean().backward()
            optimizer.step()
            handle.step()
        outcomes.append(handle)
    assert_same_training(*outcomes)


def test_a_step_without_gradients_that_changed_nothing():
    """As after a scaler that skipped it and zero_grad."""
    model = make()
    handle = mst.sparsify(model, "4:8")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(batch(0)).sum().backward()
    optimizer.step()
    handle.step()
    optimizer.zero_grad()
    handle.step()
    assert (handle.steps, handle.dropped) == (1, 1)


@pytest.mark.parametrize("fused", [False, True])
def test_criteria_of_ones_own_do_not_see_it(fused):
    score = Curious()
    train([1, 1], fused=fused, score=score)
    assert score.seen == 6 * 2  # layers


def test_a_subclass_with_an_older_way_of_observing():
    class Slow(mst.Movement):
        def observe(self, layer):
            super().observe(layer)

    handle, other = (train([1], fused=True, score=s) for s in (Slow(), "movement"))
    assert_same_training(handle, other)


def test_wanda_of_two_passes_a_step_forgets_both():
    """Accumulated: the first of them was finite."""
    model, found = make(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    handle = mst.sparsify(model, "4:8", score="wanda", optimizer=optimizer)
    scaler = GradScaler("cpu", init_scale=8.0)
    for factors in ((1, 1), (1, INF), (1, 1)):
        optimizer.zero_grad()
        for factor in factors:
            scaler.scale(model(batch(len(found))).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        found.append(handle._score(handle.layers[0]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    squares = [batch(k).square().mean(0) for k in (0, 2)]
    memory = squares[0].lerp(squares[0], 0.9)
    for _ in range(2):
        memory = torch.lerp(squares[1], memory, 0.9)
    expected = handle.layers[0].weight.square() * memory
    torch.testing.assert_close(found[2], expected)


def test_masks_that_are_refreshed_by_hand_only():
    """Nobody calls step: that weights moved tells that there was one."""
    model = make()
    handle = mst.sparsify(model, "4:8", score="wanda")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        model(batch(step)).sum().backward()
        optimizer.step()
    squares = torch.lerp(batch(1).square().mean(0), batch(0).square().mean(0), 0.9)
    (first, _) = handle.layers
    torch.testing.assert_close(handle._score(first), first.weight.square() * squares)


# Devices that are not waited for: the CPU stands in for one


@pytest.fixture
def device(monkeypatch):
    """Let nothing be at hand; how often was a device waited for?"""
    monkeypatch.setattr(skipped, "at_hand", lambda tensor: False)
    waits, settle = [], Count.settle

    def counted(self):
        waits.append(self._unread is not None)
        return settle(self)

    monkeypatch.setattr(Count, "settle", counted)
    return waits


@pytest.mark.parametrize("refresh_every", [1, 3])
@pytest.mark.parametrize("score", SCORES)
def test_a_device_makes_the_same_training(device, score, refresh_every):
    options = {"score": score, "refresh_every": refresh_every, "fused": True}
    expected = train([], **options)
    handle = train([0, 2, 2, 5], **options)
    assert_same_training(handle, expected)
    assert handle.dropped == 4


@pytest.mark.parametrize("score", SCORES)
def test_a_device_is_waited_for_when_masks_are_due(device, score, monkeypatch):
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    handle = mst.sparsify(model, "4:8", score=score, optimizer=optimizer, refresh_every=5)
    device.clear()
    waiting = []

    def refuse(self, *args):
        waiting.append(self)
        raise AssertionError("the device was waited for")

    for step in range(1, 10):
        optimizer.zero_grad()
        model(batch(step)).sum().backward()
        with monkeypatch.context() as patch:
            if step != 5:
                for read in ("item", "__bool__", "__int__", "tolist", "numpy", "nonzero"):
                    patch.setattr(torch.Tensor, read, refuse)
            optimizer.step()
    assert not waiting
    assert device.count(True) == 1
    assert handle.steps == 9


def test_weights_that_a_bad_step_ruined_on_a_device(device):
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mst.sparsify(model, "4:8", optimizer=optimizer, refresh_every=2)
    model(batch(0) * INF).sum().backward()
    optimizer.step()
    with pytest.raises(InvalidInput, match=r"0\.weight at step 1: .*nan"):
        optimizer.step()


# Gradients


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("there", [False, True])
def test_not_finite(monkeypatch, dtype, there):
    monkeypatch.setattr(skipped, "at_hand", lambda tensor: not there)
    largest = torch.full((4, 3), torch.finfo(dtype).max, dtype=dtype)
    fine = [largest, -largest, torch.empty(0, dtype=dtype), torch.zeros(2, dtype=torch.float64)]
    assert not not_finite(fine)
    assert not not_finite([])
    for value in (INF, -INF, NAN):
        broken = largest.clone()
        broken[2, 1] = value
        assert bool(not_finite([*fine, broken]))
        assert bool(not_finite([broken.to_sparse()]))
    assert bool(not_finite(fine, [torch.tensor(1.0)]))
    assert not not_finite(fine, [torch.tensor(0.0)])
    wave = torch.tensor([complex(0, INF)])
    assert bool(not_finite([wave]))


@pytest.mark.parametrize("sizes", [[5], [3, 1 << 20, 0, 7], [(1 << 19) + 1, 1 << 12, 1 << 21]])
def test_not_finite_wherever_it_is(sizes):
    """Small gradients are read together, large ones piece by piece."""
    largest = torch.finfo(torch.float32).max
    for k, size in enumerate(sizes):
        for place in (0, size // 2, size - 1) if size else ():
            gradients = [torch.full((n,), largest) for n in sizes]
            assert not not_finite(gradients, threads=2)
            gradients[k][place] = NAN
            assert not_finite(gradients, threads=2)


def test_gradients_of_which_a_graph_is_kept():
    weight = torch.ones(3, requires_grad=True)
    (gradient,) = torch.autograd.grad((weight**3).sum(), weight, create_graph=True)
    assert gradient.requires_grad
    assert not not_finite([gradient, gradient.expand(2, 3), torch.ones(2, 3).T])
    assert not_finite([gradient * INF])


def test_count():
    count = Count()
    for flag in (False, True, torch.tensor(True), torch.tensor(False)):
        count.add(flag)
    assert (count.taken, count.dropped) == (3, 1)
    assert count.settle() == 1
    assert (count.taken, count.dropped) == (2, 2)
    assert count.settle() == 0


def test_a_refresh_by_hand_waits_for_the_device(device):
    handle = train([5], refresh_every=100, fused=True)
    handle.refresh()
    assert handle.history.records[-1].step == 6
    for layer in handle.layers:
        assert torch.equal(layer.mask, mst.solve_mask(layer.weight, "4:8"))
