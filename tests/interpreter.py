"""Triton's interpreter, spared what it does over and over."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _patched_once():
    """Let it patch Triton's language once a launch.

    It does so again at every call of a function within a kernel, where nothing is left to
    patch: that is more than half of its time.
    """
    from triton import language
    from triton.language.core import is_builtin
    from triton.runtime import interpreter

    patch_all = getattr(interpreter, "_patch_lang", None)

    def patch(function):
        for value in function.__globals__.values():
            if (value is language or value is language.core) and is_builtin(value.load):
                return patch_all(function)
        return None  # a launch under way has done it, and will undo it

    with pytest.MonkeyPatch.context() as context:
        if patch_all:
            context.setattr(interpreter, "_patch_lang", patch)
        yield
