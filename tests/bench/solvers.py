"""Contestants that misbehave, as a user's file might."""

import os
import time

import numpy as np

from masksolve.bench import contestant


def diagonal(scores, n):
    m = scores.shape[-1]
    mask = (np.arange(m)[:, None] + np.arange(m)) % m < n
    return np.broadcast_to(mask, scores.shape)


@contestant(name="prints", reference="a test")
def prints(scores, n):
    print("noise")
    return diagonal(scores, n)


@contestant(name="hangs", reference="a test")
def hangs(scores, n):
    time.sleep(3600)


@contestant(name="leaves a child", reference="a test")
def leaves_a_child(scores, n):
    os.system("sleep 3599")


@contestant(name="dies", reference="a test")
def dies(scores, n):
    os._exit(3)


@contestant(name="raises", reference="a test")
def raises(scores, n):
    raise RuntimeError("no mask today\nnor tomorrow")


@contestant(name="wrong shape", reference="a test")
def wrong_shape(scores, n):
    return diagonal(scores, n)[1:]


@contestant(name="keeps all", reference="a test")
def keeps_all(scores, n):
    return np.ones(scores.shape, dtype=bool)


@contestant(name="changes scores", reference="a test")
def changes_scores(scores, n):
    scores[:] = 0
    return diagonal(scores, n)


@contestant(name="absent", reference="a test", needs=("no_such_module",))
def absent(scores, n):
    raise AssertionError


@contestant(name="hungry", reference="a test")
def hungry(scores, n):
    np.ones(50_000_000 // 8)
    return diagonal(scores, n)
