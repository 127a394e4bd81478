"""A client's audio for workers: what is handed on as it is, is what decoding and encoding again would give."""

from __future__ import annotations

import numpy as np

from server import protocol as p
from server.intake import TrackIntake
from simul.audio import PcmIntake, to_int16


def test_samples_that_need_nothing_are_handed_on_and_are_what_others_become() -> None:
    pcm = np.arange(-32768, 32768).astype("<i2").tobytes()
    plain = TrackIntake(p.AudioFormat())
    assert plain.push(pcm[:4000]) + plain.push(pcm[4000:]) + plain.finish() == pcm
    assert plain.frames == 65_536
    decoded = PcmIntake("s16le", 16_000)
    assert to_int16(np.concatenate([decoded.push(pcm), decoded.finish()])).tobytes() == pcm


def test_other_formats_are_converted() -> None:
    stereo = TrackIntake(p.AudioFormat("pcm_f32le", 16_000, 2))
    frames = np.full((800, 2), [0.25, 0.5], np.float32)
    out = np.frombuffer(stereo.push(frames.tobytes()) + stereo.finish(), "<i2")
    assert stereo.frames == len(out) == 800
    assert out[-1] == 0.375 * 32768
    half = TrackIntake(p.AudioFormat(rate=8000))
    made = half.push(bytes(1600)) + half.finish()
    assert (half.frames, len(made) // 2) == (800, 1600)
