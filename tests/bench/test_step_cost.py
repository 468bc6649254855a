import json

import pytest

import masksolve as ms

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from masksolve.bench import step_cost  # noqa: E402

WIDTH, BLOCKS, ROUNDS = 32, 1, 3


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Keep to one core: two would mostly wait for each other, and for other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def found():
    return step_cost.measure(ROUNDS, 1, WIDTH, BLOCKS)


def test_every_loop_is_set_against_the_dense_one(found):
    assert [row["loop"] for row in found["loops"]] == [
        "dense",
        "4:8 exact, renewed never",
        "4:8 exact, renewed every 40",
        "4:8 exact, renewed at every step",
        "2:4 exact, renewed at every step",
        "8:16 exact, renewed at every step",
    ]
    dense, *others = found["loops"]
    assert dense["ratio"] == dense["low"] == dense["high"] == dense["mean_ratio"] == 1
    assert [row["renewals"] for row in others] == [0, 0, *3 * [ROUNDS]]
    for row in others[2:]:
        assert row["share"] == pytest.approx(row["renewal"] / dense["step"])
    assert found["network"]["masked"] == 12 * WIDTH**2 * BLOCKS
    json.dumps(found)


def test_parts_add_up(found):
    parts = found["parts"]
    assert parts["solve"] + parts["rest"] == pytest.approx(parts["renewal"])
    assert 0 < parts["flip_rate"] < 1


def test_rivals_renew_the_same_masks(found):
    two_approx, flow = found["rivals"]
    assert flow["kept"] == pytest.approx(1, abs=1e-6)
    assert 0.8 < two_approx["kept"] < 1
    for row in (two_approx, flow):
        assert row["share_every_step"] == pytest.approx(40 * row["share_seldom"])


def test_a_loop_renews_when_it_should():
    loop = step_cost.Loop("4:8", 2, WIDTH, BLOCKS)
    data = step_cost.Characters(0, step_cost.LENGTH, 1, held=1)
    for _ in range(4):
        loop.step(data.next())
    assert (len(loop.steps), len(loop.renewals)) == (4, 2)
    for mask in loop.handle.masks.values():
        ms.check_mask(mask.numpy(), "4:8")
    loop.forget()
    assert (loop.steps, loop.renewals) == ([], [])


def test_loops_take_turns_from_another_each_time():
    assert ["".join(step_cost._rotated("abc", k)) for k in range(4)] == [
        "abc", "bca", "cab", "abc",
    ]  # fmt: skip


def test_the_command_prints_and_writes(found, monkeypatch, tmp_path, capsys):
    missing = {"name": "somebody", "missing": ["something"]}
    given = {**found, "rivals": [*found["rivals"], missing]}
    asked = []
    monkeypatch.setattr(step_cost, "measure", lambda *args: asked.append(args) or given)
    path = tmp_path / "new" / "step.json"
    step_cost.main(["--rounds", "5", "--rival-renewals", "2", "--out", str(path)])
    assert asked == [(5, 2)]
    assert json.loads(path.read_text()) == given
    printed = capsys.readouterr().out
    assert "8:16 exact, renewed at every step" in printed
    assert "needs something" in printed


def test_no_round_at_all_is_refused(capsys):
    with pytest.raises(SystemExit):
        step_cost.main(["--rounds", "0"])
    assert "at least one round" in capsys.readouterr().err
