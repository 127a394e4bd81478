"""A scripted model that hears which recording it is given: the first sample names the script.

Used in this process, and by the agent and the processor below in the processes of SimulEval and simulstream.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from policies.base import Candidate
from simul.backends.base import Limits
from simul.backends.scripted import Pass, ScriptedBackend, ScriptedSegment

SECOND = 16_000
STEP = SECOND // 2
LANGUAGES = frozenset({"en", "de", "es", "fr", "zh"})

Script = list[tuple[int, int, list[list[str]]]]
"""Segments: start and end in half seconds, and the tokens of the hypothesis after each half second."""


def growing(text: str, steps: int, lead: str = "") -> list[list[str]]:
    """Hypotheses that grow evenly; "|" cuts tokens, and every other pass is wrong about a word it has just begun."""
    tokens = text.split("|")
    tokens[0] = lead + tokens[0]
    passes = []
    for step in range(1, steps + 1):
        count = max(1, round(len(tokens) * step / steps))
        wrong = step < steps and step % 2 == 1 and tokens[count - 1].startswith(" ")
        passes.append([*tokens[: count - 1], " ähm"] if wrong else tokens[:count])
    return passes


SCRIPTS: dict[int, Script] = {
    1: [
        (0, 6, growing("Morgen| fahren| wir| früh| los|,| sagt| sie|.", 6)),
        (6, 12, growing("Und| spät| kommen| wir| zu|rück|.", 6, " ")),
    ],
    2: [(0, 9, growing("Die| Straß|en|bahn| hält| am| Markt|platz|,| glaube| ich|.", 9))],
    3: [(0, 3, growing("Gut|en| Tag|.", 3)), (4, 8, growing("Wie| geht| es| Ihnen|?", 4))],
    4: [],
    5: [(0, 1, [["Ja", "."]])],
    6: [(0, 8, growing("今天|天|气|很|好|，|我们|去|公园|。", 8)), (8, 12, growing("你|来|吗|？", 4))],
    7: [(0, 10, [*growing("Er| geht| nach| Haus", 9), ["Er", " ging", " nach", " Hause", "."]])],
}
SECONDS = {1: 6.0, 2: 4.73, 3: 4.2, 4: 1.0, 5: 0.3, 6: 6.0, 7: 4.73}
REFERENCES = {
    1: "Morgen fahren wir früh los und kommen spät zurück.",
    2: "Die Straßenbahn hält wohl am Marktplatz.",
    3: "Guten Tag, wie geht es Ihnen?",
    4: "Nichts war zu hören.",
    5: "Ja.",
    6: "今天天气好，我们去公园，你来吗？",
    7: "Er ging nach Hause.",
}


class MarkedBackend(ScriptedBackend):
    """Serves the script whose number the first sample of the stream spells."""

    def __init__(self) -> None:
        super().__init__([], limits=Limits(LANGUAGES, LANGUAGES))
        self.scripts = {}

    def push(self, stream, samples):
        state = self.state(stream)
        if state.pushed == 0 and len(samples):
            self.scripts[id(state)] = segments_of(SCRIPTS[round(float(samples[0]) * 1024)])
        super().push(stream, samples)

    def segments_of(self, state):
        return self.scripts.get(id(state), ())


def segments_of(script: Script) -> tuple[ScriptedSegment, ...]:
    segments = []
    for start, end, hypotheses in script:
        passes = []
        for step, tokens in enumerate(hypotheses, start + 1):
            place = np.array([[start * STEP, step * STEP]] * len(tokens), np.int64).reshape(-1, 2)
            passes.append(Pass(step * STEP, Candidate(tuple(tokens), spans=place)))
        segments.append(ScriptedSegment(start * STEP, end * STEP, tuple(passes)))
    return tuple(segments)


def write_recording(path, number: int):
    """A recording that the backend knows by its first sample."""
    import soundfile

    samples = np.zeros(int(SECONDS[number] * SECOND), np.float32)
    samples[0] = number / 1024
    soundfile.write(path, samples, SECOND, subtype="PCM_16")
    return path


def load(config, source, target, *, needs):
    """Stands for `simul.backends.families.load_backend`."""
    return SimpleNamespace(backend=MarkedBackend(), description="Marked recordings.")
