"""Which engine speaks a language: the English voice of the catalogue where it is installed, else espeak-ng."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from policies.plugins import is_own, make
from simul.errors import ModelDamagedError, ModelMissingError, UsageError

if TYPE_CHECKING:
    from simul.models.catalogue import Places
    from tts import Engine

ENGINES = "simul.engines"
"""Entry points of packages that bring speech engines."""

_ENGLISH = ("en", "en-us")
"""Tags that an American voice serves."""


def speech_engine(
    language: str,
    voice: str | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    places: Places | None = None,
) -> Engine:
    """The best engine on this machine for `language` (BCP 47 tag).

    voice: "heart" or "hibari" for the neural voice, MODULE:CLASS for an engine of the user's own; any other name is one
    of espeak-ng's. say: told in one sentence when English is spoken by a lesser voice than there could be, and why.

    Raises:
        ModelMissingError: the neural voice is asked for and not here.
        TtsError: espeak-ng is missing, or the language or voice is not known.
    """
    from tts import EspeakEngine, TtsError

    if voice is not None and is_own(voice, ENGINES):
        return _own(voice, language)
    asked = voice in ("heart", "hibari")
    if not asked and (voice is not None or language.lower().replace("_", "-") not in _ENGLISH):
        return EspeakEngine(language, voice)
    try:
        return _hibari(language, places)
    except (ModelMissingError, TtsError) as error:
        if asked:
            raise
        reason = str(error) if isinstance(error, (ModelDamagedError, TtsError)) else _better()
        say(f"English is spoken by espeak-ng. {reason}")
        return EspeakEngine(language)


def _own(name: str, language: str) -> Engine:
    """A speech engine of the user's own."""
    from tts import Engine

    made = make(name, ENGINES, language=language)
    if not isinstance(made, Engine):
        lacking = [
            m
            for m in ("name", "language", "follows_speed", "rate", "voices", "synthesize")
            if not hasattr(made, m)
        ]
        raise UsageError(f"{name} is no speech engine; it lacks {', '.join(lacking)}.")
    return made


def _hibari(language: str, places: Places | None) -> Engine:
    from simul.models.catalogue import locate
    from tts.hibari import HibariEngine

    return HibariEngine(locate("hibari", places), language)


def _better() -> str:
    from simul.install import install_hint

    return f"For a far better voice: {install_hint('voice-en')}"
