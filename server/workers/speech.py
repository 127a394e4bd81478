"""The voices of a worker: settled text of any session in, 16-bit samples at one rate out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from server.workers.messages import SPEECH_RATE
from simul.audio.pcm import to_int16
from simul.audio.resample import StreamResampler
from simul.languages import NAMES, language_code
from simul.models.voices import speech_engine
from tts import Engine, EspeakEngine, PlayoutConfig, SpeakingPace, TtsError, speak_unit
from tts.espeak import SPELT_OUT


def spoken_languages() -> frozenset[str]:
    """Two-letter codes of the languages that a voice on this machine speaks; none without espeak-ng."""
    try:
        voices = EspeakEngine("en").voices
    except TtsError:
        return frozenset()
    return frozenset({language_code(voice.language) for voice in voices} & NAMES.keys() - SPELT_OUT.keys())


@dataclass
class InstalledVoices:
    """The best engine of this machine for each language, made when it is first asked for."""

    engines: dict[str, Engine] = field(default_factory=dict)

    def speak(self, text: str, language: str, pace: SpeakingPace) -> tuple[bytes, str]:
        """The sound of a text at SPEECH_RATE, and what the voice is called.

        Raises:
            TtsError: no voice speaks the language, or it failed.
        """
        if language not in self.engines:
            self.engines[language] = speech_engine(language)
        engine = self.engines[language]
        samples = speak_unit(engine, text, pace, PlayoutConfig().silence).samples
        if engine.rate != SPEECH_RATE and len(samples):
            resampler = StreamResampler(engine.rate, SPEECH_RATE)
            samples = np.concatenate([resampler.push(samples), resampler.finish()])
        return to_int16(samples).tobytes(), engine.name
