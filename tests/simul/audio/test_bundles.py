"""Small packets of PCM become larger ones; nothing else changes."""

import io

import av
import numpy as np
import pytest

from simul.audio.bundles import bundled
from tests.simul.audio.mov_boxes import with_sample_lengths
from tests.simul.audio.recordings import Track, container, noise


def packets(data: bytes, bundle: bool) -> list[tuple[int | None, bytes]]:
    with av.open(io.BytesIO(data)) as opened:
        stream = opened.streams.audio[0]
        taken = opened.demux(stream)
        if bundle:
            taken = bundled(taken, stream.codec_context.name)
        return [(packet.pts, bytes(packet)) for packet in taken]


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le", "pcm_alaw"])
def test_samples_that_follow_each_other_are_one_packet_until_a_gap(codec):
    data = with_sample_lengths(
        container("mov", [Track([(0.0, noise(0.1))], codec)]), [(2000, 1), (1, 500), (2799, 1)]
    )
    single, bundles = packets(data, False), packets(data, True)
    assert len(single) == 4801
    assert len(bundles) < 10
    assert b"".join(sound for _, sound in bundles) == b"".join(sound for _, sound in single)
    width = len(single[0][1])
    ends = [pts + len(sound) // width for pts, sound in bundles if pts is not None]
    begins = [pts for pts, _ in bundles if pts is not None]
    jumps = [begin - end for end, begin in zip(ends, begins[1:], strict=False)]
    assert [jump for jump in jumps if jump] == [499]


@pytest.mark.parametrize(("kind", "codec"), [("matroska", "pcm_s16le"), ("mp4", "aac"), ("ogg", "libopus")])
def test_other_packets_stay_as_they_are(kind, codec):
    data = container(kind, [Track([(0.0, np.tile(noise(0.1), 3))], codec)])
    assert packets(data, True) == packets(data, False)
