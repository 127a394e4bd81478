"""How long after it was spoken each word was there, for any program: against a clock of the words that were said.

The clock is made once for all programs: the transcript of each recording is aligned with its audio by Whisper (dynamic
time warping over cross-attention), so a word's end does not depend on the program that is measured. The lag of a word
is the audio received when its last character was settled less its end, over words that match the transcript exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from benchmarks.whisper import Recording
from simul.evaluation.word_errors import normalise
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.text import word_ranges
from simul.units import SAMPLE_RATE, Samples

TimedWords = Sequence[tuple[str, float]]
"""Normalised words with a time in seconds."""
LONGEST = 28.0
"""Seconds of a recording that the clock is made for: one window."""


def timed_words(pieces: Iterable[tuple[str, float]], language: str) -> TimedWords:
    """The words of a text that came in pieces, each with the time of the piece that holds its last character."""
    marks = [(character, at) for piece, at in pieces for character in piece]
    text = "".join(character for character, _ in marks)
    found: list[tuple[str, float]] = []
    begin = 0
    for word in text.split():
        begin = text.index(word, begin) + len(word)
        found += [(each, marks[begin - 1][1]) for each in normalise(word, language)]
    return found


def word_clock(
    folder: Path, recordings: Sequence[tuple[Recording, Samples]], language: str
) -> list[TimedWords]:
    """Where the words of each transcript end in its recording."""
    model = WhisperModel(folder, "cpu", "float32", threads=1)
    head = model.tokens.task(language, language)
    found = []
    for recording, samples in recordings:
        ids = model.tokens.encode(" " + recording.text)
        spans = model.align(model.encode([samples]), head, [ids], [len(samples)])[0]
        surfaces = model.tokens.surfaces(ids)
        pieces = [
            ("".join(surfaces[first:last]), float(spans[last - 1, 1]) / SAMPLE_RATE)
            for first, last in word_ranges(surfaces, False)
        ]
        found.append(timed_words(pieces, language))
    return found


def lags(clock: TimedWords, heard: TimedWords) -> list[float]:
    """Seconds from the end of each word of the clock to the moment it was there, for the words that match."""
    said, written = ([word for word, _ in words] for words in (clock, heard))
    return [
        heard[code.dest_start + i][1] - clock[code.src_start + i][1]
        for code in Levenshtein.opcodes(said, written)
        if code.tag == "equal"
        for i in range(code.src_end - code.src_start)
    ]
