"""``masksolve apply``: masks go onto the weights that they belong to, and onto no others."""

import json
import shutil

import numpy as np
import pytest

import masksolve as ms
from masksolve.checkpoints.manifest import verify_checkpoint
from tests.checkpoints.models import INDEX, write_checkpoint
from tests.cli.commands import MATRICES
from tests.storage import files
from tests.storage.files import contents, read_file, read_metadata, unchanged, write_file


@pytest.fixture
def masks(run, model, tmp_path):
    path = tmp_path / "masks"
    run("solve", model, path, "--pattern", "2:4", *MATRICES)
    return path


@pytest.fixture
def sharded(tmp_path, tensors):
    items = list(tensors.items())
    parts = {f"model-{k + 1}.safetensors": dict(items[k::3]) for k in range(3)}
    return write_checkpoint(tmp_path / "sharded", parts)


def masks_in(path):
    return {name: stored.mask for name, stored in ms.load_masks(path).items()}


def assert_masked(found, tensors, masks):
    """The zeros of masks, read by another reader, and nothing else changed."""
    assert found.keys() == tensors.keys()
    for name, before in tensors.items():
        if name in masks:
            bits = before.view(f"u{before.itemsize}")
            before = np.where(masks[name], bits, 0).astype(bits.dtype).view(before.dtype)
        assert files.same_bits(found[name], before), name


def test_zeros_where_masks_have_them(run, model, masks, out, tensors):
    ran = run("apply", model, masks, out)
    assert ran.out == f"{out}: 4 of 11 tensors masked\n"
    kept = masks_in(masks)
    assert_masked(read_file(out), tensors, kept)
    run("check", out)
    assert read_metadata(out).items() >= {"format": "pt", "note": "ü"}.items()
    again = run("apply", model, masks, out, "--json").json
    assert [row["name"] for row in again["tensors"]] == list(kept)
    assert (again["tensors"][0]["pattern"], again["copied"]) == ("2:4", 7)


@pytest.mark.parametrize("options", ["", "--tensors conv.weight steps --axes 0,1"])
def test_the_same_file_as_that_of_solve_apply(run, model, masks, out, tmp_path, options):
    run("solve", model, masks, "--pattern", "2:4", *options.split())
    run("solve", model, tmp_path / "both", "--pattern", "2:4", "--apply", *options.split())
    run("apply", model, masks, out)
    assert out.read_bytes() == (tmp_path / "both").read_bytes()


def test_pieces_of_a_tensor_make_no_difference(run, model, masks, out, monkeypatch):
    run("apply", model, masks, out)
    whole = out.read_bytes()
    monkeypatch.setattr("masksolve.storage.tensors.COPY_BYTES", 24)
    run("apply", model, masks, out)
    assert out.read_bytes() == whole


def test_earlier_masks_stay_on_record(run, model, tmp_path):
    for k, (name, source) in enumerate((("head.weight", model), ("steps", tmp_path / "out0"))):
        run("solve", source, tmp_path / f"m{k}", "--pattern", "2:4", "--tensors", name)
        run("apply", source, tmp_path / f"m{k}", tmp_path / f"out{k}")
    assert run("check", tmp_path / "out1", "--json").json == {"valid": True, "tensors": 2}


# Other weights


@pytest.fixture
def others(tmp_path, tensors):
    turned = {"encoder.1.weight": tensors["encoder.1.weight"][::-1]}
    return write_file(tmp_path / "others", tensors | turned)


@pytest.mark.parametrize("older", [None, b"older"])
def test_masks_of_other_weights_need_force(run, refused, others, masks, out, tmp_path, older):
    if older:
        out.write_bytes(older)
    with unchanged(tmp_path):
        err = refused("apply", others, masks, out)
    assert err.startswith(f"masksolve: {others}: tensor 'encoder.1.weight' is not what its mask")
    assert f"{masks} belongs to" in err
    run("apply", others, masks, out, "--force")
    assert_masked(read_file(out), read_file(others), masks_in(masks))


def damaged(path, change):
    """Rewrite a file of masks with something else in its metadata."""
    content = json.loads(read_metadata(path)["masksolve"])
    change(content["tensors"]["head.weight"], content)
    return write_file(path, read_file(path), {"masksolve": json.dumps(content)})


def flip(path, offset=-1):
    data = bytearray(path.read_bytes())
    data[offset] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "forced", "words"),
    [
        (lambda r, c: r.update(weights=None), True, "does not say which weights"),
        (lambda r, c: r["weights"].update(dtype="BF16"), True, "F16 belongs to BF16 weights"),
        (lambda r, c: r["weights"].update(hash="xxh3_128:" + 32 * "0"), True, "is not what"),
        (lambda r, c: r["weights"].update(hash="0"), False, "record damaged"),
        (lambda r, c: r.update(bits="xxh3_128:" + 32 * "0"), False, "damaged hash on record"),
        (lambda r, c: r.update(pattern="1:4"), False, "not what its record says keeps 2"),
        (lambda r, c: r.update(shape=[4, 16]), False, "shape (8, 8) (4, 16)"),
        (lambda r, c: r.update(shape=[8, 9]), False, "shape (8, 8) (8, 9)"),
        (lambda r, c: r.pop("status"), False, "record damaged"),
        (lambda r, c: c["tensors"].update(more=r), False, "'more'"),
    ],
)
def test_false_records(run, refused, model, masks, out, tmp_path, change, forced, words):
    damaged(masks, change)
    with unchanged(tmp_path):
        err = refused("apply", model, masks, out, words=f"{words} {masks}")
    assert "'head.weight'" in err or "'more'" in err
    run("apply", model, masks, out, "--force", code=0 if forced else 2)
    assert out.exists() == forced


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_flipped_bit_of_a_mask_is_found(refused, model, masks, out, tmp_path, force):
    flip(masks)
    with unchanged(tmp_path):
        assert "mask 'tiny.weight' is damaged" in refused("apply", model, masks, out, *force)


def test_a_flipped_bit_of_a_weight_is_found(refused, model, masks, out):
    data = model.read_bytes()
    flip(model, data.index(read_file(model)["head.weight"].tobytes()) + 5)
    assert f"{model}: tensor 'head.weight'" in refused("apply", model, masks, out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("missing masks out", "missing: No such file"),
        ("model missing out", "missing: No such file"),
        ("model truncated out", "truncated not a whole safetensors"),
        ("truncated masks out", "truncated not a whole safetensors"),
        ("model text out", "text not a whole safetensors"),
        ("model model out", "model holds no masksolve masks"),
        ("model none out", "none holds no masks"),
        ("lacking masks out", "lacking holds no tensor 'encoder.0.weight'"),
        ("model masks model", "output model is the input"),
        ("model masks masks", "output masks is the input"),
        ("model masks sub", "sub is a folder"),
        ("model masks nowhere/out", "folder that does not exist"),
        ("model masks", "OUT"),
        ("sub masks out", "sub holds no safetensors file"),
    ],
)
def test_bad_input(refused, model, masks, tmp_path, monkeypatch, command, words):
    monkeypatch.chdir(tmp_path)
    for name in ("model", "masks"):
        (tmp_path / "truncated").write_bytes((tmp_path / name).read_bytes()[:-1])
    (tmp_path / "text").write_text("The quick brown fox\n")
    (tmp_path / "sub").mkdir()
    ms.save_masks("none", {})
    write_file(tmp_path / "lacking", {"head.weight": np.eye(8)})
    with unchanged(tmp_path):
        refused("apply", *command.split(), words=words)
    assert list((tmp_path / "sub").iterdir()) == []


# Folders


@pytest.fixture
def sharded_masks(run, sharded, tmp_path):
    run("solve", sharded, tmp_path / "mask-shards", "--pattern", "2:4", *MATRICES)
    return tmp_path / "mask-shards"


@pytest.mark.parametrize("single", [False, True])
def test_folders(run, refused, sharded, sharded_masks, masks, out, tensors, single):
    given = masks if single else sharded_masks
    kept = masks_in(given)
    assert len(kept) == 4
    ran = run("apply", sharded, given, out)
    assert ran.out == (
        f"{out}: 4 of 11 tensors masked\n"
        "copied with all their weights, masks are not for them: pytorch_model.bin\n"
    )
    found = {}
    for path in out.glob("*.safetensors"):
        found |= read_file(path)
    assert_masked(found, tensors, kept)
    for name in ("config.json", "settings.json", INDEX):
        assert (out / name).read_bytes() == (sharded / name).read_bytes()
    names = {path.name for path in sharded.iterdir()}
    assert {path.name for path in out.iterdir()} == names | {"masksolve.json"}
    verify_checkpoint(out)
    with unchanged(out):
        assert run("apply", sharded, given, out).out.startswith(ran.out)
        refused("apply", sharded, given, out, "--force", words="out holds a run force")


def test_shards_are_those_of_solve_apply(run, sharded, sharded_masks, out, tmp_path):
    run("solve", sharded, tmp_path / "both", "--pattern", "2:4", *MATRICES, "--apply")
    run("apply", sharded, sharded_masks, out)
    for path in sharded.glob("*.safetensors"):
        assert (out / path.name).read_bytes() == (tmp_path / "both" / path.name).read_bytes()


def test_masks_of_a_folder_on_a_single_file(run, model, masks, sharded_masks, out, tmp_path):
    run("apply", model, sharded_masks, out)
    run("apply", model, masks, tmp_path / "other")
    assert read_file(out).keys() == read_file(tmp_path / "other").keys()
    for name, array in read_file(out).items():
        assert files.same_bits(array, read_file(tmp_path / "other")[name])


@pytest.mark.parametrize("there", [False, True])
def test_other_shards_leave_nothing(run, refused, sharded, sharded_masks, out, there):
    if there:
        out.mkdir()
    name = "encoder.1.weight"
    path = next(p for p in sharded.glob("*.safetensors") if name in read_file(p))
    flip(path, path.read_bytes().index(read_file(path)[name].tobytes()))
    err = refused("apply", sharded, sharded_masks, out)
    assert f"{path}: tensor {name!r} is not what its mask" in err
    assert (list(out.iterdir()) if there else out.exists()) == ([] if there else False)
    run("apply", sharded, sharded_masks, out, "--force")


def test_a_folder_with_other_things_stays_as_it_is(refused, sharded, sharded_masks, masks, out):
    out.mkdir()
    (out / "mine").write_text("precious")
    for weights, given, target, words in (
        (sharded, sharded_masks, out, "holds other files"),
        (sharded, sharded_masks, sharded, "is the input"),
        (sharded, masks, sharded_masks, 'holds a run with kind "masks", not "applied"'),
    ):
        with unchanged(target):
            assert words in refused("apply", weights, given, target)


def test_what_check_and_certify_say_of_folders(run, sharded, sharded_masks, out, model, masks):
    assert run("check", sharded_masks).out == f"{sharded_masks}: all 4 tensors are valid\n"
    assert "'encoder.0.weight': row" in run("check", sharded_masks, "--pattern=1:4", code=1).out
    run("apply", sharded, sharded_masks, out)
    assert run("check", out, "--json").json == {"valid": True, "tensors": 4}
    whole = run("certify", model, masks, "--json").json
    rows = {row["name"]: row for row in whole["tensors"]}
    for weights, given in ((sharded, sharded_masks), (sharded, masks), (model, sharded_masks)):
        found = run("certify", weights, given, "--json").json
        assert {row["name"]: row for row in found["tensors"]} == rows
    run("certify", sharded, sharded_masks, "--tensors", "head.weight", "--axes", "0,1")
    (sharded_masks / "model-2.safetensors").unlink()
    assert "model-2.safetensors is missing" in run("check", sharded_masks, code=2).err


@pytest.mark.parametrize("damage", ["missing", "index", "truncated"])
@pytest.mark.parametrize("which", ["sharded", "mask-shards"])
def test_damaged_folders(refused, sharded, sharded_masks, out, tmp_path, damage, which):
    folder = tmp_path / which
    index = folder / INDEX
    content = json.loads(index.read_text())
    shard = folder / content["weight_map"]["head.weight"]
    if damage == "missing":
        shard.unlink()
    elif damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:-3])
    else:
        others = set(content["weight_map"].values()) - {shard.name}
        content["weight_map"]["head.weight"] = others.pop()
        index.write_text(json.dumps(content))
        shard = "'head.weight'"
    refused("apply", sharded, sharded_masks, out, words=str(shard))
    assert not out.exists()


def test_interrupted_work_is_done_again(run, sharded, sharded_masks, out, tmp_path, monkeypatch):
    run("apply", sharded, sharded_masks, out)
    whole = contents(out)
    shutil.rmtree(out)

    def stop(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("masksolve.checkpoints.target.Target.publish", stop)
        patch.setattr("masksolve.checkpoints.target.Target.discard", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            ms.apply_masks(sharded, sharded_masks, out)
    assert [path.name for path in out.iterdir()] == [".masksolve-work"]
    run("apply", sharded, sharded_masks, out)
    assert contents(out) == whole
    assert not (out / ".masksolve-work").exists()


def test_interrupted_work_is_gone_on_with(sharded, sharded_masks, out, tmp_path, monkeypatch):
    """Nothing that is written is read again from the masks."""
    ms.apply_masks(sharded, sharded_masks, tmp_path / "whole")
    monkeypatch.setattr("masksolve.checkpoints.apply.MOST", 64)
    for after in (3, 9):
        seen = []

        def stop(done, total, seen=seen, after=after):
            seen.append(done)
            if len(seen) == after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ms.apply_masks(sharded, sharded_masks, out, progress=stop)
    seen = []
    ms.apply_masks(sharded, sharded_masks, out, progress=lambda done, total: seen.append(done))
    assert seen[0] > 300
    for path in (tmp_path / "whole").glob("*.safetensors"):
        assert (out / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("--tensors head.weight encoder.*", "head.weight encoder.0.weight encoder.1.weight"),
        ("--exclude *.1.*", "encoder.0.weight head.weight tiny.weight"),
        ("--tensors tiny.weight", "tiny.weight"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_choice_of_masks(run, model, masks, sharded, out, tensors, options, names, kind):
    ran = run("apply", model if kind == "file" else sharded, masks, out, *options.split())
    chosen = names.split()
    assert ran.out.startswith(f"{out}: {len(chosen)} of 11 tensors masked\n")
    found = {}
    for path in out.glob("*.safetensors") if kind == "folder" else [out]:
        found |= read_file(path)
    assert_masked(found, tensors, {n: m for n, m in masks_in(masks).items() if n in chosen})


def test_masks_that_are_not_there(refused, model, masks, out):
    refused("apply", model, masks, out, "--tensors", "zzz", words="masks holds no tensor 'zzz'")
    refused("apply", model, masks, out, "--exclude", "*", words="masks holds no masks to apply")


def test_an_input_that_is_gone_when_all_is_done(run, model, masks, out, monkeypatch):
    """Nobody looks for it any more."""
    apply_masks = ms.apply_masks

    def apply(*arguments, **options):
        found = apply_masks(*arguments, **options)
        model.unlink()
        return found

    monkeypatch.setattr("masksolve.cli.apply.apply_masks", apply)
    assert run("apply", model, masks, out).out == f"{out}: 4 of 11 tensors masked\n"
