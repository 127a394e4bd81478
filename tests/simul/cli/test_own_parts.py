"""Policies, models, translators and engines of a user's own, as docs/own-parts.md shows them, and their faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import wave
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from policies import plugins
from policies.registry import describe, describe_policy, make_policy
from simul.cli.context import load_installed
from simul.errors import ExitCode
from simul.evaluation.sweep.grid import parse_grid
from tests.simul.scripted_cli import LINES, command, talk

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with the files of the page; what is imported from it is forgotten afterwards."""
    page = (ROOT / "docs" / "own-parts.md").read_text(encoding="utf-8")
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        name = block.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_a_policy_runs_from_the_command_line(here):
    path = talk(here / "a.wav")
    code, out, _ = command("policies", "my_policy:Half")
    assert (
        code,
        "share  share of the tokens to commit (a number of at least 0 and at most 1; default 0.5)" in out,
    ) == (
        0,
        True,
    )
    assert command("translate", path, "--policy", "my_policy:Half")[:2] == (0, LINES)
    assert command("translate", path, "--policy", "all-of(my_policy:Half(share=1), hold-n(n=1))")[:2] == (
        0,
        LINES,
    )
    slow, fast = (
        command(
            "translate", path, "--format", "json", "--policy", "my_policy:Half", "--policy-arg", f"share={n}"
        )[1]
        for n in (0, 1)
    )
    assert slow.count('"settled"') < fast.count('"settled"')
    code, _, err = command("translate", path, "--policy", "my_policy:Half", "--policy-arg", "share=2")
    assert (code, "share of half is '2'" in err) == (ExitCode.USAGE, True)


def test_a_policy_stands_in_a_grid_and_in_an_evaluation(here):
    settings = parse_grid(
        "my_policy:Half:share=0.3,0.7;my_policy:Half;all-of(my_policy:Half, hold-n):chunk=250,500"
    )
    assert [str(setting) for setting in settings] == [
        "my_policy:Half share=0.3",
        "my_policy:Half share=0.7",
        "my_policy:Half",
        "all-of(my_policy:Half, hold-n) chunk=250",
        "all-of(my_policy:Half, hold-n) chunk=500",
    ]
    assert [str(s) for s in parse_grid("local-agreement:n=2")] == ["local-agreement n=2"]
    talk(here / "a.wav")
    (here / "list.tsv").write_text("audio\treference\na.wav\tMorgen\n")
    assert command("eval", "list.tsv", "--policy", "my_policy:Half", "--log", "d")[0] == 0
    assert json.loads((here / "d" / "settings.json").read_text())["policy"] == "my_policy:Half"


def test_processes_of_their_own_find_the_policy_too(here):
    for name in ("a.wav", "b.wav"):
        talk(here / name)
    (here / "list.tsv").write_text("audio\na.wav\nb.wav\n")
    done = subprocess.run(
        [sys.executable, "-m", "tests.simul.scripted_cli", "eval", "list.tsv", "--jobs", "2", "--policy",
         "my_policy:Half", "--json"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["figures"]["recordings"] == 2


def test_a_model_runs_from_the_command_line(here):
    path = talk(here / "a.wav", 3.4)
    code, out, err = command("translate", path, "--model", "my_model:Seconds", loader=load_installed)
    assert (code, out) == (0, "1 2 3\n"), err
    assert "Your own model my_model:Seconds." in err
    events = command(
        "translate", path, "--model", "my_model:Seconds", "--policy", "my_policy:Half", "--format", "json",
        loader=load_installed,
    )[1]  # fmt: skip
    assert events.splitlines()[-1].count('"end"') == 1


def test_a_translator_runs_from_the_command_line(here):
    code, out, err = command("text", "--target", "pt", "--mt", "my_model:Shouting", stdin=b"A quiet word.\n")
    assert (code, out) == (0, "A QUIET WORD.\n"), err


def test_a_speech_engine_runs_from_the_command_line(here):
    path = talk(here / "a.wav")
    code, out, err = command("translate", path, "--speak", "x.wav", "--voice", "my_voice:Beeps")
    assert (code, out) == (0, LINES), err
    with wave.open("x.wav") as file:
        assert (file.getframerate(), file.getnframes() > 16_000) == (16_000, True)


@pytest.mark.parametrize(
    ("option", "name", "told"),
    [
        ("--policy", "nowhere:Half", "there is no module 'nowhere' in"),
        ("--policy", "my_policy:Hafl", "my_policy.py has no 'Hafl'"),
        ("--policy", "broken:Half", "importing broken failed (ZeroDivisionError: division by zero)"),
        ("--policy", "needy:Half", "its module needs not_there, which is missing"),
        ("--policy", "my_policy:parameter", "is no policy; a policy is a class derived from policies.Policy"),
        ("--policy", "odd:Lazy", "The policy odd:Lazy lacks judge"),
        ("--policy", "policies:Half", "__init__.py has no 'Half'"),
        ("--model", "my_model:Heard", "gives a Heard; a model is a class derived from simul.Backend"),
        ("--model", "odd:failing", "odd:failing cannot be made: RuntimeError: no luck"),
        ("--mt", "odd:Lazy", "is no translator; it lacks translate, sources, targets"),
        ("--voice", "odd:Lazy", "is no speech engine; it lacks language"),
    ],
)
def test_faults_of_own_parts_are_sentences(here, option, name, told):
    (here / "broken.py").write_text("1 / 0\n")
    (here / "needy.py").write_text("import not_there\n")
    (here / "odd.py").write_text(
        "from policies import Policy\n"
        "class Lazy(Policy):\n    name = 'lazy'\n    def __new__(cls):\n        return object.__new__(Plain)\n"
        "class Plain:\n    name = 'plain'\n"
        "def failing():\n    raise RuntimeError('no luck')\n"
    )
    more = ["--asr", "embedded"] if option == "--mt" else ["--speak", "x.wav"] if option == "--voice" else []
    code, out, err = command("translate", talk(here / "a.wav"), option, name, *more, loader=load_installed)
    assert (code, out) == (ExitCode.USAGE, ""), err
    assert told in err
    assert err.count("\n") == 1


def test_a_package_announces_parts_under_names_of_their_own(here, monkeypatch):
    points = {
        "simul.policies": {
            "half": EntryPoint("half", "my_policy:Half", "simul.policies"),
            "worn": EntryPoint("worn", "nowhere:Worn", "simul.policies"),
            "wait-k": EntryPoint("wait-k", "nowhere:WaitK", "simul.policies"),
        },
        "simul.backends": {"seconds": EntryPoint("seconds", "my_model:Seconds", "simul.backends")},
    }
    monkeypatch.setattr(plugins, "announced", lambda group: points.get(group, {}))
    monkeypatch.setattr("policies.registry.announced", lambda group: points.get(group, {}))
    assert make_policy("half", {"share": "0.25"}).share == 0.25
    assert make_policy("wait-k").name == "wait-k"
    listed = {info.name: info.summary for info in describe()}
    assert listed["half"] == "Commits a share of the candidate's tokens."
    assert "there is no module 'nowhere'" in listed["worn"]
    assert describe_policy("half").parameters[0].name == "share"
    path = talk(here / "a.wav", 2.0)
    code, out, err = command("translate", path, "--model", "seconds", loader=load_installed)
    assert (code, out) == (0, "1 2\n"), err


def test_annotations_that_are_not_postponed_serve_as_well(here):
    (here / "plain.py").write_text(
        "from dataclasses import dataclass\nfrom policies import Decision, Policy\n"
        "from policies.parameters import parameter\n"
        "@dataclass(frozen=True)\nclass Plain(Policy):\n"
        "    n: int = parameter(3, 'tokens', low=1)\n"
        "    def judge(self, state, evidence):\n        return state, Decision(0)\n"
    )
    policy = make_policy("plain:Plain", {"n": "4"})
    assert (policy.n, policy.name) == (4, "plain:Plain")


# A file of the user's that is called as a package of the toolkit.


def python(folder, *arguments):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )


def test_a_file_that_hides_a_package_is_named(tmp_path):
    (tmp_path / "policies.py").write_text("x = 1\n")
    done = python(tmp_path, "-m", "simul", "policies")
    assert done.returncode == 1
    told = f"{tmp_path / 'policies.py'} hides the package policies that simul needs; rename it, or start in another"
    assert done.stderr == f"simul: {told} folder.\n"
    (tmp_path / "script.py").write_text("from simul.session.session import Session\n")
    done = python(tmp_path, "script.py")
    assert done.stderr.splitlines()[-1] == f"ImportError: {told} folder."


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("tts", ["translate", "{}", "--speak", "x.wav"]),
        ("latency_metrics", ["score", "stats", "x.log"]),
        ("segmenter", ["score", "longform", "--word_level", "--hypothesis_file", "x.log", "--speech_segmentation",
                       "seg.json", "--ref_sentences_file", "ref.txt"]),
    ],
)  # fmt: skip
def test_a_file_that_hides_another_package_harms_only_what_needs_it(tmp_path, name, arguments):
    (tmp_path / f"{name}.py").write_text("x = 1\n")
    path = talk(tmp_path / "a.wav", 1)
    cases = Path(__file__).parent / "cases"
    for file, other in (("x.log", "base.log"), ("seg.json", "seg.json"), ("ref.txt", "ref.txt")):
        (tmp_path / file).write_bytes((cases / other).read_bytes())
    done = python(tmp_path, "-m", "simul", *(text.format(path) for text in arguments))
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert f"{name}.py hides the package {name}" in done.stderr
    assert python(tmp_path, "-m", "simul", "policies", "wait-k", "-q").returncode == 0
