"""Optimizers in wrappers, several of them, and copies of handles that listen to one."""

import copy
import pickle
import warnings
from types import SimpleNamespace

import pytest
import torch
from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from tests.refusals import says
from tests.torch.states import assert_same
from tests.torch.trained import backward, equal, net, snapshot, solved

with warnings.catch_warnings():  # of torch, about torch
    warnings.simplefilter("ignore")
    from torch.distributed.optim import PostLocalSGDOptimizer, ZeroRedundancyOptimizer

ESTIMATORS = ("ste", "masked_decay")


@pytest.fixture
def alone(tmp_path):
    """A group of one process."""
    store = f"file://{tmp_path}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def accelerated(optimizer):
    accelerate = pytest.importorskip("accelerate")
    accelerate.state.GradientState._reset_state()  # data loaders of trainers before, by weakref
    return accelerate.Accelerator(cpu=True).prepare_optimizer(optimizer)


class Engine:
    """Wraps an optimizer without being one, as DeepSpeed's do."""

    def __init__(self, optimizer):
        self.optimizer, self.param_groups = optimizer, optimizer.param_groups

    def step(self):
        self.optimizer.step()

    def zero_grad(self):
        self.optimizer.zero_grad()


WRAPPERS = {
    "accelerate": accelerated,
    "engine": Engine,
    "twice": lambda optimizer: Engine(accelerated(optimizer)),
    "local SGD": lambda optimizer: PostLocalSGDOptimizer(
        optimizer, PeriodicModelAverager(period=2, warmup_steps=0)
    ),
}


def train(handle, optimizer, steps=4):
    for seed in range(steps):
        optimizer.zero_grad()
        backward(handle.model, seed)
        optimizer.step()


def plain(estimator):
    model = net()
    optimizer = sgd(model.parameters())
    handle = mst.sparsify(model, "4:8", estimator=estimator, decay=0.1, optimizer=optimizer)
    train(handle, optimizer)
    return handle


def assert_same_training(handle, estimator):
    expected = plain(estimator)
    assert handle.steps == expected.steps == 4
    assert equal(handle.masks, expected.masks)
    assert_same(dict(handle.model.named_parameters()), dict(expected.model.named_parameters()))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_an_optimizer_inside_a_wrapper(alone, wrapper, estimator):
    model = net()
    optimizer = WRAPPERS[wrapper](sgd(model.parameters()))
    handle = mst.sparsify(model, "4:8", estimator=estimator, decay=0.1, optimizer=optimizer)
    train(handle, optimizer)
    assert_same_training(handle, estimator)
    handle.detach()
    backward(model)
    optimizer.step()
    assert handle.steps == 4


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_zero(alone, estimator):
    model = net()
    optimizer = ZeroRedundancyOptimizer(
        model.parameters(), optimizer_class=torch.optim.SGD, lr=0.1, momentum=0.9
    )
    handle = mst.sparsify(model, "4:8", estimator=estimator, decay=0.1, optimizer=optimizer)
    train(handle, optimizer)
    assert_same_training(handle, estimator)


def test_masks_are_those_of_averaged_weights():
    """Local SGD averages after the optimizer that it wraps has stepped."""
    model = net()

    class Averager:
        step = 0

        def average_parameters(self, params):
            with torch.no_grad():
                for parameter in params[0]["params"]:
                    parameter.copy_(parameter.flip(0))

    optimizer = PostLocalSGDOptimizer(sgd(model.parameters()), Averager())
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)
    train(handle, optimizer, 1)
    assert equal(handle.masks, solved(handle))
    handle.detach()
    assert "step" not in vars(optimizer)


def test_accumulation_by_accelerate():
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = net()
    model, optimizer = accelerator.prepare(model, sgd(model.parameters()))
    handle = mst.sparsify(model, "4:8", optimizer=optimizer)
    for seed in range(6):
        with accelerator.accumulate(model):
            optimizer.zero_grad()
            backward(model, seed)
            optimizer.step()
    assert handle.steps == 3


def test_a_wrapper_of_no_optimizer():
    handle = mst.sparsify(net(), "4:8")
    with says("optimizer must be a torch optimizer, got SimpleNamespace"):
        handle.attach(SimpleNamespace(param_groups=[], optimizer=3))


# Several


def halves(model):
    """An optimizer for one masked layer, and one for the rest."""
    first = list(model.fc1.parameters())
    others = {id(p) for p in first}
    return sgd(first), sgd([p for p in model.parameters() if id(p) not in others])


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("order", [1, -1])
def test_two_optimizers_make_one_step(estimator, order):
    model = net()
    optimizers = halves(model)
    handle = mst.sparsify(model, "4:8", estimator=estimator, decay=0.1, optimizer=optimizers)
    for seed in range(4):
        model.zero_grad()
        backward(model, seed)
        for optimizer in optimizers[::order]:
            optimizer.step()
        assert handle.steps == seed + 1
        assert equal(handle.masks, solved(handle))
    assert_same_training(handle, estimator)


def test_one_of_two_is_skipped():
    """The masks stay in step: they come when the last has stepped, as before."""
    model = net()
    one, other = halves(model)
    handle = mst.sparsify(model, "4:8", optimizer=[one, other])
    for turn, stepping in enumerate(([one, other], [other], [one], [one, other])):
        model.zero_grad()
        backward(model, turn)
        for optimizer in stepping:
            optimizer.step()
        if other in stepping:
            assert equal(handle.masks, solved(handle))
    assert handle.steps == 3


def test_what_none_of_two_trains():
    model = net()
    handle = mst.sparsify(model, "4:8")
    one, _ = halves(model)
    with says("the optimizer does not train conv.weight"):
        handle.attach(one)
    with says("the optimizers do not train conv.weight"):
        handle.attach(one, one)
    assert not one._optimizer_step_post_hooks


# Copies of handles


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda them: pickle.loads(pickle.dumps(them))}


@pytest.mark.parametrize(
    ("score", "wrapped"), [("magnitude", False), ("movement", True), ("wanda", False)]
)
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_handle_that_listens_is_copied_with_its_optimizer(copied, score, wrapped):
    model = net()
    optimizer = sgd(model.parameters())
    optimizer = accelerated(optimizer) if wrapped else optimizer
    handle = mst.sparsify(
        model, "4:8", estimator="masked_decay", decay=0.1, score=score, optimizer=optimizer
    )
    train(handle, optimizer)
    twin, theirs = copied((handle, optimizer))
    assert twin.attached
    assert twin.steps == 4
    before, weights = snapshot(handle), copy.deepcopy(model.state_dict())
    train(twin, theirs, 3)
    assert twin.steps == 7
    assert handle.steps == 4
    assert equal(handle.masks, before)
    assert_same(weights, model.state_dict())
    train(handle, optimizer, 3)  # and both went the same way
    assert_same(model.state_dict(), twin.model.state_dict())
    assert equal(handle.masks, twin.masks)
    with pytest.raises(InvalidInput, match="by itself"):
        twin.step()


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_masked_layer_that_holds_its_handle_is_copied(copied):
    layer = torch.nn.Linear(8, 8)
    optimizer = sgd(layer.parameters())
    layer.handle = mst.sparsify(layer, "2:4", optimizer=optimizer)
    twin, theirs = copied((layer, optimizer))
    twin(torch.randn(4, 8)).sum().backward()
    theirs.step()
    assert (twin.handle.steps, layer.handle.steps) == (1, 0)
