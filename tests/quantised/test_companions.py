"""What belongs to a quantised weight is never masked, and what cannot be read is named."""

import ml_dtypes
import numpy as np
import pytest

import masksolve as ms
from masksolve.errors import InvalidInput
from tests.quantised import made as by_hand
from tests.storage.files import entry, read_file, same_bits, write_raw

SQUARE = (16, 16)


def plain(rng):
    return {"other.weight": rng.normal(size=SQUARE).astype(np.float32)}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def numbers(rng, shape, dtype):
    return rng.integers(1, 100, shape).astype(dtype)


def unread(rng):
    """Layers of formats that are not read: what they hold, and a word of the reason."""
    u8, f16, f32 = np.uint8, np.float16, np.float32
    yield (
        "NF4",
        {
            "fc.weight": numbers(rng, (128, 1), u8),
            "fc.weight.absmax": numbers(rng, (4, 4), f32),
            "fc.weight.quant_map": numbers(rng, 16, f32),
            "fc.weight.nested_absmax": numbers(rng, (4, 4), f32),
            "fc.weight.quant_state.bitsandbytes__nf4": numbers(rng, (4, 4), u8),
        },
    )
    yield (
        "sparse-24",
        {
            "fc.weight.compressed": numbers(rng, (16, 8), f16),
            "fc.weight.bitmask": numbers(rng, (16, 4), u8),
            "fc.weight.shape": np.array(SQUARE),
            "fc.weight_scale": numbers(rng, (16, 4), f32),
        },
    )
    yield (
        "marlin-24",
        {
            "fc.weight_packed": numbers(rng, (16, 8), np.int32),
            "fc.scale_packed": numbers(rng, (16, 4), f16),
            "fc.meta": numbers(rng, (16, 4), np.int16),
        },
    )
    yield (
        "torchao",
        {
            "fc._weight_qdata": numbers(rng, (16, 8), u8),
            "fc._weight_scale": numbers(rng, (16, 4), f32),
            "fc._weight_scale_and_zero": numbers(rng, (16, 4, 4), f32),
        },
    )
    yield (
        "not known",
        {
            "fc.W_q": numbers(rng, SQUARE, u8),
            "fc.scale": numbers(rng, (16, 4), f16),
            "fc.zero": numbers(rng, (16, 4), f16),
        },
    )
    yield (
        "not known (W4A8_AWQ)",
        {
            "fc.weight": numbers(rng, (16, 8), u8),
            "fc.weight_scale": numbers(rng, (16, 4), f32),
            "fc.pre_quant_scale": numbers(rng, (4, 4), f16),
        },
    )
    yield (
        "GPTQ's and AWQ's",
        {  # of 3 bits
            "fc.qweight": numbers(rng, (3, 32), np.int32),
            "fc.scales": numbers(rng, (4, 32), f16),
            "fc.qzeros": numbers(rng, (4, 3), np.int32),
        },
    )


@pytest.mark.parametrize("number", range(7))
@pytest.mark.parametrize("wanted", [None, ["*"]])
def test_unread_formats_are_named_and_left_as_they_are(rng, write, tmp_path, number, wanted):
    word, tensors = list(unread(rng))[number]
    config = {"quantization_config": {"quant_algo": "W4A8_AWQ"}} if "(" in word else None
    made = by_hand.Made(tensors, "", None, config)
    source, target = write(made, plain(rng)), tmp_path / "out.safetensors"
    found = ms.solve_checkpoint(source, target, "2:4,plain", apply=True, tensors=wanted)
    assert list(found.records) == ["other.weight"]
    after = read_file(target)
    assert all(same_bits(after[name], np.asarray(array)) for name, array in tensors.items())
    first, *companions = tensors
    why = dict(found.skipped)
    assert word in why[first]
    for name in companions:
        if tensors[name].ndim > 1:
            assert "belongs to a quantised weight" in why[name]
            with pytest.raises(InvalidInput, match="belongs to the quantised fc"):
                ms.solve_checkpoint(source, tmp_path / "no", "2:4", tensors=[name])
    with pytest.raises(InvalidInput, match=r"tensor 'fc\."):
        ms.solve_checkpoint(source, tmp_path / "no", "2:4", tensors=[first])


@pytest.mark.parametrize("make", by_hand.FORMATS, ids=lambda make: make.__name__)
def test_asked_for_by_a_pattern_scales_are_not_masked(rng, write, tmp_path, make):
    """Half of the rows of an int8 file came back zero: of its scales, ragged as they were."""
    made = make(rng)
    source, target = write(made), tmp_path / "out.safetensors"
    prefix = made.name.split(".")[0]
    found = ms.solve_checkpoint(source, target, "2:4", apply=True, tensors=[f"{prefix}.*"])
    assert list(found.records) == [made.name]
    after = read_file(target)
    for name in after.keys() - {made.name, "norm.weight"}:
        assert same_bits(after[name], np.asarray(made.tensors[name]))


WRONG = [
    (by_hand.fp8_dynamic, "fc.weight_scale", (19, 1)),
    (by_hand.fp8_block, "fc.weight_scale_inv", (2, 2)),
    (by_hand.int8_channel, "fc.weight_scale", (64, 1)),
    (by_hand.int8_zero_points, "fc.weight_zero_point", (20, 3)),
    (by_hand.llm_int8, "fc.SCB", (21,)),
    (by_hand.w4a16, "fc.weight_scale", (20, 5)),
    (by_hand.w4a16, "fc.weight_zero_point", (4, 4)),
    (by_hand.gptq, "fc.scales", (3, 32)),
    (by_hand.gptq, "fc.g_idx", (63,)),
    (by_hand.awq, "fc.scales", (2, 32)),
    (by_hand.mxfp4, "mlp.experts.gate_up_proj_scales", (2, 20, 3)),
    (by_hand.nvfp4, "fc.weight_scale", (20, 3)),
    (by_hand.nvfp4_modelopt, "fc.weight_scale", (19, 4)),
    (by_hand.torchao, "fc._weight_scale", (4, 20)),
]


@pytest.mark.parametrize(("make", "name", "shape"), WRONG)
def test_a_scale_that_does_not_fit_is_refused(rng, write, tmp_path, make, name, shape):
    made = make(rng)
    made.tensors[name] = np.zeros(shape, dtype=made.tensors[name].dtype)
    source, target = write(made, plain(rng)), tmp_path / "out.safetensors"
    with pytest.raises(InvalidInput, match="fit") as caught:
        ms.solve_checkpoint(source, target, "2:4")
    assert str(source) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not target.exists()
    found = ms.solve_checkpoint(source, target, "2:4", exclude=[made.name])
    assert list(found.records) == ["other.weight"]


def test_a_group_beyond_the_scales_is_refused(rng, write, tmp_path):
    made = by_hand.gptq(rng)
    made.tensors["fc.g_idx"][5] = 4
    with pytest.raises(InvalidInput, match=r"'fc.g_idx' names group 4, and there are 4"):
        ms.solve_checkpoint(write(made), tmp_path / "out.safetensors", "2:4")


def test_a_scale_that_is_no_number_is_named_by_weight(rng, write, tmp_path):
    made = by_hand.int8_channel(rng)
    made.tensors["fc.weight_scale"][3] = np.nan
    made.tensors["fc.weight"][3, 7] = 1
    with pytest.raises(InvalidInput, match=r"'fc.weight': weights\[3, 0\] is nan"):
        ms.solve_checkpoint(write(made), tmp_path / "out.safetensors", "2:4")


def test_a_scale_in_another_shard_counts(rng, tmp_path):
    from tests.checkpoints.models import write_checkpoint

    made = by_hand.int8_zero_points(rng)
    codes = {made.name: made.tensors.pop(made.name)}
    shards = {"a.safetensors": codes | plain(rng), "b.safetensors": made.tensors}
    source = write_checkpoint(tmp_path / "model", shards)
    found = ms.solve_checkpoint(source, tmp_path / "out", "2:4", tensors=["fc.weight"])
    expected = ms.solve(made.weights(made.tensors | codes), "2:4").objective
    assert found.objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float8_e4m3fnuz", "float8_e5m2fnuz"])
def test_floats_without_minus_zero_are_floats(rng, write, tmp_path, dtype):
    array = rng.normal(size=SQUARE).astype(getattr(ml_dtypes, dtype))
    source = write(by_hand.Made({"fc.weight": array}, "", None))
    target = tmp_path / "out.safetensors"
    found = ms.solve_checkpoint(source, target, "2:4", apply=True)
    expected = ms.solve(array, "2:4")
    assert found.objective == expected.objective
    pruned = read_file(target)["fc.weight"]
    assert np.array_equal(pruned.view(np.uint8) != 0, expected.mask & (array != 0))


@pytest.mark.parametrize(
    ("dtype", "bits", "words"),
    [
        ("F8_E8M0", 8, "powers of two"),
        ("F4", 4, "floats of 4 bits"),
        ("F6_E2M3", 6, "floats of 6 bits"),
    ],
)
@pytest.mark.parametrize("scales", [True, False])
def test_dtypes_are_named_as_what_they_are(rng, tmp_path, dtype, bits, words, scales):
    ones, size = plain(rng)["other.weight"], 2 * bits * 16
    header = {
        "other.weight": entry("F32", SQUARE, [0, 1024]),
        "fc.weight": entry(dtype, SQUARE, [1024, 1024 + size]),
    }
    if scales:
        header["fc.weight_scale"] = entry("F32", (16, 4), [1024 + size, 1280 + size])
    body = ones.tobytes() + bytes(size + 256 * scales)
    source, target = write_raw(tmp_path / "model", header, body), tmp_path / "out.safetensors"
    found = ms.solve_checkpoint(source, target, "2:4,plain", tensors=["*.weight*"])
    assert list(found.records) == ["other.weight"]
    assert f"{dtype} ({words}" in dict(found.skipped)["fc.weight"]
