"""The torch encoder gives the states of the run time: streamed in blocks, over windows, and of a padded teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.errors import UsageError
from simul.models.whisper.causal import CausalEncoder
from simul.models.whisper.features import LIVE, STEP, TAIL
from simul.models.whisper.onnxruntime.encoder import WindowEncoder
from simul.training.causal_whisper.network import BlockEncoder
from simul.training.causal_whisper.teacher import read_teacher
from tests.simul.models.whisper.toy import POSITIONS, random_weights
from tests.simul.training.causal_whisper.toy import noise

pytestmark = pytest.mark.usefixtures("one_torch_thread")
WEIGHTS = random_weights()
NETWORK = BlockEncoder(WEIGHTS)


def states(samples: np.ndarray, tail: int, block: int | None) -> np.ndarray:
    with torch.no_grad():
        frames = len(samples) // STEP + tail
        found: np.ndarray = NETWORK(torch.from_numpy(samples)[None], frames, block)[0][0].numpy()
    return found


@settings(max_examples=15)
@given(
    seed=st.integers(0, 100),
    frames=st.integers(1, 150),
    block=st.sampled_from((1, 10, 25)),
    cuts=st.lists(st.integers(0, 150 * STEP), max_size=5),
)
def test_blocks_are_those_that_the_run_time_streams(
    seed: int, frames: int, block: int, cuts: list[int]
) -> None:
    samples, encoder = noise(seed, frames * STEP), CausalEncoder(WEIGHTS, "float32", 1, block)
    state, pieces = encoder.start(), []
    for piece in np.split(samples, sorted(min(cut, len(samples)) for cut in cuts)):
        encoder.push(state, piece)
        pieces.append(encoder.advance([state])[0])
    pieces.append(encoder.finish(state))
    np.testing.assert_allclose(states(samples, TAIL // 2, block), np.concatenate(pieces), atol=1e-4)


@pytest.mark.parametrize("frames", [40, 201])
def test_windows_without_blocks_are_those_of_the_run_time(frames: int) -> None:
    samples = noise(frames, frames * STEP)
    expected = WindowEncoder(WEIGHTS, "float32", 1, LIVE)([samples])[0]
    np.testing.assert_allclose(states(samples, TAIL // 2, None), expected, atol=1e-4)


def test_a_batch_gives_what_single_windows_give() -> None:
    windows = torch.from_numpy(np.stack([noise(seed, 60 * STEP) for seed in range(3)]))
    with torch.no_grad():
        together, inner = NETWORK(windows, 80, 25, keep=(0,))
    assert together.shape == inner[0].shape == (3, 80, 16)
    for row, window in zip(together, windows, strict=True):
        np.testing.assert_allclose(row, states(window.numpy(), 20, 25), atol=1e-5)


def test_the_teacher_is_read_from_both_formats(torch_whisper: Path, tiny_whisper: Path) -> None:
    own, other = BlockEncoder(read_teacher(tiny_whisper)), BlockEncoder(read_teacher(torch_whisper))
    assert own.heads == other.heads
    mine, theirs = own.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        torch.testing.assert_close(value, theirs[name])


def test_a_wrong_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no model that is known; give a Whisper folder"):
        read_teacher(tmp_path)
    (tmp_path / "encoder.npz").touch()
    (tmp_path / "source.spm").touch()
    with pytest.raises(UsageError, match="a model of the kind 'student'"):
        read_teacher(tmp_path)


def test_the_longest_window_is_that_of_the_positions() -> None:
    assert NETWORK.longest == POSITIONS
