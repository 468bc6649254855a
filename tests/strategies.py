"""What tests draw: patterns, and scores with ties, zeros, subnormals and huge ranges."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masksolve import Pattern

GRID = st.integers(0, 3).map(float)
ENTRIES = {
    "small integers": GRID,
    "mostly zeros": st.sampled_from([0.0, 0.0, 0.0, 1.0, 2.5]),
    "unit interval": st.floats(0, 1),
    "12 orders of magnitude": st.floats(-6, 6).map(lambda e: 10.0**e),
    "subnormals": st.integers(0, 2**40).map(lambda k: k * 5e-324),
    "near overflow": st.floats(0, 1).map(lambda x: x * 2.0**959),
}
SHAPES = {"free": slice(None), "equal rows": np.s_[:1, :], "all equal": np.s_[:1, :1]}


@st.composite
def patterns(draw, max_m=8, at_most=None, min_m=1):
    """Draw a transposable pattern; at_most None draws both kinds."""
    m = draw(st.integers(min_m, max_m))
    return Pattern(
        draw(st.integers(1, m)), m, at_most=draw(st.booleans()) if at_most is None else at_most
    )


@st.composite
def scores(draw, shape, signed=False, entries=None):
    """Draw a matrix of scores of one family, possibly with equal rows or all equal."""
    family = draw(st.sampled_from(list(ENTRIES.values()))) if entries is None else entries
    equal = SHAPES[draw(st.sampled_from(list(SHAPES)))]
    found = draw(arrays(np.float64, shape, elements=family))
    found = np.broadcast_to(found[equal], shape).copy()
    if signed:
        found *= draw(arrays(np.float64, shape, elements=st.sampled_from([-1.0, 1.0])))
    return found


@st.composite
def matrices(draw, largest=7):
    """Draw signed scores of any shape, mostly no multiple of a tile."""
    shape = draw(st.tuples(st.integers(1, largest), st.integers(1, largest)))
    return draw(scores(shape, signed=True))


@st.composite
def problems(draw, max_m=8, signed=True, at_most=None, entries=None, min_m=1):
    """Draw one tile of scores and a pattern for it."""
    pattern = draw(patterns(max_m, at_most, min_m))
    return draw(scores((pattern.m, pattern.m), signed, entries)), pattern


@st.composite
def short_masks(draw, n, shape):
    """Draw a mask whose lines hold at most n, by a greedy in random order, cut short."""
    cells = draw(st.permutations(list(np.ndindex(shape))))
    mask = np.zeros(shape, dtype=bool)
    for i, j in cells[: draw(st.integers(0, len(cells)))]:
        mask[i, j] = mask[i].sum() < n and mask[:, j].sum() < n
    return mask


def random_mask(rng, n, m):
    """Make a random valid mask: a circulant one with its rows and columns shuffled."""
    offsets = (np.arange(m)[:, None] + np.arange(m)) % m
    return (offsets < n)[rng.permutation(m)][:, rng.permutation(m)]


def random_tiles(rng, count, m, signs=(1,)):
    """Make (count, m, m) scores that take turns among families, each by a sign of those given."""
    shape = (count, m, m)
    families = [
        np.abs(rng.normal(size=shape)),
        rng.integers(0, 4, shape).astype(float),  # ties and zeros
        10.0 ** rng.uniform(-6, 6, shape),
        rng.random(shape) * rng.integers(0, 2, shape),  # half of them zero
        10.0 ** (rng.uniform(-3, 3, (count, m, 1)) + rng.uniform(-3, 3, (count, 1, m))),
        np.broadcast_to(rng.random((count, 1, m)), shape),  # equal rows
        rng.integers(1, 2**8, shape) * 2.0 ** rng.integers(-20, 20, shape),  # bfloat16
    ]
    which = np.arange(count) % len(families)
    found = np.stack(families)[which, np.arange(count)]
    return found * rng.choice(signs, shape) if len(signs) > 1 else found
