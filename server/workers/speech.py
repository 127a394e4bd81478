"""The voices of a worker: settled text of any session in, 16-bit samples at one rate out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from server.workers.messages import SPEECH_RATE, OfferedVoices
from simul.audio.pcm import to_int16
from simul.audio.resample import StreamResampler
from simul.errors import ModelMissingError
from simul.languages import NAMES, language_code
from simul.models.voices import speech_engine
from tts import Engine, EspeakEngine, PlayoutConfig, SpeakingPace, TtsError, speak_unit
from tts.espeak import SPELT_OUT
from tts.hibari import VOICES

VARIANTS = {"": "", "+f2": ", higher", "+m3": ", lower"}
"""Of each voice of espeak-ng, and what people call it."""
TRANSCRIPTS = ("latn", "shaw")
"""In the tags of voices that read a language in letters which it is not written in."""


def installed_voices() -> OfferedVoices:
    """The voices on this machine by two-letter code of the language; none without espeak-ng."""
    try:
        voices = EspeakEngine("en").voices
    except TtsError:
        return {}
    found: dict[str, list[tuple[str, str]]] = {}
    if _neural():
        found["en"] = [(voice.name, voice.label) for voice in VOICES]
    for voice in voices:
        code, tag = language_code(voice.language), voice.language.lower()
        if code in NAMES.keys() - SPELT_OUT.keys() and not any(part in tag for part in TRANSCRIPTS):
            named = [(tag + variant, voice.label + said) for variant, said in VARIANTS.items()]
            found.setdefault(code, []).extend(named)
    return {code: tuple(named) for code, named in sorted(found.items())}


def _neural() -> bool:
    from simul.models.catalogue import locate

    try:
        locate("hibari")
    except ModelMissingError:
        return False
    return True


@dataclass
class InstalledVoices:
    """Engines by language and voice, made when they are first asked for; without a name, the best of this machine."""

    engines: dict[tuple[str, str], Engine] = field(default_factory=dict)

    def speak(self, text: str, language: str, pace: SpeakingPace, voice: str = "") -> tuple[bytes, str]:
        """The sound of a text at SPEECH_RATE, and what the voice is called.

        Raises:
            TtsError: no voice speaks the language, there is none of that name, or it failed.
        """
        if (language, voice) not in self.engines:
            self.engines[language, voice] = speech_engine(language, voice or None)
        engine = self.engines[language, voice]
        samples = speak_unit(engine, text, pace, PlayoutConfig().silence).samples
        if engine.rate != SPEECH_RATE and len(samples):
            resampler = StreamResampler(engine.rate, SPEECH_RATE)
            samples = np.concatenate([resampler.push(samples), resampler.finish()])
        return to_int16(samples).tobytes(), engine.name
