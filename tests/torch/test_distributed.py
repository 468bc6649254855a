"""Training in two processes: the masks of one, whoever holds which part of a weight."""

import pytest
import torch

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.masked import ESTIMATORS

if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("torch without gloo", allow_module_level=True)

from tests.torch import replicas
from tests.torch.processes import Processes
from tests.torch.states import assert_same


def test_the_training_that_all_are_held_against_moves_masks():
    masks, _ = replicas.alone()
    assert not torch.equal(masks[0]["fc1.weight"], masks[-1]["fc1.weight"])


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    crew = Processes(tmp_path_factory.mktemp("processes"))
    yield crew
    crew.close()


def assert_same_training(outcomes, expected):
    """Every process has the masks of one alone, at every step, and its weights."""
    masks, weights = expected
    for theirs, their_weights, *_ in outcomes:
        for ours, others in zip(masks, theirs, strict=True):
            assert_same(ours, others)
        for name, weight in weights.items():
            torch.testing.assert_close(their_weights[name], weight, rtol=1e-4, atol=1e-6)
    assert_same(outcomes[0][1], outcomes[1][1])
    for mask in masks[-1].values():
        ms.check_mask(mask.numpy(), "2:4", axes=(0, 1))


@pytest.mark.parametrize("absorb_mean", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("shared", replicas.EXPECTED)
def test_every_way_of_sharing_is_the_same_training(processes, shared, estimator, absorb_mean):
    options = {"estimator": estimator, "absorb_mean": absorb_mean}
    outcomes = processes(shared, options)
    assert_same_training(outcomes, replicas.alone(**options))
    for _, _, *others in outcomes:
        assert others == replicas.EXPECTED[shared]


@pytest.mark.parametrize("shape", [(1, 2), (2, 1)])
@pytest.mark.parametrize("shared", [replicas.hybrid, replicas.sharded_tensor_parallel])
def test_meshes_of_two_dimensions(processes, shared, shape):
    assert_same_training(processes(shared, shape), replicas.alone())


# DistributedDataParallel


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_masks_that_are_sent_do_not_spoil_a_backward_pass(processes, estimator):
    model = replicas.make()
    replicas.sparsify(model, estimator=estimator)
    x, _ = replicas.batch(0)
    (model(x) + model(-x)).square().mean().backward()
    for gradients in processes(replicas.two_forwards, {"estimator": estimator}):
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name], parameter.grad)


def test_finalized_replicas_train_on(processes):
    outcomes = processes(replicas.finalized_replicas)
    for plain, masks, kept, _ in outcomes:
        assert plain
        assert_same(masks, kept)
    assert_same(outcomes[0][3], outcomes[1][3])


# fully_shard


@pytest.mark.parametrize(
    "options",
    [{"estimator": "ste"}, {"estimator": "none"}, {"score": "movement"}],
    ids=["ste", "none", "movement"],
)
def test_a_distributed_checkpoint_goes_on_as_if_nothing_had_been(processes, tmp_path, options):
    outcomes = processes(replicas.resumed, str(tmp_path), options)
    for (masks, their_masks), steps, on, again, _ in outcomes:
        assert_same(masks, their_masks)
        assert steps == (3, 3)
        for ours, theirs in zip(on[0], again[0], strict=True):
            assert_same(ours, theirs)
        assert_same(on[1], again[1])
    # And in one process: the whole state, which the first process has.
    (masks, _), _, _, _, whole = outcomes[0]
    model = replicas.make(seed=7)
    handle = replicas.sparsify(model)
    model.load_state_dict(whole, strict=True)
    assert_same(handle.masks, masks)


def test_a_checkpoint_of_another_pattern_is_refused_by_all(processes):
    for outcome in processes(replicas.other_checkpoint):
        assert outcome["error"].startswith("the checkpoint has 2:4 masks for fc1.weight")


# What processes might not agree on


@pytest.mark.parametrize("sharded", [False, True], ids=["replicas", "shards"])
@pytest.mark.parametrize("score", ["gradient", "movement", "wanda", "random"])
def test_scores_are_agreed_on(processes, score, sharded):
    one, other = processes(replicas.scored, score, sharded)
    for ours, theirs in zip(one, other, strict=True):
        assert_same(ours, theirs)
    if score in ("gradient", "movement"):
        expected, _ = replicas.alone(score=score)
        for ours, theirs in zip(one, expected, strict=True):
            assert_same(ours, theirs)


@pytest.mark.parametrize("sharded", [False, True], ids=["replicas", "shards"])
def test_what_breaks_in_one_process_is_said_in_all(processes, sharded):
    (one, kept), (other, kept_there) = processes(replicas.broken_data, sharded)
    assert one == other
    assert "fc1.weight at step 2" in one["error"]
    assert kept
    assert kept_there


# Without other processes


def test_models_in_the_older_wrapper_are_refused():
    class FullyShardedDataParallel(torch.nn.Sequential):
        """Stands in for torch's, which needs processes to be made."""

    FullyShardedDataParallel.__module__ = "torch.distributed.fsdp.fully_sharded_data_parallel"
    model = FullyShardedDataParallel(torch.nn.Linear(8, 8))
    with pytest.raises(InvalidInput, match="sharded already, by the FSDP wrapper"):
        mst.sparsify(model, "2:4")
