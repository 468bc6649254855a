"""What the paper says, entry by entry in plain Python: the oracle."""

from math import exp, fabs


def step(q):
    return 1.0 if q > 0 else 0.0


def estimator(q):
    """Its derivative, formula (3) of the paper."""
    if -0.4 <= q <= 0.4:
        return 2 - 4 * fabs(q)
    if fabs(q) <= 1:
        return 0.4
    return 0.0


def primitive(q):
    """What the estimator is the derivative of, odd in q."""
    x = fabs(q)
    if x <= 0.4:
        found = 2 * x - 2 * x * x
    elif x <= 1:
        found = 0.48 + 0.4 * (x - 0.4)
    else:
        found = 0.72
    return found if q >= 0 else -found


def masked(weight, thresholds):
    """W . M of rows with a threshold each; a row of thresholds is one an entry."""
    return [
        [w * step(fabs(w) - _at(t, j)) for j, w in enumerate(row)]
        for row, t in zip(weight, thresholds, strict=True)
    ]


def gradients(weight, thresholds, upstream):
    """Return performance and structure gradients of W, and the gradient of each entry's t.

    `upstream` is the gradient by the masked weight.
    """
    performance, structure, threshold = [], [], []
    for row, t, above in zip(weight, thresholds, upstream, strict=True):
        distances = [fabs(w) - _at(t, j) for j, w in enumerate(row)]
        performance.append([g * step(q) for g, q in zip(above, distances, strict=True)])
        by_mask = [g * w * estimator(q) for g, w, q in zip(above, row, distances, strict=True)]
        structure.append([s * _sign(w) for s, w in zip(by_mask, row, strict=True)])
        threshold.append([-s for s in by_mask])
    return performance, structure, threshold


def sparsity(thresholds):
    return sum(exp(-t) for t in thresholds)


def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh):
    """Take a step of an LSTM cell of one sequence: gates i, f, g, o."""
    size = len(h)

    def product(matrix, vector):
        return [sum(m * v for m, v in zip(row, vector, strict=True)) for row in matrix]

    sums = [
        a + b + p + q
        for a, b, p, q in zip(product(w_ih, x), product(w_hh, h), b_ih, b_hh, strict=True)
    ]
    i, f, g, o = (sums[k * size : (k + 1) * size] for k in range(4))
    c = [_sigmoid(f[k]) * c[k] + _sigmoid(i[k]) * _tanh(g[k]) for k in range(size)]
    return [_sigmoid(o[k]) * _tanh(c[k]) for k in range(size)], c


def _at(t, j):
    return t[j] if isinstance(t, list) else t


def _sign(w):
    return (w > 0) - (w < 0)


def _sigmoid(x):
    return 1 / (1 + exp(-x))


def _tanh(x):
    return 2 * _sigmoid(2 * x) - 1
