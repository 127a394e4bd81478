"""The speech that --speak and --play ask for: into a WAV file, to the loudspeaker."""

from __future__ import annotations

import argparse
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simul.cli.context import Context
    from simul.clock import Clock
    from simul.speech import SpeechOutput

_LAST_WORDS_SECONDS = 60.0
"""How long the end of the speech may take after the end of the stream."""


def check_voice(given: argparse.Namespace, language: str) -> None:
    """Fail before any model is loaded when the speech that is asked for cannot be had; raises TtsError."""
    if given.speak or given.play:
        from tts import make_engine

        make_engine(language, given.voice)


def make_voice(
    given: argparse.Namespace,
    context: Context,
    language: str,
    path: str | None,
    clock: Clock,
    revises: bool,
    stack: contextlib.ExitStack,
) -> SpeechOutput | None:
    """The voice that --speak (into `path`) and --play ask for; None without them."""
    if not (path or given.play):
        return None
    from simul.models.voices import speech_engine
    from simul.speech import SpeechOutput, into_wav, to_loudspeaker
    from tts import Speaker

    engine = speech_engine(language, given.voice, context.note)
    players = []
    if path:
        from simul.audio.wav import WavWriter

        players.append(into_wav(stack.enter_context(WavWriter(path, engine.rate))))
    if given.play:
        from simul.audio.loudspeaker import Loudspeaker

        loudspeaker = stack.enter_context(Loudspeaker(engine.rate, context.sound))
        stack.callback(loudspeaker.wait, _LAST_WORDS_SECONDS)
        players.append(to_loudspeaker(loudspeaker))
    return SpeechOutput(Speaker(engine, stopwatch=clock.now), players, revises, context.warn)
