import json

import pytest
from rich.console import Console

import masksolve as ms

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from masksolve.bench.learning.text import Characters  # noqa: E402
from masksolve.bench.step_cost import __main__ as command  # noqa: E402
from masksolve.bench.step_cost import loops, tables  # noqa: E402

WIDTH, BLOCKS, ROUNDS = 32, 1, 3


@pytest.fixture(scope="module")
def found():
    return loops.measure(ROUNDS, 1, Console(quiet=True), WIDTH, BLOCKS)


def test_every_loop_is_set_against_the_dense_one(found):
    renewed = ["4:8 exact, renewed never", "4:8 exact, renewed every 40"]
    renewed += [f"{pattern} exact, renewed at every step" for pattern in ("4:8", "2:4", "8:16")]
    assert [row["loop"] for row in found["loops"]] == ["dense", *renewed]
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
    loop = loops.Loop("4:8", 2, WIDTH, BLOCKS)
    data = Characters(0, loops.LENGTH, 1, held=1)
    for _ in range(4):
        loop.step(data.next())
    assert (len(loop.steps), len(loop.renewals)) == (4, 2)
    for mask in loop.handle.masks.values():
        ms.check_mask(mask.numpy(), "4:8")
    loop.forget()
    assert (loop.steps, loop.renewals) == ([], [])


def test_loops_take_turns_from_another_each_time():
    assert ["".join(loops._rotated("abc", k)) for k in range(4)] == ["abc", "bca", "cab", "abc"]


def test_the_command_prints_and_writes(found, monkeypatch, tmp_path, capsys):
    missing = {"name": "somebody", "missing": ["something"]}
    given = {**found, "rivals": [*found["rivals"], missing]}
    asked = []
    monkeypatch.setattr(command, "measure", lambda *args: asked.append(args[:2]) or given)
    path = tmp_path / "new" / "step.json"
    command.main(["--rounds", "5", "--rival-renewals", "2", "--out", str(path)])
    assert asked == [(5, 2)]
    assert json.loads(path.read_text()) == given
    printed = capsys.readouterr().out
    assert "| 8:16 exact, renewed at every step |" in printed
    assert "needs something" in printed
    command.main(["--read", str(path)])
    assert capsys.readouterr().out == printed.replace(f"wrote {path}\n", "")
    assert asked == [(5, 2)]


def test_tables_hold_the_figures():
    row = {"loop": "4:8", "pattern": "4:8", "step": 0.55, "renewal": 0.05, "share": 0.1}
    row |= {"ratio": 1.1, "low": 1.05, "high": 1.2, "mean_ratio": 1.15}
    dense = dict(row, loop="dense", step=0.5, ratio=1.0, renewal=None, share=None)
    rival = {"name": "r", "renewal": 2.0, "kept": 0.9, "share_every_step": 4.0, "share_seldom": 0.1}
    given = {
        "network": {"width": 8, "blocks": 2, "batch": 4, "length": 16, "masked": 1_540_000},
        "threads": 2,
        "rounds": 3,
        "seldom": 40,
        "loops": [dense, row],
        "parts": {"renewal": 0.05, "solve": 0.03, "rest": 0.02, "flip_rate": 0.0123},
        "rivals": [rival],
    }
    table = tables.loops(given)
    size = "width 8, 2 blocks, batch 4 x 16, 1.5 million masked weights"
    assert table.title == f"{size}, 2 threads; 3 rounds"
    assert table.rows[0] == ("dense", "500.0", "1.000", "1.050 to 1.200", "1.150", "", "")
    assert table.rows[1][4:] == ("1.150", "50.0", "10.00")
    assert tables.rivals(given).rows == [("r", "2.00", "90.000", "400", "10.0")]
    assert tables.where_it_goes(given) == (
        "Where it goes, in 4:8: the masked product 50.0 ms a step; a renewal 50.0 ms, of it "
        "30.0 solving and 20.0 comparing, summing and writing. In a renewal 1.23 % of the "
        "entries flip."
    )


@pytest.mark.parametrize(
    ("content", "says"), [(None, "cannot read"), ("[", "cannot read"), ("{}", "is not what")]
)
def test_what_is_no_result_is_refused(tmp_path, content, says):
    path = tmp_path / "step.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit, match=f"error: .*{says}"):
        command.main(["--read", str(path)])


def test_no_round_at_all_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["--rounds", "0"])
    assert "at least one round" in capsys.readouterr().err
