"""Edit lists of MP4: where sound stands that has gaps between."""

import pytest

from simul.audio.edits import Edit, EditList, lists_with_gaps
from tests.simul.audio.mov_boxes import with_edits
from tests.simul.audio.recordings import Track, container, tone

PLAIN = container("mp4", [Track([(0.0, tone(2.0))], "aac")])


def test_a_list_with_a_gap_is_read():
    (listed,) = lists_with_gaps(
        with_edits(PLAIN, [(500, -1), (1000, 1024), (250, -1), (500, 49_024)])
    ).values()
    assert listed == EditList((Edit(1024 / 48_000, 0.5, 1.0), Edit(49_024 / 48_000, 1.75, 0.5)), 2.25)


@pytest.mark.parametrize(
    "edits",
    [
        [],
        [(2000, 1024)],
        [(500, -1), (2000, 1024)],
        [(1000, 0), (1000, 48_000)],
        [(1000, 48_000), (500, -1), (1000, 0)],
    ],
    ids=["none", "whole", "late", "no gap", "another order"],
)
def test_lists_that_ffmpeg_reads(edits):
    assert lists_with_gaps(with_edits(PLAIN, edits)) == {}


def test_what_is_no_mp4_or_cut_short():
    data = with_edits(PLAIN, [(1000, 0), (500, -1), (1000, 48_000)])
    assert lists_with_gaps(b"OggS" + data) == {}
    for end in range(0, len(data), 7):
        lists_with_gaps(data[:end])
    assert list(lists_with_gaps(bytes(99) + data, 99)) == [1]


def test_sound_is_cut_at_the_borders_of_edits():
    listed = EditList((Edit(1.0, 0.0, 1.0), Edit(2.5, 4.0, 1.0)), 5.0)
    assert list(listed.cut(0.0, 1.0)) == []
    assert list(listed.cut(0.75, 0.5)) == [(0.25, 0.5, 0.0)]
    assert list(listed.cut(1.75, 1.0)) == [(0.0, 0.25, 0.75), (0.75, 1.0, 4.0)]
    assert list(listed.cut(3.0, 4.0)) == [(0.0, 0.5, 4.5)]
