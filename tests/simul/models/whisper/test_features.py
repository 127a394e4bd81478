"""Log-mel features against those of faster-whisper, and the lengths of windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simul.models.whisper import features
from simul.models.whisper.features import HOP, LogMel, log_energies, thinned, window_frames


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("length", [1, 3 * HOP, 16_000, 480_000])
def test_features_are_those_of_faster_whisper(bands: int, length: int) -> None:
    front_end = pytest.importorskip("faster_whisper.feature_extractor")
    length = max(length // HOP, 1) * HOP
    samples = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    filled = np.pad(samples, (0, 480_000 - length))
    expected = front_end.FeatureExtractor(feature_size=bands)(filled)[:, :3000]
    found = LogMel(bands)(samples)
    assert found.shape == (bands, 3000)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_only_thirty_seconds_are_heard() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 500_000).astype(np.float32)
    np.testing.assert_array_equal(LogMel(80)(samples), LogMel(80)(samples[:480_000]))


@given(content=st.integers(0, 3000))
def test_windows_hold_the_audio_and_silence(content: int) -> None:
    for window in ("padded", "bucket", "thinned", "live"):
        frames = window_frames(window, content)
        assert frames % 2 == 0
        assert content <= frames <= 3000
        assert frames == 3000 or frames > content
    assert window_frames("padded", content) == 3000
    assert window_frames("bucket", content) % features.BUCKET == 0
    assert window_frames("live", content) - content <= 51


@given(content=st.integers(0, 1600))
def test_a_thinned_window_stands_for_every_frame_of_a_padded_one(content: int) -> None:
    thinning = thinned(content)
    places, counts = thinning.places, np.exp(thinning.weights)
    near = min(content + features.MARGIN, 1500)
    assert places[:near].tolist() == list(range(near))
    assert counts[: near - 1].tolist() == [1] * (near - 1)
    assert places[-1] == 1499
    assert (np.diff(places) > 0).all()
    # Each frame lies among those that it stands for.
    ends = counts.cumsum()
    assert ends[-1] == pytest.approx(1500)
    assert (places + 1 <= ends + 1e-3).all()
    assert (places >= ends - counts - 1e-3).all()
    assert len(places) <= near + (1500 - near) / features.THINNING + 2


@pytest.mark.parametrize("window", ["bucket", "thinned", "live"])
def test_short_windows_are_the_beginning_of_padded_ones(window: str) -> None:
    samples = np.random.default_rng(3).normal(0, 0.1, 33_333).astype(np.float32)
    short, padded = LogMel(80, window)(samples), LogMel(80)(samples)
    np.testing.assert_allclose(short, padded[:, : short.shape[1]], atol=1e-6)


@given(cut=st.integers(400, 5000))
def test_energies_do_not_depend_on_the_cutting(cut: int) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 6000).astype(np.float32)
    whole = log_energies(samples, 80)
    first = log_energies(samples[:cut], 80)
    rest = log_energies(samples[len(first) * HOP :], 80)
    np.testing.assert_allclose(np.concatenate([first, rest]), whole, atol=1e-5)
