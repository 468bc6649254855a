"""``--json``: the page that names every field, held to what the commands print."""

import json
import os
import re
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from masksolve.cli.main import main
from tests.checkpoints.models import INDEX
from tests.storage.files import write_file

DOCS = Path(__file__).parents[2] / "docs"
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
NAMED = {"compare": "METHOD", "options": "OPTION", "source": "FILE"}
"""Objects whose fields have any names, and what the page calls these."""

ABSENT = object()


@cache
def tables():
    """Fields of the page by heading: type and meaning by path, what is shared put in."""
    found = {}
    for part in re.split(r"^##+ ", (DOCS / "json.md").read_text(), flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")][2:]
        cells = [[cell.strip().strip("`") for cell in line.split("|")[1:4]] for line in lines]
        fields = {}
        for path, kind, meaning in cells:
            for inner, (type_, words) in found.get(kind, {"": (kind, "")}).items():
                fields[".".join(filter(None, (path, inner)))] = type_, f"{meaning} {words}"
        found[heading] = fields
    return found


def leaves(content, path=""):
    """Give the path of every value that is no object and no list, as the page writes it."""
    if isinstance(content, dict):
        any_name = NAMED.get(path.rpartition(".")[2])
        for name, value in content.items():
            yield from leaves(value, ".".join(filter(None, (path, any_name or name))))
    elif isinstance(content, list):
        for value in content:
            yield from leaves(value, f"{path}[]")
    else:
        yield path, TYPES[type(content)]


def values(content, steps):
    """Give all that a path leads to, `ABSENT` where an object lacks a field of it."""
    if not steps or content is None:
        yield content
    elif steps[0] == "[]":
        for value in content:
            yield from values(value, steps[1:])
    elif steps[0] in NAMED.values():
        for value in content.values():
            yield from values(value, steps[1:])
    elif steps[0] in content:
        yield from values(content[steps[0]], steps[1:])
    else:
        yield ABSENT


def steps_of(path):
    return re.findall(r"\[\]|[^.\[\]]+", path)


def wrong_fields(fields, content):
    """Paths that are not on the page, of another type, or absent where they may not be."""
    for path, kind in leaves(content):
        known = fields.get(path) or (kind == "null" and fields.get(f"{path}[]")) or ("", "")
        taken = known[0].split(" or ")
        if not (kind in taken or (kind == "integer" and "number" in taken)):
            yield f"{path} is {kind}"
    for path, (_, meaning) in fields.items():
        if ABSENT in values(content, steps_of(path)) and "only with" not in meaning:
            yield f"{path} is absent"


def strict(text):
    """Read JSON, in which there is no NaN."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


SOLVED = {
    "solve file": "solve file masks --pattern=2:4",
    "solve file --apply": "solve file out1 --pattern=2:4 --apply --compare greedy two_approx",
    "solve file, no bounds": "solve file rough --pattern=2:4 --method=greedy",
    "solve file --repair": "solve file out2 --pattern=2:4 --method=greedy --repair",
    "solve folder": "solve shards shards-masks --pattern=4:8 --compare greedy",
    "solve folder --apply": "solve shards out3 --pattern=2:4 --apply --method=greedy",
    "solve folder again": "solve shards shards-masks --pattern=4:8 --compare greedy",
}
OTHERS = {
    "apply file": "apply file masks out4",
    "apply folder": "apply shards shards-masks out5",
    "check": "check masks",
    "check, a violation": "check full --pattern=2:4 --tensors one",
    "check, a violation in a batch": "check full --pattern=2:4 --tensors batch --axes 0,1",
    "check --nearly": "check near --pattern=2:4 --nearly=1e-6",
    "certify": "certify shards shards-masks",
    "certify, not optimal": "certify file rough",
    "certify, no records": "certify file dense --pattern=2:4",
    "plan": "plan file",
    "plan --sample": "plan file --patterns 2:4 30:64 2:4,plain --sample=2",
    "methods": "methods",
    "bench compare": "bench compare before.json after.json --all",
}
LANGUAGE = {
    "prune": "prune lm lm-pruned --pattern=4:8 --calibration=text --samples=4 --length=16 "
    "--tensors model.layers.* --exclude no.such --evaluate=text",
    "evaluate": "evaluate lm text --length=16",
    "evaluate --beside": "evaluate lm text --length=16 --beside lm",
}
"""What needs torch and transformers."""
if find_spec("torch") and find_spec("transformers"):
    OTHERS |= LANGUAGE
HEADINGS = [
    name for name in tables() if name.islower() and (name in OTHERS or name not in LANGUAGE)
]


REFUSED = (
    "check, a violation",
    "check, a violation in a batch",
    "certify, not optimal",
    "certify, no records",
)
"""The answer is "no": exit code 1."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each of the commands prints; one after the other, as some need what others wrote."""
    folder = tmp_path_factory.mktemp("json")
    write_inputs(folder)
    before = Path.cwd()
    os.chdir(folder)
    found = {}
    try:
        for title, command in (SOLVED | OTHERS).items():
            with redirect_stdout(StringIO()) as out:
                code = main([*command.split(), "--json"])
            assert code == (title in REFUSED), title
            found[title] = strict(out.getvalue())
    finally:
        os.chdir(before)
    return found


def write_inputs(folder):
    """Write a file and a folder of the same tensors, dense masks, and two results of the suite."""
    rng = np.random.default_rng(0)
    tensors = {
        "a": rng.normal(size=(64, 48)).astype(np.float32),
        "ragged": rng.normal(size=(9, 10)).astype(np.float16),
        "empty": np.zeros((0, 8), np.float32),
        "bias": np.ones(3, np.float32),
    }
    write_file(folder / "file", tensors)
    shards = folder / "shards"
    shards.mkdir()
    names = {}
    for k, part in enumerate((("a",), ("ragged", "empty", "bias"))):
        names |= dict.fromkeys(part, f"model-{k}.safetensors")
        write_file(shards / f"model-{k}.safetensors", {name: tensors[name] for name in part})
    (shards / INDEX).write_text(json.dumps({"weight_map": names}))
    (shards / "config.json").write_text("{}")
    (shards / "other.bin").touch()
    os.mkfifo(shards / "pipe")
    full = {"one": np.ones((8, 8), np.bool_), "batch": np.ones((8, 8, 3), np.bool_)}
    write_file(folder / "full", full)
    write_file(folder / "near", {"one": np.kron(np.eye(2), np.ones((2, 2))) + 1e-9})
    block = np.kron(np.eye(2), np.ones((2, 2), np.bool_))
    write_file(folder / "dense", {"a": np.tile(block, (16, 12)), "bias": np.ones(3)})
    for name in ("before.json", "after.json"):
        (folder / name).write_bytes((DOCS / "results" / "results.json").read_bytes())
    if LANGUAGE.keys() <= OTHERS.keys():
        from tests.torch.language.folders import llama, tokenizer, write_folder

        write_folder(folder / "lm", llama(), tokenizer())
        (folder / "text").write_text("a cat sat on a mat and that was that.\n" * 9)


def command_of(title):
    return next(name for name in tables() if (title + " ").startswith((f"{name} ", f"{name},")))


@pytest.mark.parametrize("title", SOLVED | OTHERS)
def test_every_field_is_on_the_page(printed, title):
    assert list(wrong_fields(tables()[command_of(title)], printed[title])) == []


@pytest.mark.parametrize("command", HEADINGS)
def test_every_field_of_the_page_is_printed(printed, command):
    assert tables()[command]
    contents = [content for title, content in printed.items() if command_of(title) == command]
    for path in tables()[command]:
        steps = steps_of(path)
        assert any(set(map(repr, values(c, steps))) - {repr(ABSENT)} for c in contents), path


def test_every_command_with_json_has_a_table(printed):
    commands = {title: command_of(title) for title in printed}
    assert set(HEADINGS) == set(commands.values())


def test_planted_faults_are_caught(printed):
    fields, content = tables()["check"], printed["check"]
    assert list(wrong_fields(fields, content)) == []
    assert list(wrong_fields(fields, content | {"new": 1})) == ["new is integer"]
    assert list(wrong_fields(fields, content | {"valid": None})) == ["valid is null"]
    assert list(wrong_fields(fields, {"valid": True})) == ["tensors is absent"]


FIGURES = ["objective", "upper_bound", "gap", "status"]
ROW = ["name", "shape[]", "pattern", "axes[]", "method", *FIGURES]
COMPARED = [f"compare.METHOD.{name}" for name in ("objective", "short_tiles", "seconds")]
KEPT = ["layout", "weights.dtype", "weights.hash", "bits"]
COUNTED = ["total", "tiles", "short_tiles", "seconds"]
BEFORE = {
    "file": [
        *(f"tensors[].{name}" for name in [*ROW, *COUNTED, *COMPARED]),
        *(f"total.{name}" for name in ["objective", "gap", "status", *COUNTED, *COMPARED]),
    ],
    "folder": [
        *(f"tensors[].{name}" for name in [*ROW, *KEPT]),
        *(f"total.{name}" for name in [*FIGURES, "bytes", "seconds"]),
    ],
}
"""What `solve` printed of each before both became one, besides pattern, method and output."""


@pytest.mark.parametrize("kind", BEFORE)
@pytest.mark.parametrize("title", SOLVED)
def test_what_solve_printed_of_files_and_of_folders_is_there_of_both(printed, title, kind):
    for path in ["pattern", "method", "output", *BEFORE[kind]]:
        found = list(values(printed[title], steps_of(path)))
        assert ABSENT not in found, path
        assert found or "METHOD" in path, path


def test_files_and_folders_have_the_same_fields(printed):
    """One form of `solve`: the same paths whatever it is given."""
    file, folder = (
        {path for path, _ in leaves(printed[title])}
        for title in ("solve file --apply", "solve folder")
    )
    assert file == folder
