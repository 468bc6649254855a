"""``masksolve methods``, ``--help`` and ``--version``."""

import pytest

import masksolve as ms


def test_json_is_the_registry(run):
    assert run("methods", "--json").json == [m.summary() for m in ms.METHODS.values()]


def test_text_says_what_each_method_promises(run):
    text = " ".join(run("methods").out.split())
    for method in ms.METHODS.values():
        assert f"{method.name}: {'exact' if method.exact else 'heuristic'}" in text
        assert method.guarantee in text
        assert method.reference in text
        for name, option in method.options.items():
            assert f"--option {name}={option.default:g}: {option.meaning}" in text


@pytest.mark.parametrize("command", ["", "solve", "check", "certify", "methods", "plan"])
def test_help(run, command):
    assert run(*command.split(), "--help").out.startswith(f"usage: masksolve {command}".strip())


def test_version(run):
    assert run("--version").out == f"masksolve {ms.__version__}\n"
