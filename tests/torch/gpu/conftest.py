from tests.interpreter import _patched_once  # noqa: F401
