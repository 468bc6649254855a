import numpy as np
import pytest

from masksolve import InvalidInput
from masksolve.bench.contestants import contestants
from masksolve.bench.registry import Contestant
from masksolve.bench.tiling import to_tiles

from .test_tiling import first_columns

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from masksolve.bench.training import DECAY, RATE, DigitsTraining  # noqa: E402

EXACT = contestants()["exact"]


@pytest.fixture
def asked():
    """Collect what a contestant is given."""
    return []


@pytest.fixture
def spy(asked):
    """Stand in for whoever takes tiles; notes them."""
    return Contestant("spy", lambda *what: asked.append(what[0]) or first_columns(*what), "nobody")


def test_it_learns_and_masks_cost_little():
    dense, masked = DigitsTraining(None, "4:8", None), DigitsTraining(EXACT, "4:8", 20)
    before = dense.accuracy()
    dense.steps(320)
    masked.steps(320)
    assert before < 0.3
    assert dense.accuracy() > 0.95
    assert masked.accuracy() > dense.accuracy() - 0.02


@pytest.mark.parametrize(("every", "renewals"), [(None, 0), (1, 10), (3, 3), (10, 1), (11, 0)])
def test_it_renews_when_it_should(spy, asked, every, renewals):
    training = DigitsTraining(spy, "2:4", every)
    assert len(asked) == 2  # both layers, at the start
    training.steps(4)
    training.steps(6)
    assert len(asked) == 2 * (1 + renewals)


def test_scores_are_the_sizes_of_the_weights_of_now(spy, asked):
    training = DigitsTraining(spy, "4:8", 2)
    training.steps(2)
    assert all(tiles.dtype == np.float32 and tiles.flags.c_contiguous for tiles in asked)
    assert [tiles.shape for tiles in asked] == 2 * [(512, 8, 8), (4096, 8, 8)]
    for tiles, w in zip(asked[2:], training.weights, strict=False):
        np.testing.assert_array_equal(tiles, to_tiles(np.abs(w.numpy()), 8))


def test_a_dense_run_has_no_masks():
    training = DigitsTraining(None, "4:8", 1)
    training.steps(1)
    assert not training.masks
    assert training.used() == training.weights


def test_the_weights_used_obey_the_masks():
    training = DigitsTraining(EXACT, "8:16", 2)
    training.steps(3)
    assert len(training.masks) == 2
    for used, w, mask in zip(training.used(), training.weights, training.masks, strict=False):
        tiles = to_tiles(mask.numpy(), 16)
        assert (tiles.sum(axis=1) == 8).all()
        assert (tiles.sum(axis=2) == 8).all()
        assert torch.equal(used, torch.where(mask == 1, w, 0))
    assert training.used()[2] is training.weights[2]


def test_masks_stay_between_renewals_while_pruned_weights_learn():
    training = DigitsTraining(EXACT, "4:8", None)
    masks, weights = training.masks, [w.clone() for w in training.weights]
    training.steps(1)
    for k, mask in enumerate(masks):
        assert torch.equal(training.masks[k], mask)
        decayed = weights[k] * (1 - RATE * DECAY)  # all that a weight without gradient does
        learnt = ~torch.isclose(training.weights[k], decayed, atol=1e-7)
        assert learnt[mask == 0].float().mean() > 0.5


def test_a_seed_settles_everything():
    def trained(seed):
        torch.rand(1)  # nobody else's random numbers matter
        training = DigitsTraining(EXACT, "4:8", 2, seed)
        training.steps(4)
        return training.weights[0]

    assert torch.equal(trained(3), trained(3))
    assert not torch.equal(trained(3), trained(4))


def test_a_pattern_that_cuts_no_layer_is_refused():
    with pytest.raises(InvalidInput, match="2:5 does not divide"):
        DigitsTraining(EXACT, "2:5", None)
