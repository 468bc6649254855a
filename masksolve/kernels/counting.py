"""Numbers of 0/1 matrices by rows, modulo a prime.

A state says how many columns still lack 0, 1, 2, ... ones: columns that lack the same are
alike. With N(R, s) the number of ways to fill R rows so that nothing is lacking after them,

    N(R, s) = sum over b of prod over l of binom(s_l, b_l) * N(R - 1, s'),

where a row puts ones into b_l of the columns that lack l, and s' is what they lack then.
`move_levels` goes through the factors level by level: a few steps for each state and level,
where the choices of b together are thousands.

States are compositions of the columns over levels and numbered in order: state a has the
number sum over l of below[j_l, k_l, a_l], with j_l levels above l and k_l columns in l and
above. below[0] is 0: the highest level takes what is left.
"""

from __future__ import annotations

import numpy as np

from masksolve.kernels.jit import kernel

__all__ = ["after_row", "before_row", "list_states", "move_levels", "number"]


@kernel
def number(state, columns, below):
    """Return the number of a state."""
    levels = len(state)
    left = columns
    found = 0
    for level in range(levels - 1):
        found += below[levels - 1 - level, left, state[level]]
        left -= state[level]
    return found


@kernel
def list_states(columns, states):
    """Write all states, (count, levels), in the order of their numbers."""
    count, levels = states.shape
    last = levels - 1
    states[0] = 0
    states[0, last] = columns
    for s in range(1, count):
        states[s] = states[s - 1]
        # One column more below the highest level that holds any; the rest back to the top.
        level = last
        while states[s, level] == 0:
            level -= 1
        spare = states[s, level] - 1
        states[s, level] = 0
        states[s, level - 1] += 1
        states[s, last] = spare


@kernel
def move_levels(states, live, columns, below, binomials, prime, values, scratch):
    """Apply one row: ``values[s, u]`` of what comes after becomes that of what is before.

    u counts the ones that the row may still put; with a single u it may put any number.
    States that are not live end as 0.
    """
    count, levels = states.shape
    quotas = values.shape[1]
    for level in range(1, levels):
        level = levels - level
        above = levels - 1 - level
        for s in range(count):
            for u in range(quotas):
                scratch[s, u] = 0
            if not live[s]:
                continue
            left = columns
            for k in range(level - 1):
                left -= states[s, k]
            here, under = states[s, level], states[s, level - 1]
            rest = s - below[above + 1, left, under] - below[above, left - under, here]
            for b in range(here + 1):
                other = (
                    rest
                    + below[above + 1, left, under + b]
                    + below[above, left - under - b, here - b]
                )
                ways = binomials[here, b]
                if quotas == 1:
                    scratch[s, 0] = (scratch[s, 0] + ways * values[other, 0]) % prime
                else:
                    for u in range(b, quotas):
                        scratch[s, u] = (scratch[s, u] + ways * values[other, u - b]) % prime
        values[:] = scratch


@kernel
def after_row(states, columns, below, later, at_most, found):
    """Look up what comes after a row, for states with one level more than `later` has.

    A column cannot lack more than there are rows: if it may lack at most so much that is
    no loss, and otherwise there is no way.
    """
    count, levels = states.shape
    state = np.empty(levels - 1, dtype=np.int64)
    for s in range(count):
        top = states[s, levels - 1]
        state[:] = states[s, : levels - 1]
        state[levels - 2] += top
        value = later[number(state, columns, below)]
        if top > 0 and not at_most:
            value = 0
        found[s] = value


@kernel
def before_row(states, empty, columns, below, wide, found):
    """Take the values of states over more levels whose lowest, so many, are empty."""
    count, levels = states.shape
    state = np.zeros(empty + levels, dtype=np.int64)
    for s in range(count):
        state[empty:] = states[s]
        found[s] = wide[number(state, columns, below)]
