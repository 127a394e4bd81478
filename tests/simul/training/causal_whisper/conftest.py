"""A toy model and toy sound in a prepared folder, once a session."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.simul.training.causal_whisper.toy import write_model, write_sound

collect_ignore_glob = [] if all(find_spec(name) for name in ("torch", "onnxruntime")) else ["test_*.py"]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model.bin of random weights; not to be written to."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two sets, a of three recordings and b of one."""
    return write_sound(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="session")
def prepared(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `prepare` makes of the sound; not to be written to."""
    from simul.training.causal_whisper.pool import prepare

    folder = tmp_path_factory.mktemp("prepared")
    prepare([sound / "a", sound / "b"], folder)
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A copy of the prepared sound, to train in."""
    for file in prepared.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path
