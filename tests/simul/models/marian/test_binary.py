"""Marian's binary files: the three forms of one model mean the same, and what is no such file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simul.errors import ModelMissingError
from simul.models.marian.arrays import Matrix
from simul.models.marian.binary import read_binary
from simul.models.marian.network import check_options
from tests.simul.models.marian import tiny


@pytest.mark.parametrize("form", ["int8", "alphas", "float"])
def test_every_form_gives_the_weights_that_were_written(tmp_path: Path, form: str) -> None:
    made = tiny.weights(30, 20, seed=3)
    tiny.write_binary(tmp_path / "model.bin", made, form)
    arrays, config = read_binary(tmp_path / "model.bin")
    assert config["transformer-heads"] == tiny.HEADS
    assert arrays.keys() == made.keys()
    for name, values in made.items():
        found = arrays[name]
        if len(values) == 1:
            np.testing.assert_array_equal(found, values[0])
            continue
        assert isinstance(found, Matrix)
        assert found.values.dtype == (np.float32 if form == "float" else np.int8)
        whole = found.rows(np.arange(len(found.scale)))
        np.testing.assert_allclose(whole, values if name.endswith("Wemb") else values.T, atol=1e-6)


@pytest.mark.parametrize("damage", ["short", "empty", "other", "text"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.bin"
    tiny.write_binary(path, tiny.weights(30))
    raw = path.read_bytes()
    path.write_bytes(
        {"short": raw[:-300], "empty": b"", "other": b"\7" + raw[1:], "text": b"no model " * 90}[damage]
    )
    with pytest.raises(ModelMissingError, match=r"model\.bin"):
        read_binary(path)


def test_a_file_packed_for_one_processor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    tiny.write_binary(path, tiny.weights(30))
    packed = path.read_bytes().replace((0x4101).to_bytes(8, "little"), (0x5101).to_bytes(8, "little"))
    path.write_bytes(packed)
    with pytest.raises(ModelMissingError, match="Wemb in a type that is not read here"):
        read_binary(path)


def test_another_architecture_is_refused() -> None:
    check_options({"dec-cell": "ssru", "transformer-postprocess": "dan"}, "a student")
    with pytest.raises(ModelMissingError, match="dec-cell: 'gru'"):
        check_options({"dec-cell": "gru"}, "another")
