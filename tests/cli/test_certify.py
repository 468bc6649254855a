"""``masksolve certify``: proven gaps of masks from anywhere."""

import numpy as np
import pytest

import masksolve as ms
from masksolve.bench.encoder import encoder_file
from tests.cli.commands import MATRICES
from tests.storage.files import write_file


def masks_of(run, model, out, method="exact", pattern="2:4"):
    run("solve", model, out, "--pattern", pattern, *MATRICES, "--method", method)
    return out


@pytest.mark.parametrize("pattern", ["2:4", "1:4,plain", "3:8,at-most"])
def test_exact_masks_are_optimal(run, model, out, matrices, pattern):
    masks_of(run, model, out, pattern=pattern)
    found = run("certify", model, out, "--json").json
    assert found["optimal"] is True
    assert [row["name"] for row in found["tensors"]] == list(matrices)
    for row, weights in zip(found["tensors"], matrices.values(), strict=True):
        assert (row["status"], row["pattern"]) == ("optimal", pattern)
        assert row["objective"] == ms.solve(weights, pattern).objective
        assert row["upper_bound"] == pytest.approx(row["objective"], rel=1e-12)
    assert "not optimal" not in run("certify", model, out).out


def test_greedy_masks_are_not_and_their_gap_is_right(run, model, out, matrices):
    masks_of(run, model, out, method="greedy")
    found = run("certify", model, out, "--json", code=1).json
    assert found["optimal"] is False
    for row, weights in zip(found["tensors"], matrices.values(), strict=True):
        greedy = ms.solve(weights, "2:4", method="greedy").mask
        verdict = ms.certify(weights, greedy, "2:4")
        best = ms.solve(weights, "2:4").objective
        assert (row["gap"], row["status"]) == (verdict.gap, verdict.status.value)
        assert row["gap"] == pytest.approx(best - row["objective"], abs=1e-9)
        assert row["upper_bound"] == pytest.approx(best)
    for key in ("objective", "gap"):
        assert found["total"][key] == pytest.approx(sum(row[key] for row in found["tensors"]))
    table = run("certify", model, out, code=1).out
    assert "not optimal" in table
    assert "underfilled" in table


def test_short_lines_can_beat_the_bound(run, tmp_path):
    """Then the gap is below zero, and shown as it is: 6 kept, 5 where lines are filled."""
    mask = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]])
    scores = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [1, 0, 1, 1], [0, 0, 0, 0]])
    weights = write_file(tmp_path / "weights", {"w": scores.astype(float)})
    masks = write_file(tmp_path / "masks", {"w": mask})
    command = ("certify", weights, masks, "--pattern", "2:4")
    row = run(*command, "--json", code=1).json["tensors"][0]
    assert (row["objective"], row["upper_bound"], row["gap"]) == (6, 5, -1)
    assert row["status"] == "underfilled"
    assert "│ -1 │" in " ".join(run(*command, code=1).out.split())


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float32, np.int64])
def test_dense_masks_of_any_dtype(run, model, tmp_path, matrices, dtype):
    """Only the tensors of the mask file count, whatever else the model holds."""
    for name, code in (("exact", 0), ("greedy", 1)):
        masks = {key: ms.solve(w, "2:4", method=name).mask for key, w in matrices.items()}
        dense = {key: masks[key].astype(dtype) for key in list(masks)[:2]}
        path = write_file(tmp_path / name, dense)
        found = run("certify", model, path, "--pattern=2:4", "--json", code=code).json
        assert [row["name"] for row in found["tensors"]] == list(dense)
        judged = [ms.certify(matrices[key], dense[key], "2:4").objective for key in dense]
        assert [row["objective"] for row in found["tensors"]] == judged


@pytest.mark.parametrize("options", ["--axes 0,1", "--tensors conv.weight --axes=0,1"])
def test_axes_of_packed_masks_are_on_record(run, model, out, options):
    run("solve", model, out, "--pattern", "1:2", "--tensors=conv.weight", "--axes", "0,1")
    run("certify", model, out)
    run("certify", model, out, *options.split())


def test_masks_of_other_weights_are_not_optimal(run, model, out, tmp_path, tensors):
    masks_of(run, model, out)
    tensors["head.weight"] = tensors["head.weight"][::-1]
    other = write_file(tmp_path / "other", tensors)
    found = run("certify", other, out, "--json", code=1).json
    bad = [row["name"] for row in found["tensors"] if row["status"] != "optimal"]
    assert bad == ["head.weight"]
    run("certify", other, out, "--exclude", "head.weight")
    run("certify", other, out, "--tensors", "head.weight", code=1)


def test_another_pattern_than_the_one_on_record(run, model, out):
    """At most two of four can score more than exactly two: short lines may pay."""
    masks_of(run, model, out)
    assert "feasible" in run("certify", model, out, "--pattern", "2:4,at-most", code=1).out
    assert "underfilled" in run("certify", model, out, "--pattern", "3:4", code=1).out


def test_threads_change_nothing(run, model, out):
    masks_of(run, model, out, method="two_approx")
    found = [run("certify", model, out, "--json", "--threads", k, code=1).out for k in (1, 2, 2)]
    assert found[0] == found[1] == found[2]


def test_the_real_encoder(run, out):
    """All 36 linear layers: solved, checked and certified through files."""
    model, layers = encoder_file(), ("--tensors", "encoder.layer.*.weight")
    report = run("solve", model, out, "--pattern", "4:8", *layers, "--json").json
    assert len(report["tensors"]) == 36
    assert report["total"]["status"] == "optimal"
    assert report["total"]["short_tiles"] == 0
    assert report["total"]["tiles"] == 12 * 384 * 384 // 64 * 6
    assert run("check", out).out == f"{out}: all 36 tensors are valid\n"
    found = run("certify", model, out, "--json").json
    assert found["optimal"] is True
    assert found["total"]["objective"] == pytest.approx(report["total"]["objective"])
    assert 0 <= found["total"]["gap"] <= 1e-12 * found["total"]["objective"]
