"""Speech output: engines, the prosodic chunker and the playout scheduler."""

from __future__ import annotations

from tts.base import Engine, SynthesizedSpeech, TtsError, TtsMissingError, TtsUsageError, Voice, WordMark
from tts.chunker import Chunker, ChunkerConfig
from tts.espeak import EspeakConfig, EspeakEngine
from tts.hibari import HibariEngine
from tts.playout import Playout, PlayoutConfig, Slot, SpeakingPace, Timeline
from tts.speaker import Speaker, SpeakerConfig, SpeechUnit, speak_unit
from tts.stretch import stretch, stretch_speech, trim_pauses
from tts.tones import ToneEngine

__all__ = [
    "Chunker",
    "ChunkerConfig",
    "Engine",
    "EspeakConfig",
    "EspeakEngine",
    "HibariEngine",
    "Playout",
    "PlayoutConfig",
    "Slot",
    "Speaker",
    "SpeakerConfig",
    "SpeakingPace",
    "SpeechUnit",
    "SynthesizedSpeech",
    "Timeline",
    "ToneEngine",
    "TtsError",
    "TtsMissingError",
    "TtsUsageError",
    "Voice",
    "WordMark",
    "make_engine",
    "speak_unit",
    "stretch",
    "stretch_speech",
    "trim_pauses",
]


def make_engine(language: str, voice: str | None = None) -> Engine:
    """The embedded engine, espeak-ng, for a language (BCP 47 tag), with a voice of espeak-ng's by name if wanted.

    Raises:
        TtsMissingError: the package espeakng-loader is missing or damaged.
        TtsUsageError: the language or voice is not known.
    """
    return EspeakEngine(language, voice)
