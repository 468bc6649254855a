"""Sensitivities and errors by the definition, one number at a time; imports nothing of ours."""

from itertools import product

import numpy as np


def terms(weight, x, stride=1, padding=0, dilation=1, groups=1):
    """Yield, for every output, its terms: a row for each input channel, a column a weight.

    Parameters
    ----------
    weight : array (outputs, inputs of a group, height, width)
    x : array (batch, inputs, height, width)
    """
    outputs, per_group, height, width = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    rows = (x.shape[2] - dilation * (height - 1) - 1) // stride + 1
    columns = (x.shape[3] - dilation * (width - 1) - 1) // stride + 1
    for n, i, r, c in product(range(len(x)), range(outputs), range(rows), range(columns)):
        group = i // (outputs // groups)
        found = np.zeros((x.shape[1], height * width))
        for j in range(per_group):
            channel = group * per_group + j
            for a, b in product(range(height), range(width)):
                value = x[n, channel, r * stride + a * dilation, c * stride + b * dilation]
                found[channel, a * width + b] = weight[i, j, a, b] * value
        yield found


def parts(weight, x, **geometry):
    """Yield the terms of every part of every output: positive or negative weight, and input."""
    for w in (np.maximum(weight, 0), np.maximum(-weight, 0)):
        for a in (np.maximum(x, 0), np.maximum(-x, 0)):
            yield from terms(w, a, **geometry)


def sensitivities(weight, x, atoms, **geometry):
    """Return each atom's largest share, and how many parts there are."""
    found, seen = np.zeros(max(atoms) + 1), 0
    for part in parts(weight, x, **geometry):
        by_channel, whole = part.sum(axis=1), part.sum()
        if whole > 0:
            seen += 1
            for atom in range(len(found)):
                share = by_channel[np.array(atoms) == atom].sum() / whole
                found[atom] = max(found[atom], share)
    return found, seen


def largest_error(weight, x, factors, **geometry):
    """Return the largest relative error of a part when channels are multiplied by factors."""
    errors = [0.0]
    for part in parts(weight, x, **geometry):
        by_channel, whole = part.sum(axis=1), part.sum()
        if whole > 0:
            errors.append(abs(by_channel @ factors - whole) / whole)
    return max(errors)
