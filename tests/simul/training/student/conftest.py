"""A toy student, toy text and what `prepare` makes of them, once a session."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.simul.training.student.toy import TARGET_PIECES, write_student, write_text

needed = ("num2words", "torch")
collect_ignore_glob = [] if all(find_spec(name) for name in needed) else ["test_*.py"]


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder."""
    return write_text(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of parts with random weights."""
    return write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="session")
def run(text: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared text of German; not to be written to."""
    from simul.training.student.prepared import prepare
    from simul.training.student.start import processor
    from simul.training.student.text import read_pairs

    folder = tmp_path_factory.mktemp("run")
    prepare(folder, "de", read_pairs(text, "de"), processor(student / "source.spm"), TARGET_PIECES)
    return folder
