import pytest
import torch
from torch import nn

import masksolve as ms
import masksolve.torch as mst
from tests.torch._adaprune.models import Residual, images
from tests.torch.states import unchanged


def test_statistics_are_the_averages_over_batches():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).eval()
    batches = images(batches=3)
    assert mst.reestimate_batch_norms(model, iter(batches)) == 1
    with torch.no_grad():
        seen = [model[0](x).movedim(1, -1).flatten(0, -2) for x in batches]
    means = torch.stack([x.mean(0) for x in seen])
    variances = torch.stack([x.var(0) for x in seen])
    torch.testing.assert_close(model[1].running_mean, means.mean(0))
    torch.testing.assert_close(model[1].running_var, variances.mean(0))
    assert model[1].momentum == 0.1
    assert not any(module.training for module in model.modules())


def test_adaprune_does_it_at_the_end_unless_told_not_to():
    found = {}
    for batch_norm in (True, False):
        model = Residual()
        before = model.norm1.running_mean.clone()
        mst.adaprune(model, images(), "2:4", batch_norm=batch_norm)
        found[batch_norm] = model.norm1.running_mean
        assert model.training
        assert torch.equal(model.norm1.running_mean, before) != batch_norm
    again = Residual()
    mst.adaprune(again, images(), "2:4", batch_norm=False)
    mst.reestimate_batch_norms(again, images())
    assert torch.equal(again.norm1.running_mean, found[True])


def test_norms_that_keep_no_statistics_are_left():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False))
    assert mst.reestimate_batch_norms(model, [torch.randn(5, 4)]) == 0


def test_a_failure_leaves_them_as_they_were():
    model = nn.Sequential(nn.BatchNorm1d(4))
    model(torch.randn(5, 4) + 3)
    words = r"batch 1, a tensor of shape .5, 3., does not"
    with unchanged(model), pytest.raises(ms.MasksolveError, match=words):
        mst.reestimate_batch_norms(model, [torch.randn(5, 4), torch.randn(5, 3)])
    assert model[0].momentum == 0.1
    assert model.training


def test_bad_input():
    with pytest.raises(ms.MasksolveError, match="model must be a torch module, got int"):
        mst.reestimate_batch_norms(3, [])
    with pytest.raises(ms.MasksolveError, match="no calibration batches"):
        mst.reestimate_batch_norms(nn.BatchNorm1d(4), [])
