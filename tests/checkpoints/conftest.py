import pytest

from tests.checkpoints.models import make_shards, write_checkpoint


@pytest.fixture
def shards():
    return make_shards()


@pytest.fixture
def source(tmp_path, shards):
    return write_checkpoint(tmp_path / "model", shards)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out"
