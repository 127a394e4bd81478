"""The client that measures servers of `/asr`: what it saw, when words were there for good, what its rows say."""

from __future__ import annotations

import numpy as np

from benchmarks.asr_client import Seen, Talk, figures, play, together, word_times
from benchmarks.serving import joined
from benchmarks.serving_page import PAGE, page
from tests.server.proof import expected
from tests.server.rig import noise
from tests.server.test_gateway import Served, run

AUDIO = noise(1.0, seed=3)
PCM = np.rint(AUDIO * 32768).astype("<i2").tobytes()


def test_the_client_hears_all_of_a_talk() -> None:
    async def test(served: Served) -> None:
        seen = Seen(Talk("a", PCM, expected(AUDIO)))
        await play(f"ws://127.0.0.1:{served.port}/asr?language=en", seen.talk, seen)
        assert seen.error == ""
        assert seen.finished is not None
        assert seen.text.split() == expected(AUDIO).split()
        row = figures(seen, "en")
        assert (row["edits"], row["missing"], row["words"]) == (0, 0, len(expected(AUDIO).split()))

    run(test)


def test_no_server_is_a_failed_session() -> None:
    async def test(served: Served) -> None:
        await served.gateway.stop()
        seen = Seen(Talk("a", PCM, "What was said."))
        await play(f"ws://127.0.0.1:{served.port}/asr", seen.talk, seen)
        assert seen.error
        row = figures(seen, "en")
        assert (row["missing"], row["finished"], row["text"]) == (3, None, "")
        assert together([row])["failed"] == 1

    run(test)


STATES = [
    (1.0, "", "we have"),
    (2.0, "we ", "halve"),
    (3.0, "we halve ", ""),
    (4.0, "we have ", "seen"),
    (5.0, "we have seen ", ""),
]


def test_a_word_is_there_once_it_is_never_taken_back() -> None:
    clock = [("we", 0.5), ("have", 0.75), ("seen", 2.0)]
    seen = Seen(Talk("a", b"\x00" * 32000, "We have seen it.", clock), STATES, 0.5)
    assert word_times(seen, "en", lambda lines, _: lines) == [("we", 2.0), ("have", 4.0), ("seen", 5.0)]
    assert word_times(seen, "en", lambda lines, buffer: lines + buffer) == [
        ("we", 1.0),
        ("have", 4.0),
        ("seen", 4.0),
    ]
    row = figures(seen, "en")
    assert row["settled_lags"] == [1.5, 3.25, 3.0]
    assert row["shown_lags"] == [0.5, 3.25, 2.0]
    assert (row["words"], row["edits"], row["missing"]) == (4, 1, 1)
    both = together([row, row])
    assert (both["words"], both["wer"], both["missing"], both["finished_most"]) == (8, 25.0, 2, 0.5)


def test_talks_in_a_row_are_one() -> None:
    one = Talk("a", b"\x00" * 32000, "Yes.", [("yes", 0.5)])
    two = Talk("b", b"\x01" * 32000, "No.", [("no", 1.5)])
    both = joined([one, two])
    assert (both.name, both.text, both.seconds) == ("a+b", "Yes. No.", 2.0)
    assert list(both.clock) == [("yes", 0.5), ("no", 1.5)]


def test_the_page_is_of_the_results() -> None:
    assert PAGE.read_text("utf-8") == page()
