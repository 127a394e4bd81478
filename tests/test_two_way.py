"""What benchmarks/two_way.py makes of a conversation: turns found by their place, languages, words, delays."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("websockets")

from benchmarks.two_way import Turn, report


def end(stream: str, segment: int, language: str, text: str, t0: int, t1: int, at: float) -> dict[str, Any]:
    place = {"stream": stream, "segment": segment, "language": language}
    return {**place, "text": text, "t0": t0, "t1": t1, "at": at}


def test_a_turn_is_right_where_all_of_it_is_in_its_language() -> None:
    turns = [
        Turn("en", "Good morning to you", 0, 32_000),
        Turn("es", "buenos días a todos", 48_000, 80_000),
        Turn("es", "muy bien, muchas gracias", 96_000, 128_000),
    ]
    ends = [
        end("source", 0, "en", "Good morning to you.", 100, 1900, 2.0),
        end("es", 0, "es", "Buenos días", 100, 1900, 3.0),
        end("source", 1, "en", "Buenos dias a todos", 3100, 4900, 5.5),
        end("en", 1, "en", "Good morning", 3100, 4900, 9.0),
        end("source", 2, "es", "Muy bien,", 6100, 6800, 7.0),
        end("source", 3, "es", "muchas gracias.", 6900, 7900, 8.5),
    ]
    found = report(turns, ends, ["en", "es"])
    assert (found["utterances"], found["language_right"], found["translated"]) == (3, 2, 2)
    assert found["word_errors_percent"] == {"en": 0.0, "es": 12.5}
    assert found["seconds_to_translation"] == {"median": 2.5, "most": 4.0}
