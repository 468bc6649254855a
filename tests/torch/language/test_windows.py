from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masksolve.torch.language import LanguageModel, Tokens, cut, few_tokens, read_calibration
from masksolve.torch.language.windows import as_length
from tests.refusals import says
from tests.storage.files import write_file
from tests.torch.language.folders import llama, tokenizer, write_folder


def tokens(size, **around):
    return Tokens(Path("a.txt"), np.arange(100, 100 + size), **around)


@given(st.integers(2, 400), st.integers(2, 20), st.integers(1, 30), st.integers(0, 5))
def test_windows_are_spread_and_do_not_overlap(size, length, wanted, seed):
    if size < length:
        with says(f"a.txt holds {size} tokens: too few for a single window of {length}"):
            cut(tokens(size), length, wanted, seed)
        return
    found = cut(tokens(size), length, wanted, seed)
    room = size // length
    assert found.shape == (min(wanted, room), length)
    starts = found[:, 0].numpy() - 100
    assert (found.numpy() - 100 == starts[:, None] + np.arange(length)).all()
    assert starts.min() >= 0
    assert starts.max() + length <= size
    assert (np.diff(starts) >= length).all()
    for k, start in enumerate(starts):  # one in each of as many equal stretches
        stretch = size / len(starts)
        assert k * stretch - 2 * length < start < (k + 1) * stretch + 2 * length


def test_seeds_draw_other_windows_and_one_seed_the_same():
    first, again, other = (cut(tokens(1000), 10, 20, seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_all_windows_cover_the_text():
    found = cut(tokens(103), 10)
    assert found.shape == (10, 10)
    assert (np.diff(found.flatten()) == 1).all()


def test_what_a_tokenizer_puts_around_a_text_is_put_around_windows():
    found = cut(tokens(8, before=(7, 8), after=(9,)), 7, 2)
    assert found.tolist() == [[7, 8, 100, 101, 102, 103, 9], [7, 8, 104, 105, 106, 107, 9]]
    with says("a.txt holds 8 tokens: too few for a single window of 3"):
        cut(tokens(8, before=(7, 8), after=(9,)), 3)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    rows = np.random.default_rng(0).integers(0, 32, 2000)
    return write_file(tmp_path_factory.mktemp("text") / "a.safetensors", {"rows": rows})


@pytest.mark.parametrize(
    ("samples", "share", "held"), [(16, 0.25, 4), (16, 0.01, 1), (16, 0, 0), (16, 0.99, 15)]
)
def test_a_share_is_held_out(folder, text, samples, share, held):
    whole = read_calibration(text, folder, samples=samples, length=20, held_out=0).fit
    found = read_calibration(text, folder, samples=samples, length=20, held_out=share)
    assert found.held_out.shape == (held, 20)
    assert found.fit.shape == (samples - held, 20)
    assert found.tokens == (samples - held) * 20
    assert found.found == 2000
    assert found.warnings == ()
    both = [tuple(row) for row in [*found.fit.tolist(), *found.held_out.tolist()]]
    assert sorted(both) == sorted(map(tuple, whole.tolist()))  # the same windows, parted


def test_what_is_held_out_is_spread_too(folder, text):
    whole = read_calibration(text, folder, samples=100, length=20, held_out=0).fit.tolist()
    held = read_calibration(text, folder, samples=100, length=20, held_out=0.1).held_out
    places = [whole.index(row) for row in held.tolist()]
    assert (np.diff(places) == 10).all()


def test_a_text_that_is_too_short_says_so(folder, text):
    found = read_calibration(text, folder, samples=128, length=50)
    assert len(found.fit) + len(found.held_out) == 40
    assert found.warnings == (
        f"{text} holds 2,000 tokens: 40 windows of 50, where 128 were asked for",
    )
    found = read_calibration(text, folder, samples=1, length=50)
    assert found.warnings == (f"{text} fills a single window of 50: nothing is held out",)
    assert found.held_out.shape == (0, 50)


def test_windows_are_as_long_as_the_model_reads(tmp_path, folder, text):
    assert read_calibration(text, folder, samples=3).fit.shape[1] == 64
    with says(f"length is 65, but {folder} reads at most 64 tokens at once"):
        read_calibration(text, folder, length=65)
    model = LanguageModel(write_folder(tmp_path / "m", llama(max_position_embeddings=4096)))
    assert as_length(None, model) == 2048
    assert as_length(4096, model) == 4096
    words = tokenizer()
    words.model_max_length = 62
    model = LanguageModel(write_folder(tmp_path / "short", llama(), words))
    assert as_length(None, model) == 62
    assert as_length(64, model) == 64


def test_numbers_that_make_no_sense_are_refused(folder, text):
    with says("samples must be a whole number from 1 up, got 0"):
        read_calibration(text, folder, samples=0)
    with says("length must be a whole number from 2 up, got 1"):
        read_calibration(text, folder, length=1)
    with says("held_out must be a share from 0 to below 1, got 1"):
        read_calibration(text, folder, length=9, held_out=1)
    with says("seed must be a whole number from 0 up, got -1"):
        read_calibration(text, folder, length=9, seed=-1)


def test_a_text_with_the_sign_that_it_begins(tmp_path):
    folder = write_folder(tmp_path / "m", llama(), tokenizer(begins=True))
    (tmp_path / "a.txt").write_text("abcdefgh")
    found = read_calibration(tmp_path / "a.txt", folder, length=5, samples=2, held_out=0)
    assert found.fit.tolist() == [[0, 2, 3, 4, 5], [0, 6, 7, 8, 9]]


def test_ten_tokens_an_input_are_enough():
    assert few_tokens(5760, 576) is None
    assert "5,759 tokens calibrate layers of up to 576 inputs" in few_tokens(5759, 576)
