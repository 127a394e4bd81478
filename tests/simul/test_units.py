"""One rate of everything inside, and the packages below simul agree."""

from __future__ import annotations

import array
import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import policies.base
import simul
from latency_metrics import timeline
from simul.errors import UsageError
from simul.units import SAMPLE_RATE, as_frames, as_samples, finite


def test_the_packages_agree() -> None:
    assert policies.base.SAMPLES_PER_MS * 1000 == SAMPLE_RATE == timeline.SAMPLE_RATE


STATED = {"simul/units.py", "latency_metrics/timeline.py"}
ROOT = Path(simul.__file__).parent.parent


@pytest.mark.parametrize("package", ["simul", "policies", "latency_metrics", "segmenter"])
def test_the_rate_is_written_in_one_place(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        numbers = [
            n.value for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Constant)
        ]
        assert name in STATED or 16_000 not in numbers, name


WAVE = (0.5 * np.sin(np.arange(400) / 7)).astype(np.float32)
STEPS = np.round(32_768 * WAVE).astype(np.int16)


class Elsewhere:
    """An array of another library."""

    shape, dtype, device = (400,), "elsewhere.float8", "chip:0"

    def __init__(self, found: Any) -> None:
        self.found = found

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    "handed_in",
    [
        Elsewhere(WAVE),
        array.array("f", WAVE),
        array.array("h", STEPS.tolist()),
        memoryview(WAVE),
        memoryview(STEPS.astype(">i2")),
        np.ma.masked_array(WAVE),
        WAVE.astype(np.longdouble),
        (STEPS.astype(np.int32) + 32_768).astype(np.uint16),
        STEPS.astype(np.uint32) * 65_536 + np.uint32(2**31),
        WAVE[None, None],
    ],
)
def test_arrays_of_other_libraries_are_heard(handed_in: Any) -> None:
    heard = as_samples(handed_in)
    assert (heard.dtype, type(heard)) == (np.float32, np.ndarray)
    np.testing.assert_allclose(heard, WAVE, atol=2e-5)


def test_tensors_are_heard_with_gradients_and_in_half_precision() -> None:
    torch = pytest.importorskip("torch")
    wave = torch.tensor(WAVE)
    for tensor in (wave, wave.double(), wave.half(), wave.bfloat16(), wave.clone().requires_grad_(True)):
        np.testing.assert_allclose(as_samples(tensor), WAVE, atol=2e-3)
    for tensor, said in (
        (torch.empty(10, device="meta"), r"Tensor of shape \(10,\) and type torch.float32 on meta"),
        (wave.to_sparse(), r"shape \(400,\)"),
        (wave.to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
        (torch.zeros(2, 10), r"shape \(2, 10\) and type float32"),
    ):
        with pytest.raises(UsageError, match=said):
            as_samples(tensor)


def test_what_numpy_cannot_read_is_told_with_its_shape_type_and_place() -> None:
    with pytest.raises(UsageError, match=r"Elsewhere of shape \(400,\) and type elsewhere.float8 on chip:0"):
        as_samples(Elsewhere(RuntimeError("no")))


def test_masked_and_absurd_samples_are_silence() -> None:
    for handed_in in (
        np.ma.masked_array(WAVE, np.arange(400) < 3),
        np.ma.masked_array(STEPS, np.arange(400) < 3),
        np.concatenate([[np.nan, 1e300, -1e30], WAVE[3:]]),
    ):
        heard, bad = finite(as_samples(handed_in))
        assert bad == 3
        assert not heard[:3].any()
        np.testing.assert_allclose(heard[3:], WAVE[3:], atol=2e-5)


def test_frames_are_integers_or_floats_of_one_or_two_dimensions() -> None:
    np.testing.assert_allclose(as_frames(np.stack([STEPS, STEPS], 1)), np.stack([WAVE, WAVE], 1), atol=2e-5)
    assert as_frames([0.1, 0.2]).shape == (2, 1)
    for wrong in (np.zeros((2, 3, 4)), np.zeros((3, 0)), np.zeros(3, bool), "speech", None, np.float32(0)):
        with pytest.raises(UsageError):
            as_frames(wrong)
