"""The bench for a device: its whole flow in tiny sizes, in Triton's interpreter."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("triton")
pytest.importorskip("matplotlib")

from masksolve.bench.gpu import __main__ as gpu  # noqa: E402
from masksolve.bench.gpu import exact, layers, rivals, sizes  # noqa: E402
from masksolve.bench.gpu.page import fill  # noqa: E402
from masksolve.bench.gpu.tables import tables  # noqa: E402
from masksolve.bench.pages.page import Page  # noqa: E402

CPU = torch.device("cpu")
SIZE = {"tokens": 8, "inputs": 64, "outputs": 64, "why_dense": "", "compress_share": 0.25}
LAYER = SIZE | {"seconds": {"dense forward": 2e-3}, "speed_up": {"forward": 1.5}}
DENSE = {"name": "dense", "dense_products": True, "step": 0.1, "overhead": 0.0, "renewal": None}
MASKED = {"name": "2:4", "dense_products": False, "step": 0.09, "overhead": -0.1, "renewal": 0.001}
ARMS = [
    DENSE | {"overhead_without_renewal": 0.0},
    MASKED | {"renewal_share": 0.011, "overhead_without_renewal": -0.11},
]
LAYERS = {
    "layers": [LAYER | {"pays": pays} for pays in (True, False)],
    "block": {"width": 64, "batch": 2, "length": 8, "arms": ARMS},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "measure", lambda device: LAYERS)
        patch.setenv("TRITON_CACHE_DIR", "")  # put back afterwards
        patch.setenv("TRITON_INTERPRET", "1")
        gpu.main(["--interpret", "--out", str(folder / "gpu.json")])
    return folder, json.loads((folder / "gpu.json").read_text())


def test_everything_is_measured_and_proven(ran):
    _, found = ran
    tiny = sizes.TINY
    assert not found["gpu"]
    assert not found["failures"]
    assert [(row["weights"], row["pattern"]) for row in found["exact"]] == [
        (kind, pattern) for kind in sizes.KINDS for pattern in tiny.patterns
    ]
    for row in (*found["exact"], *found["rivals"], *found["warm"]):
        assert row["failed"] == ""
    for row in found["exact"]:
        assert row["proven"] == 1
        assert row["gap"] <= 1e-12
        assert row["engine_difference"] <= 1e-12
        assert row["copies"] == pytest.approx(row["seconds"] / row["copy_seconds"])
        assert row["peak_bytes"] is None
    assert [row["change"] for row in found["warm"]] == list(tiny.changes)
    assert found["graphs"] == []


def test_rivals_lose(ran):
    _, found = ran
    rows = {row["method"]: row for row in found["rivals"] if row["weights"] == "float32"}
    assert list(rows) == ["exact", "two_approx", "greedy", "entropic, 20 rounds", "entropic"]
    assert abs(rows["exact"]["loss"]) < 1e-12
    assert rows["two_approx"]["loss"] > rows["greedy"]["loss"] > 0
    assert 0 <= rows["entropic"]["loss"] < rows["greedy"]["loss"]
    assert rows["two_approx"]["short_lines"] > 0
    assert rows["exact"]["short_lines"] == rows["entropic"]["short_lines"] == 0


def test_the_page_says_that_there_was_no_gpu(ran):
    folder, _ = ran
    page = (folder / "gpu.md").read_text()
    assert "**There was no GPU.**" in page
    for name in ("gpu-methods.png", "gpu-exact.png"):
        assert f"]({name})" in page
        assert (folder / name).stat().st_size > 1000
    assert "| 8 | 64 | 64 | 2.000, x 1.50 | 25% | does not pay |" in page
    assert "| 2:4 | 90.000 | -10.0% | 1.000 | 1.1% | -11.0% |" in page


def test_figures_are_read_again(ran, tmp_path, capsys):
    folder, _ = ran
    page = tmp_path / "page.md"
    gpu.main(["--read", str(folder / "gpu.json"), "--page", str(page)])
    assert page.read_text() == (folder / "gpu.md").read_text()
    assert "NOT a GPU" in capsys.readouterr().out
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(SystemExit, match=r"is not what `python -m masksolve.bench.gpu` leaves"):
        gpu.main(["--read", str(tmp_path / "other.json")])


def test_parts_and_patterns_are_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    out = tmp_path / "warm.json"
    asked = "--device cpu --parts warm --patterns 1:3 --sides 6 --rounds 2 --out"
    gpu.main([*asked.split(), str(out)])
    found = json.loads(out.read_text())
    assert found["exact"] == found["rivals"] == []
    warm = [(row["pattern"], row["side"], row["failed"]) for row in found["warm"]]
    assert warm == [("1:3", 6, "")] * 2
    assert "layers" not in found
    assert (tmp_path / "warm.md").exists()


def test_without_a_device_nothing_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as stop:
        gpu.main([])
    assert stop.value.code == 2
    assert capsys.readouterr().out.startswith("no CUDA device: expected one")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_is_noted_and_the_rest_goes_on(ran, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("out of luck\nand more")

    monkeypatch.setattr(rivals, "solve", fail)
    rows = list(rivals.compare(sizes.TINY, CPU))
    failed = [row for row in rows if row["method"] == "exact"]
    assert [row["failed"] for row in failed] == ["RuntimeError: out of luck"] * 3
    assert all(row["failed"] == "" and "loss" in row for row in rows if row not in failed)
    monkeypatch.setattr(exact, "solve", fail)
    _, found = ran
    found = found | {
        "rivals": rows,
        "exact": list(exact.cold(sizes.TINY, CPU)),
        "failures": {"layers": "RuntimeError: no"},
    }
    assert any("RuntimeError: out of luck" in row for t in tables(found) for row in t.rows)
    page = Page(tmp_path / "page.md")
    fill(page, found)
    assert "could not be measured: layers: RuntimeError: no" in page.text()


def test_tables_of_a_gpu(ran):
    _, found = ran
    graph = {"pattern": "2:4", "side": 8192, "failed": "", "same": True}
    graph |= {"launched": 1e-3, "replayed": 9e-4}
    rows = [row for t in tables(found | {"gpu": True, "graphs": [graph]}) for row in t.rows]
    assert ("2:4", "8192", "1.000", "0.900", "yes") in rows


def test_weights_are_what_they_are_called():
    plain, rounded, whole = (sizes.make_weights(kind, 8, CPU) for kind in sizes.KINDS)
    assert torch.equal(rounded, plain.bfloat16())
    assert whole.abs().max() == 127
    assert torch.equal(whole, whole.round())
