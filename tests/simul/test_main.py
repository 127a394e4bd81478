"""Ctrl-C while the executable is still being imported."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STRIKE = """
import os, signal, sys

class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Strike())
"""
SCRIPT = "import sys\nfrom simul.__main__ import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environ = dict(os.environ, PYTHONPATH=f"{folder}{os.pathsep}{ROOT}", PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(
        [sys.executable, *command], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "name", ["policies", "simul.__main__", "simul.cli", "simul.cli.main", "simul.cli.context"]
)
def test_no_traceback_whatever_is_imported_when_it_comes(tmp_path, name):
    script = tmp_path / "simul"
    script.write_text(STRIKE.format(name=name) + SCRIPT)
    done = run([str(script), "--help"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("name", ["policies", "simul.cli.main"])
def test_nor_with_python_m(tmp_path, name):
    (tmp_path / "sitecustomize.py").write_text(STRIKE.format(name=name))
    done = run(["-m", "simul", "--help"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


TELL = "import signal\nimport simul\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"


@pytest.mark.parametrize("name", ["mine.py", "simulate", "simul.py"])
def test_a_program_that_imports_the_package_keeps_its_handler(tmp_path, name):
    script = tmp_path / "there" / name
    script.parent.mkdir()
    script.write_text(TELL if name != "simul.py" else TELL.replace("import simul\n", "import policies\n"))
    assert run([str(script)], tmp_path).stdout == "True\n"
    assert run(["-c", TELL], tmp_path).stdout == "True\n"


def test_the_command_line_ignores_what_it_was_started_to_ignore(tmp_path):
    script = tmp_path / "simul"
    script.write_text(STRIKE.format(name="simul.cli.main") + SCRIPT)
    ignoring = f"trap '' INT; exec {sys.executable} {script} --version"
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        ["sh", "-c", ignoring], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("simul ")
