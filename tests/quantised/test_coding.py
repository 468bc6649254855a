"""Parts of a tensor are decoded as the whole is, wherever they are solved."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from masksolve.checkpoints.plan import Method, plan_solved
from masksolve.checkpoints.source import Checkpoint
from masksolve.checkpoints.work import read_slice, solve_slice
from masksolve.pattern import Pattern
from masksolve.quantised import BYTES_AT_WORK, recognise
from masksolve.quantised.packing import Packing
from tests.quantised.made import FORMATS


@pytest.mark.parametrize("make", FORMATS, ids=lambda make: make.__name__)
def test_slices_are_the_weights_and_small(write, make):
    made = make(np.random.default_rng(11))
    checkpoint = Checkpoint.open(write(made))
    codings = recognise(checkpoint.path, checkpoint.shards.values()).codings
    coding, most = codings[made.name], 1 << 14
    axes = coding.axes or (len(coding.shape) - 2, len(coding.shape) - 1)
    how = Method(Pattern.parse("2:4"), "exact", {}, False, (), None)
    chosen = {made.name: axes}
    known = {"apply": False, "alone": True, "most": most, "codings": codings}
    (shard,) = plan_solved(checkpoint, chosen, how, **known)
    (tensor,) = shard.tensors
    assert len(tensor.slices) > 1
    seen = np.full(coding.shape, np.nan)
    for piece in tensor.slices:
        assert np.prod(piece.shape) <= max(most // BYTES_AT_WORK, 8 * coding.shape[-1])
        place = zip(piece.start, piece.shape, strict=True)
        window = tuple(slice(first, first + side) for first, side in place)
        seen[window] = coding.decode(read_slice(piece), piece.start, piece.shape)
    expected = made.weights(made.tensors)
    real = seen.T if made.inputs_first else seen
    assert np.allclose(real, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())
    assert np.array_equal(seen, coding.read(checkpoint.file(made.name), made.name))
    piece = pickle.loads(pickle.dumps(tensor.slices[-1]))
    far, near = solve_slice(piece), solve_slice(tensor.slices[-1])
    assert replace(far, seconds=0, packed=0) == replace(near, seconds=0, packed=0)
    assert np.array_equal(far.packed, near.packed)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize(
    ("bits", "word", "order"), [(2, 1, ()), (4, 4, (0, 2, 4, 6, 1, 3, 5, 7)), (8, 4, ())]
)
def test_packing_there_and_back(axis, bits, word, order):
    packing, rng = Packing(bits, word, axis, order), np.random.default_rng(0)
    codes = rng.integers(0, 1 << bits, (3, 13, 11)).astype(np.uint8)
    words = packing.pack(packing.padded(codes))
    assert words.size == np.prod(packing.words(codes.shape)) * word
    found = packing.unpack(words, codes.shape)
    assert np.array_equal(found[:, :13, :11], codes)
    assert np.array_equal(packing.pack(found), words)
