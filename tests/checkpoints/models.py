"""Small checkpoints, and an oracle of what becomes of them."""

import json

import ml_dtypes
import numpy as np

import masksolve as ms
from masksolve.checkpoints.plan import Method, plan_solved
from masksolve.checkpoints.selection import choose_tensors
from masksolve.checkpoints.source import Checkpoint
from tests.storage.files import read_file, same_bits, write_file

INDEX = "model.safetensors.index.json"


def make_shards(seed=0):
    """Make tensors of several shapes and dtypes, ragged ones too, in three files."""
    rng = np.random.default_rng(seed)

    def layer(*shape, dtype=ml_dtypes.bfloat16):
        return rng.normal(size=shape).astype(dtype)

    return {
        "model-1.safetensors": {
            "norm": layer(24),
            "a.weight": layer(96, 64),
            "odd.weight": layer(37, 21),  # ragged, and no multiple of 8 bits
        },
        "model-2.safetensors": {
            "b.weight": layer(64, 40, dtype=np.float32),
            "experts": layer(3, 17, 11, dtype=np.float16),
        },
        "model-3.safetensors": {"head.weight": layer(40, 48), "scale": layer(1)},
    }


def write_checkpoint(folder, shards, metadata=None):
    """Write shards and their index, and files beside them."""
    folder.mkdir()
    for k, (name, tensors) in enumerate(shards.items()):
        write_file(folder / name, tensors, {"format": "pt", "shard": str(k)})
    names = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    index = {"metadata": metadata or {"total_size": 123, "note": "ü"}, "weight_map": names}
    (folder / INDEX).write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "small"}')
    (folder / "settings.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"other weights")
    (folder / ".hidden").write_bytes(b"")
    return folder


def slices_of(source, pattern, most, threads):
    """All slices that the solver is given, of so many bytes at most."""
    checkpoint = Checkpoint.open(source)
    method = Method(ms.Pattern.parse(pattern), "exact", {}, False, (), threads)
    chosen = choose_tensors(checkpoint, floats_of(source, (2,))).axes
    shards = plan_solved(checkpoint, chosen, method, apply=False, alone=False, most=most)
    return [piece for shard in shards for tensor in shard.tensors for piece in tensor.slices]


def floats_of(source, ndims):
    """Names of tensors of so many dimensions."""
    found = Checkpoint.open(source).tensors.values()
    return [spec.name for spec in found if spec.floating and len(spec.shape) in ndims]


def solve_all(source, target, pattern, **options):
    """Solve every matrix, the ragged ones that are passed over by default as well."""
    fit = (2,) if options.get("axes") is None else range(2, 9)
    asked = {"tensors": floats_of(source, fit)} | options
    return ms.solve_checkpoint(source, target, pattern, **asked)


def solved(weights, pattern="2:4", **options):
    """What `solve` finds for every matrix, with axes in more dimensions too."""
    fit = (2,) if options.get("axes") is None else range(2, 9)
    chosen = {name: array for name, array in weights.items() if array.ndim in fit}
    return {name: ms.solve(array, pattern, **options) for name, array in chosen.items()}


def assert_masks(target, shards, pattern="2:4", **options):
    """Every mask is that of `solve` on the whole tensor, and belongs to its weights."""
    for name, tensors in shards.items():
        expected = solved(tensors, pattern, **options)
        if not expected:
            assert not (target / name).exists()
            continue
        stored = ms.load_masks(target / name)
        assert list(stored) == list(expected)
        for tensor, result in expected.items():
            mask = stored[tensor]
            assert np.array_equal(mask.mask, result.mask)
            assert abs(mask.objective - result.objective) <= 1e-12 * abs(result.objective)
            assert (mask.status, mask.method) == (result.status, result.method)
            mask.check(tensors[tensor])


def assert_applied(target, shards, pattern="2:4", **options):
    """Kept weights and other tensors keep every bit; pruned weights are +0.0."""
    for name, tensors in shards.items():
        found = read_file(target / name)
        results = solved(tensors, pattern, **options)
        assert found.keys() == tensors.keys()
        for tensor, array in tensors.items():
            if tensor in results:
                array = np.where(results[tensor].mask, array, np.zeros((), array.dtype))
            assert same_bits(found[tensor], array), tensor


def files_of(folder):
    """Take a snapshot: every path below a folder, and its bytes; of no folder None."""
    if not folder.exists():
        return None
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }
