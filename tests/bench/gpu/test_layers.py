"""What layers and blocks are measured for, in tiny sizes and without a GPU's times."""

import json

import pytest

torch = pytest.importorskip("torch")

from masksolve.bench.gpu import layers  # noqa: E402
from masksolve.bench.gpu.block import ARMS  # noqa: E402
from masksolve.bench.gpu.clock import Clock, medians  # noqa: E402
from masksolve.bench.gpu.products import PARTS  # noqa: E402
from masksolve.bench.gpu.tables import tables  # noqa: E402
from masksolve.bench.learning.transformer import Block  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def measured():
    found = layers.measure(CPU)
    nothing = dict.fromkeys(("exact", "rivals", "warm", "graphs"), ())
    text = "\n".join(table.markdown() for table in tables(nothing | {"layers": found}))
    return found, text


def test_all_sizes_are_compared_and_it_says_that_there_is_no_gpu(measured):
    found, _ = measured
    assert found["gpu"] is json.loads(json.dumps(found))["gpu"] is False
    sizes = [(row["tokens"], row["inputs"], row["outputs"]) for row in found["layers"]]
    tiny = layers.TINY
    assert sizes == [(tokens, *layer) for layer in tiny.layers for tokens in tiny.tokens]
    for row in found["layers"]:
        assert set(row["speed_up"]) == set(PARTS)
        assert row["why_dense"].startswith("it is on the CPU")
        assert row["error"] == 0
        for part in PARTS:
            seconds = row["seconds"]
            ratio = seconds[f"dense {part}"] / seconds[f"sparse {part}"]
            assert row["speed_up"][part] == pytest.approx(ratio)


def test_sizes_that_do_not_pay_are_named(measured):
    found, text = measured
    slower = [row for row in found["layers"] if row["speed_up"]["step"] <= 1]
    assert len(found["does_not_pay"]) == len(slower)
    assert "ran dense" in text


def test_every_arm_of_the_block_is_set_against_the_dense_one(measured):
    found, text = measured
    arms = found["block"]["arms"]
    assert [arm["name"] for arm in arms] == [name for name, *_ in ARMS]
    dense, *masked = arms
    assert dense["overhead"] == 0
    assert dense["renewal"] is None
    for arm in masked:
        assert arm["proven"]
        assert arm["overhead"] == pytest.approx(arm["step"] / dense["step"] - 1)
        assert 0 < arm["renewal_share"] < 1
        assert arm["name"] in text
    dense_products = [name for name, why in masked[1]["dense_products"]]
    assert dense_products == [f"{name}.weight" for name in ("qkv", "mixed", "up", "down")]


def test_a_block_is_causal():
    torch.manual_seed(0)
    block, x = Block(32, 2), torch.randn(1, 6, 32)
    changed = x.clone()
    changed[:, 4:] += 1
    torch.testing.assert_close(block(x)[:, :4], block(changed)[:, :4])


def test_the_clock_forgets_what_it_told():
    clock = Clock(CPU)
    for _ in range(2):
        for _ in range(3):
            clock.mark()
        first, second = clock.intervals()
        assert first >= 0
        assert second >= 0
    calls = []
    found = medians({"one": lambda: calls.append(1)}, CPU, rounds=3, warm_up=2)
    assert len(calls) == 5
    assert found["one"] >= 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu():
    found = layers.measure(torch.device("cuda"), layers.TINY)
    assert found["gpu"] is True
    assert all(row["error"] < 0.05 for row in found["layers"])
