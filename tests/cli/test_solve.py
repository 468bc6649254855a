"""``masksolve solve``: the masks and figures of `solve`, and masked weights."""

import os
import subprocess

import numpy as np
import pytest

import masksolve as ms
from masksolve.storage.tensors import TensorFile
from tests.cli.commands import MATRICES, MODULE, SCRIPT, shown_on_a_terminal
from tests.storage.files import contents, read_file, read_metadata, same_bits, write_file

FIGURES = ("method", "objective", "upper_bound", "gap")


def same_figures(row, result):
    return (
        all(row[key] == getattr(result, key) for key in FIGURES)
        and row["shape"] == list(result.mask.shape)
        and row["axes"] == list(result.axes)
        and (row["pattern"], row["status"]) == (str(result.pattern), result.status.value)
        and all(row[key] == result.stats[key] for key in ("tiles", "short_tiles"))
    )


@pytest.mark.parametrize("pattern", ["2:4", "1:2,at-most", "3:8,plain", "2:5,plain,at-most"])
def test_masks_and_figures_are_those_of_solve(run, model, out, matrices, pattern):
    report = run("solve", model, out, "--pattern", pattern, *MATRICES, "--json").json
    stored = ms.load_masks(out)
    assert (report["pattern"], report["method"]) == (pattern, "exact")
    assert [row["name"] for row in report["tensors"]] == list(stored) == list(matrices)
    for row, (name, weights) in zip(report["tensors"], matrices.items(), strict=True):
        result = ms.solve(weights, pattern)
        assert same_figures(row, result)
        assert np.array_equal(stored[name].mask, result.mask)
        assert stored[name].objective == result.objective
        assert row["total"] == pytest.approx(np.abs(weights.astype(float)).sum())
    for key in ("objective", "total", "gap", "tiles", "short_tiles"):
        assert report["total"][key] == pytest.approx(sum(r[key] for r in report["tensors"]))
    assert report["total"]["status"] == "optimal"


@pytest.mark.parametrize("method", ms.METHODS)
def test_every_method(run, model, out, matrices, method):
    report = run("solve", model, out, "--pattern=2:4", *MATRICES, "--method", method, "--json").json
    for row in report["tensors"]:
        assert same_figures(row, ms.solve(matrices[row["name"]], "2:4", method=method))
    assert (report["total"]["status"] == "optimal") == ms.METHODS[method].exact


def test_options_of_a_method(run, model, out, matrices):
    asked = ("--pattern=4:8", "--method=best_random", "--option=tries=3", "--option", "seed=7")
    options = {"tries": 3, "seed": 7}
    for row in run("solve", model, out, *asked, "--json").json["tensors"]:
        weights = matrices[row["name"]]
        expected = ms.solve(weights, "4:8", method="best_random", options=options)
        assert same_figures(row, expected)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--tensors encoder.*", "encoder.0.weight encoder.1.weight"),
        ("--tensors *.0.* head.weight", "encoder.0.weight head.weight"),
        ("--tensors [!e]*.weight --exclude conv.* t*", "head.weight"),
        ("--exclude *.1.* tiny.weight nobody", "head.weight conv.weight"),
        ("--tensors steps flags", "steps flags"),  # no floats: in full only
        ("--tensors s*s head.weight steps", "head.weight steps"),
        ("--tensors conv.weight --axes 0,1", "conv.weight"),
        ("--tensors *.weight --axes=-3,-4 --exclude e* h* t*", "conv.weight"),
        ("--axes 0,1", "encoder.1.weight head.weight tiny.weight conv.weight cube"),
        ("", "encoder.1.weight head.weight tiny.weight conv.weight"),
        ("--axes conv*=1,0 --axes -2,-1 --tensors conv.weight", "conv.weight"),
    ],
)
def test_choice_of_tensors(run, model, out, tensors, options, names):
    run("solve", model, out, "--pattern", "2:4", *options.split())
    stored = ms.load_masks(out)
    assert list(stored) == names.split()
    for name, mask in stored.items():
        axes = (1, 0) if {"--axes=-3,-4", "conv*=1,0"} & {*options.split()} else (0, 1)
        assert mask.axes == axes
        assert np.array_equal(mask.mask, ms.solve(tensors[name], "2:4", axes=axes).mask)


def test_compare_shows_what_rivals_lose(run, model, out, matrices):
    command = (
        "solve",
        model,
        out,
        "--pattern",
        "4:8",
        *MATRICES,
        "--compare",
        "greedy",
        "two_approx",
    )
    report = run(*command, "--json").json
    for method in ("greedy", "two_approx"):
        kept = [ms.solve(w, "4:8", method=method).objective for w in matrices.values()]
        assert [row["compare"][method]["objective"] for row in report["tensors"]] == kept
        total = report["total"]["compare"][method]
        assert total["objective"] == pytest.approx(sum(kept))
        assert total["objective"] < report["total"]["objective"]
    table = run(*command).out
    for words in ("greedy loses", "two_approx loses", f"all {len(matrices)}"):
        assert words in table


def test_repair_fills_what_a_heuristic_leaves_short(run, model, out, matrices):
    command = ("solve", model, out, "--pattern", "2:4", *MATRICES, "--method", "greedy", "--json")
    before = run(*command).json["total"]
    after = run(*command, "--repair").json["total"]
    assert (before["status"], after["status"]) == ("underfilled", "feasible")
    assert before["short_tiles"] > after["short_tiles"] == 0
    for name, weights in matrices.items():
        greedy = ms.solve(weights, "2:4", method="greedy").mask
        mask = ms.load_masks(out)[name].mask
        assert np.array_equal(mask, ms.repair(weights, greedy, "2:4").mask)


LAYERS = [f"{name}.weight" for name in ("encoder.0", "encoder.1", "head", "tiny", "conv")]


@pytest.mark.parametrize("name", [*LAYERS, "steps", "flags"])
def test_apply_zeroes_what_is_pruned_and_nothing_else(run, model, out, tensors, name):
    """Kept weights and other tensors keep every bit; pruned weights become +0.0."""
    run("solve", model, out, "--pattern=2:4", "--apply", "--tensors", name, "--axes=0,1")
    after = read_file(out)
    assert list(TensorFile(out).tensors) == list(tensors)
    mask = ms.solve(tensors[name], "2:4", axes=(0, 1)).mask
    assert 0 < mask.sum() < mask.size
    expected = tensors | {name: np.where(mask, tensors[name], np.zeros((), tensors[name].dtype))}
    assert all(same_bits(after[key], expected[key]) for key in tensors)
    product = tensors[name] * mask.astype(tensors[name].dtype)  # leaves negative zeros
    assert same_bits(product, after[name]) == (product.dtype.kind in "ib")
    metadata = read_metadata(out)
    assert metadata.items() >= {"format": "pt", "note": "ü"}.items()
    assert '"kind":"weights"' in metadata["masksolve"]


def test_same_input_same_bytes_whatever_the_threads(run, model, out):
    files = []
    for threads in ("1", "2", "2"):
        run("solve", model, out, "--pattern", "2:4", "--threads", threads)
        files.append(out.read_bytes())
    assert files[0] == files[1] == files[2]


def test_an_older_output_is_replaced(run, model, out, tmp_path):
    out.write_bytes(b"older")
    before = contents(tmp_path)
    run("solve", model, out, "--pattern", "2:4")
    after = contents(tmp_path)
    assert before.keys() == after.keys()
    assert {name for name in after if after[name] != before[name]} == {"out"}


def test_the_table_names_tensors_and_figures(run, model, out, matrices):
    lines = run("solve", model, out, "--pattern", "2:4", *MATRICES).out.splitlines()
    assert lines[0].startswith("2:4 by exact: ")
    for name, weights in matrices.items():
        line = next(line for line in lines if name in line)
        assert f"{ms.solve(weights, '2:4').objective:.6g}" in line
        assert "x".join(map(str, weights.shape)) in line
        assert "optimal" in line


@pytest.mark.parametrize("shape", [(0, 8), (8, 0), (0, 0)], ids=str)
def test_empty_tensors_get_empty_masks(run, tmp_path, out, shape):
    model = write_file(tmp_path / "model", {"w": np.zeros(shape, np.float32)})
    asked = ("--pattern=2:4", "--tensors", "w")
    row = run("solve", model, out, *asked, "--threads=2", "--json").json["tensors"][0]
    assert (row["objective"], row["gap"], row["status"]) == (0, 0, "optimal")
    assert ms.load_masks(out)["w"].mask.shape == shape
    run("check", out)
    run("certify", model, out, "--threads=2")


NAMES = ["layer 漢.weight", "a[/b].weight", "a[red].weight", "a:cat:.weight", "blocks[0].weight"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind_are_chosen_in_full_and_shown_as_they_are(run, tmp_path, out, name):
    model = write_file(tmp_path / "model", {name: np.eye(8)})
    assert name in run("solve", model, out, "--pattern", "2:4", "--tensors", name).out
    assert list(ms.load_masks(out)) == [name]
    assert name in run("certify", model, out).out


@pytest.mark.parametrize("program", [SCRIPT, MODULE], ids=["masksolve", "python -m masksolve"])
def test_in_a_pipe_there_is_neither_bar_nor_colour(model, out, program):
    command = [*program, "solve", model, out, "--pattern", "2:4"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    assert "optimal" in done.stdout.decode()
    assert b"\x1b" not in done.stdout


def test_on_a_terminal_there_is_a_bar(model, out, monkeypatch):
    """Else the test above would see nothing."""
    monkeypatch.setenv("TERM", "xterm")
    assert b"\x1b" in shown_on_a_terminal("solve", model, out, "--pattern", "2:4", "--json")


@pytest.mark.parametrize("options", ["--json", ""])
def test_a_reader_that_goes_away_is_no_failure(model, out, options):
    reader, writer = os.pipe()
    os.close(reader)
    command = [*MODULE, "solve", model, out, "--pattern=2:4", *options.split()]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert done.stderr == b""
    assert len(ms.load_masks(out)) == 4
    assert done.returncode == 0
