"""torch.compile, torch.export and torch.func on sparsified models."""

import shutil

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch.func import functional_call, grad, vmap

import masksolve.torch as mst
from masksolve.torch.masked import ESTIMATORS
from tests.torch.sparse_layers import COMPILING

pytestmark = COMPILING
X = torch.randn(6, 4, 2, 2, generator=torch.Generator().manual_seed(2))


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 16))


def compiled(backend):
    """Return a model, and as it is compiled, if it is, with a counter of its graphs."""
    model = make()
    if backend is None:
        return model, model, None
    counter = CompileCounterWithBackend(backend)
    return model, torch.compile(model, fullgraph=True, backend=counter), counter


def trained(backend, **options):
    """Train a model; return it, the losses and the masks of each step, and the counter."""
    model, run, counter = compiled(backend)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    handle = mst.sparsify(model, "2:4", refresh_every=2, decay=1e-2, optimizer=optimizer, **options)
    generator = torch.Generator().manual_seed(1)
    losses, masks = [], []
    for _ in range(5):
        loss = run(torch.randn(6, 4, 2, 2, generator=generator)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        masks.append({name: mask.clone() for name, mask in handle.masks.items()})
    return model, losses, masks, counter


def assert_compiled_equals_eager(backend, **options):
    eager, losses, masks, _ = trained(None, **options)
    model, compiled_losses, compiled_masks, counter = trained(backend, **options)
    # One graph, for all steps: neither breaks nor compiled again after a refresh.
    assert counter.frame_count == 1
    assert compiled_losses == pytest.approx(losses, rel=1e-5)
    for ours, theirs in zip(masks, compiled_masks, strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for ours, theirs in zip(eager.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    changed = not torch.equal(compiled_masks[0]["0.weight"], compiled_masks[-1]["0.weight"])
    assert changed == (options["estimator"] != "none")


@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_graph_serves_all_masks(estimator, absorb_mean):
    assert_compiled_equals_eager("aot_eager", estimator=estimator, absorb_mean=absorb_mean)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # inductor loads it
@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="no C++ compiler")
def test_generated_code_follows_the_masks():
    assert_compiled_equals_eager("inductor", estimator="sr_ste", absorb_mean=True)


def test_eager_steps_in_between_change_nothing():
    model, run, counter = compiled("aot_eager")
    handle = mst.sparsify(model, "2:4")
    for _ in range(3):
        for _ in range(2):
            torch.testing.assert_close(run(X), model(X))
        with torch.no_grad():
            model[0].parametrizations.weight.original.normal_()
        handle.refresh()
    assert counter.frame_count == 1


def test_masks_given_after_compiling_and_taken_before_the_end():
    model, run, counter = compiled("aot_eager")
    dense = run(X)
    handle = mst.sparsify(run, "2:4")
    masked = run(X)
    assert not torch.allclose(masked, dense)
    torch.testing.assert_close(masked, model(X))
    handle.finalize()
    torch.testing.assert_close(run(X), masked)
    assert counter.frame_count == 2  # the first serves again


# Export


def test_a_finalized_model_is_exported_as_the_plain_one_it_is():
    model = make()
    handle = mst.sparsify(model, "2:4")
    expected = model(X)
    masks = handle.finalize()
    program = torch.export.export(model, (X,))
    torch.testing.assert_close(program.module()(X), expected)
    assert set(program.state_dict) == set(make().state_dict())
    assert torch.equal(program.state_dict["3.weight"] != 0, masks["3.weight"])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_unfinished_one_is_exported_with_its_masks(estimator):
    model = make().eval()
    mst.sparsify(model, "2:4", estimator=estimator, absorb_mean=True)
    program = torch.export.export(model, (X,))
    torch.testing.assert_close(program.module()(X), model(X))
    assert set(program.state_dict) == set(model.state_dict())


# Functions of parameters


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_of_each_sample(estimator):
    torch.manual_seed(0)
    model = nn.Linear(16, 8)
    mst.sparsify(model, "2:4", estimator=estimator, decay=0.0, absorb_mean=True)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    buffers = dict(model.named_buffers())
    x = torch.randn(5, 16)

    def loss(parameters, sample):
        return functional_call(model, (parameters, buffers), (sample,)).square().sum()

    each = vmap(grad(loss), (None, 0))(parameters, x)
    model(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(each[name].sum(0), parameter.grad, rtol=1e-4, atol=1e-5)
