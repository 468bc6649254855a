"""Semi-structured tensors: the words where there are none, and both conversions where."""

from types import SimpleNamespace

import pytest
import torch

import masksolve.torch as mst
from masksolve.errors import InvalidInput
from masksolve.torch.semi_structured import keeps_half
from tests.torch.emulation import CUTLASS, convert_on_cpu, module

CUSPARSELT = torch.sparse.SparseSemiStructuredTensorCUSPARSELT


def weight_2_4(*shape, dtype=torch.bfloat16, pattern="2:4"):
    torch.manual_seed(0)
    weight = torch.randn(shape)
    return (weight * mst.solve_mask(weight, pattern)).to(dtype)


@pytest.fixture
def _cutlass(monkeypatch):
    convert_on_cpu(monkeypatch)


@pytest.mark.usefixtures("_cutlass")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int8])
def test_the_weight_and_its_transpose_are_converted(dtype):
    weight = weight_2_4(128, 256, dtype=torch.float32)
    weight = (weight * 20).to(dtype)
    sparse, sparse_t = mst.semi_structured(weight)
    assert isinstance(sparse, CUTLASS)
    assert torch.equal(sparse.to_dense(), weight)
    assert torch.equal(sparse_t.to_dense(), weight.t())


@pytest.mark.usefixtures("_cutlass")
def test_a_mask_may_come_besides():
    weight = torch.randn(64, 64).bfloat16()
    mask = mst.solve_mask(weight, "2:4")
    sparse, sparse_t = mst.semi_structured(torch.nn.Parameter(weight), mask)
    assert torch.equal(sparse.to_dense(), weight * mask)
    assert torch.equal(sparse_t.to_dense(), (weight * mask).t())


@pytest.mark.usefixtures("_cutlass")
def test_a_finalized_layer_is_what_it_is_for():
    layer = torch.nn.Linear(128, 64, dtype=torch.bfloat16)
    mst.sparsify(layer, "2:4").finalize()
    sparse, _ = mst.semi_structured(layer.weight)
    assert torch.equal(sparse.to_dense(), layer.weight)


@pytest.mark.usefixtures("_cutlass")
def test_what_the_library_says_is_passed_on(monkeypatch):
    def refuse(dense):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(CUTLASS, "from_dense", refuse)
    with pytest.raises(InvalidInput, match="of this weight: no such kernel"):
        mst.semi_structured(weight_2_4(64, 64))


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (weight_2_4(64, 64), "it is on the CPU: .* CUDA device of compute capability 8.0"),
        (weight_2_4(64, 64, dtype=torch.float32), "it is of torch.float32: 2:4 products take"),
        (weight_2_4(64, 64, dtype=torch.float64), "it is of torch.float64"),
        (weight_2_4(64, 62), "sides, 64 x 62, are no multiples of 4"),
        (weight_2_4(64, 64, pattern="2:4,plain"), "column 0 keeps [34] of .*not transposable"),
        (weight_2_4(64, 64, pattern="4:8"), "row 0 keeps 4 of .* it is not 2:4"),
        (weight_2_4(64, 64, pattern="8:16"), "it is not 2:4"),
        (torch.zeros(64).bfloat16(), r"dense matrix, got .* shape \(64,\)"),
        (weight_2_4(64, 64).to_sparse(), "dense matrix, got one of torch.sparse_coo"),
        ([[1.0]], "dense matrix, got list"),
        (weight_2_4(64, 64).to("meta"), "meta device"),
    ],
)
def test_why_not(weight, words):
    with pytest.raises(InvalidInput, match=f"^no semi-structured tensors of .*{words}"):
        mst.semi_structured(weight)
    assert mst.why_not_semi_structured(weight) is not None


MASKS = {"float": torch.ones(64, 64), "shape": torch.ones(64, 32).bool(), "list": [[True]]}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_masks_that_do_not_fit(mask):
    why = mst.why_not_semi_structured(torch.randn(64, 64).bfloat16(), mask)
    assert why == "mask must be of bool, of shape (64, 64) and on the weight's device"


def test_it_says_which_entries_are_too_many():
    weight = torch.zeros(8, 8, dtype=torch.float16)
    weight[5, 4:7] = 1
    why = mst.why_not_semi_structured(weight)
    assert why == "row 5 keeps 3 of the entries 4 to 7: it is not 2:4"
    why = mst.why_not_semi_structured(weight.t())
    assert why.startswith("column 5 keeps 3 of the entries 4 to 7: it is 2:4 but not")


@pytest.mark.parametrize(
    ("kind", "shape", "fits"),
    [
        (CUTLASS, (64, 64), True),
        (CUTLASS, (32, 64), False),  # its transpose is 64 x 32
        (CUTLASS, (64, 128), True),
        (CUSPARSELT, (16, 16), True),
        (CUSPARSELT, (16, 40), False),
    ],
)
def test_shapes_that_a_back_end_takes_both_ways_round(monkeypatch, kind, shape, fits):
    monkeypatch.setattr(module, "_back_end", lambda device: kind)
    why = mst.why_not_semi_structured(weight_2_4(*shape))
    assert (why is None) == fits
    if not fits:
        assert why.startswith(f"{kind.BACKEND} takes multiples of")
        assert f"{shape[0]} x {shape[1]}" in why


@pytest.mark.parametrize(
    ("capability", "cusparselt", "hip", "system", "found"),
    [
        ((7, 5), True, None, "Linux", "Quadro has 7.5: sparse products need"),
        ((8, 0), True, None, "Linux", CUSPARSELT),
        ((9, 0), True, None, "Linux", CUSPARSELT),
        ((8, 6), False, None, "Linux", CUTLASS),
        ((9, 0), False, None, "Linux", "no cuSPARSELt, and its CUTLASS serves CUDA 8.x only"),
        ((8, 6), False, None, "Windows", "this build of torch has no cuSPARSELt"),
        ((9, 4), False, "6.2", "Linux", "this build of torch has no cuSPARSELt"),
    ],
)
def test_back_ends(monkeypatch, capability, cusparselt, hip, system, found):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Quadro")
    monkeypatch.setattr(torch.backends.cusparselt, "is_available", lambda: cusparselt)
    monkeypatch.setattr(torch.version, "hip", hip)
    monkeypatch.setattr(module, "platform", SimpleNamespace(system=lambda: system))
    answer = module._back_end(torch.device("cuda", 0))
    assert answer is found or (isinstance(found, str) and found in answer)


def test_another_accelerator_is_named():
    assert module._back_end(torch.device("mps")).startswith("it is on a device of type mps")


@pytest.mark.parametrize("pattern", ["2:4", "1:4", "1:2", "2:4,at-most"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_torchs_metadata_holds_our_masks(pattern, dtype):
    from torch.sparse import _semi_structured_conversions as conversions

    weight = torch.randn(128, 64)
    mask = mst.solve_mask(weight, pattern)
    for kept in (weight * mask, (weight * mask).t()):
        held = kept.to(dtype).contiguous()
        packed, meta = conversions.sparse_semi_structured_from_dense_cutlass(held)
        assert packed.shape == (held.shape[0], held.shape[1] // 2)
        found = conversions.sparse_semi_structured_to_dense_cutlass(packed, meta)
        assert torch.equal(found, held)


@pytest.mark.parametrize("sizes", [(4, 4), (8, 4), (4, 12), (8, 12)])
def test_keeps_half_counts_four_by_four(sizes):
    mask = torch.zeros(sizes, dtype=torch.bool)
    mask[:2, :2] = True
    assert keeps_half(mask)
    mask[2, 0] = True
    assert not keeps_half(mask)
    assert not keeps_half(mask.t())
    assert not keeps_half(torch.zeros(6, 4, dtype=torch.bool))
