import importlib.util

import pytest

if importlib.util.find_spec("transformers") is None:
    collect_ignore_glob = ["*"]
else:
    from tests.torch.language.folders import llama, tokenizer, write_folder

    @pytest.fixture(scope="session")
    def folder(tmp_path_factory):
        """A small model and its tokenizer."""
        return write_folder(tmp_path_factory.mktemp("models") / "llama", llama(), tokenizer())

    @pytest.fixture(scope="session")
    def other(tmp_path_factory):
        """Another of the same vocabulary."""
        return write_folder(tmp_path_factory.mktemp("models") / "other", llama(1), tokenizer())
