"""What a plan may ask of a torch module, without torch."""

import types

import numpy as np


class FakeParameter:
    """What a plan may ask of a parameter, and no more."""

    def __init__(self, array, floating=True):
        self.array, self.floating = array, floating
        self.shape, self.ndim = array.shape, array.ndim

    def is_floating_point(self):
        return self.floating

    def element_size(self):
        return self.array.dtype.itemsize

    def detach(self):
        return self

    def cpu(self):
        return self

    def float(self):
        return FakeParameter(self.array.astype(np.float32))

    def numpy(self):
        assert self.array.dtype in (np.float32, np.float64)
        return self.array


def fake_module(**parameters):
    return types.SimpleNamespace(
        named_parameters=lambda: parameters.items(), named_modules=lambda: [("", None)]
    )
