"""Reading and keeping of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simul.errors import ModelMissingError
from simul.models.whisper.weights import FileWeights, as_float, as_rows, read_variables, save_variables
from tests.simul.models.whisper.toy import write_weights


@pytest.fixture
def variables() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "a/weight": rng.normal(size=(90, 70)).astype(np.float16),
        "a/bias": rng.normal(size=90).astype(np.float16),
        "b/weight": rng.integers(-127, 128, (3, 5)).astype(np.int8),
        "b/weight_scale": np.array([3.0, 70.0, 900.0], np.float32),
        "heads": np.array(8, np.int16),
    }


def test_what_was_written_is_read(tmp_path: Path, variables: dict[str, np.ndarray]) -> None:
    write_weights(tmp_path / "model.bin", variables, {"c/weight": "a/weight"})
    found = FileWeights(tmp_path / "model.bin")
    assert set(found) == {*variables, "c/weight"}
    for name, value in variables.items():
        np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(found["c/weight"], variables["a/weight"])
    assert int(found["heads"]) == 8


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path, variables: dict[str, np.ndarray]) -> None:
    path = tmp_path / "model.bin"
    write_weights(path, variables, {}, spec="TransformerSpec")
    with pytest.raises(ModelMissingError, match="no Whisper model"):
        FileWeights(path)
    write_weights(path, variables, {})
    whole = path.read_bytes()
    for length in (0, 3, 40, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelMissingError):
            FileWeights(path)
    (tmp_path / "encoder.npz").write_bytes(b"PK no archive")
    with pytest.raises(ModelMissingError, match=r"encoder\.npz"):
        read_variables(tmp_path / "encoder.npz")


def test_rows_in_eight_bits_are_off_by_half_a_step_at_most(variables: dict[str, np.ndarray]) -> None:
    rows, scales = as_rows(variables, "a/weight")
    exact = variables["a/weight"].astype(np.float32)
    assert rows.dtype == np.int8
    assert (np.abs(rows).max(1) == 127).all()
    assert (np.abs(rows * scales[:, None] - exact) <= 0.5001 * scales[:, None]).all()
    rows, scales = as_rows(variables, "b/weight")
    np.testing.assert_allclose(rows * scales[:, None], as_float(variables, "b/weight"), rtol=1e-6)


def test_kept_variables_give_the_same_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    weights = {
        "x/conv/weight": rng.normal(size=(6, 4, 3)).astype(np.float32),
        "x/bias": rng.normal(size=6).astype(np.float16),
    }
    save_variables(tmp_path / "kept.npz", weights)
    found = read_variables(tmp_path / "kept.npz")
    np.testing.assert_array_equal(found["x/bias"], weights["x/bias"])
    assert found["x/conv/weight"].shape == (6, 4, 3)
    before, after = as_rows(weights, "x/conv/weight"), as_rows(found, "x/conv/weight")
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_allclose(before[1], after[1], rtol=1e-6)
