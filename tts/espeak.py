"""The embedded engine: espeak-ng through ctypes, library and data from the package espeakng_loader.

Through ctypes because of the places of words, which playout needs: py-espeak-ng starts the program for every text and
phonemizer asks for phonemes, and neither tells them. A sentence of 8 words comes with 8 places in 2.5 ms
(`python -m benchmarks.own_code espeak`).
"""

from __future__ import annotations

import ctypes
import difflib
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tts.base import SynthesizedSpeech, TtsError, TtsMissingError, TtsUsageError, Voice, WordMark

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_CHARACTERS, _UTF8 = 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_WORD_EVENT = 1
_SLOWEST, _FASTEST = 80, 450
_LONGEST_TEXT = 20_000
_PACE_EXPONENT = 0.94
"""Duration falls with the rate setting to this power (fitted over 175-250 on de, en, es and fr)."""

_ALIASES = {"en": "en-us", "en-gb": "gmw/en", "fr-fr": "fr", "zh": "cmn", "no": "nb", "iw": "he", "in": "id"}
SPELT_OUT = {"ja": "espeak-ng spells out kanji one by one; for text in kana ask for the voice 'ja' by name"}
"""Languages whose text a voice cannot read, and why."""


_Blocks: TypeAlias = list[NDArray[np.int16]]
_Marks: TypeAlias = list[tuple[int, int, int]]
"""Word events: first character, characters, first sample."""


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True)
class EspeakConfig:
    """How the voice speaks.

    `words_per_minute` is espeak-ng's rate setting at speed 1 (80-450); `pitch` and `pitch_range` are its
    settings of 0-99, 50 being the voice's own.
    """

    words_per_minute: int = 175
    pitch: int = 50
    pitch_range: int = 50

    def __post_init__(self) -> None:
        if not _SLOWEST <= self.words_per_minute <= _FASTEST:
            raise TtsUsageError(
                f"espeak-ng speaks {_SLOWEST} to {_FASTEST} words a minute, not {self.words_per_minute}."
            )
        for name, value in (("pitch", self.pitch), ("pitch range", self.pitch_range)):
            if not 0 <= value <= 99:
                raise TtsUsageError(f"espeak-ng's {name} goes from 0 to 99, not to {value}.")


class _Library:
    """The loaded library: one per process, since its voice and rate are global; `lock` guards every call."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise TtsMissingError(
                "Speech output needs the package espeakng-loader, which is not installed; "
                "run: pip install espeakng-loader"
            ) from error
        self.lock = threading.Lock()
        self.data = Path(espeakng_loader.get_data_path())
        if not (self.data / "phontab").is_file():
            raise TtsMissingError(
                f"The data of espeak-ng is not in {self.data}; "
                "reinstall it: pip install --force-reinstall espeakng-loader"
            )
        try:
            library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise TtsMissingError(
                f"The library of espeak-ng cannot be loaded ({error}); "
                "reinstall it: pip install --force-reinstall espeakng-loader"
            ) from error
        _declare(library)
        self.library = library
        # Without the flag the library ends the process when it does not find its data.
        self.rate = int(library.espeak_Initialize(_SYNCHRONOUS, 0, str(self.data).encode(), _DO_NOT_EXIT))
        if self.rate <= 0:
            raise TtsMissingError(
                f"espeak-ng cannot read its data in {self.data}; a path of more than about 150 characters "
                "is too long for it: install espeakng-loader in an environment with a shorter path."
            )
        self._callback = _Callback(self._receive)
        library.espeak_SetSynthCallback(self._callback)
        self._blocks: _Blocks = []
        self._marks: _Marks = []
        self._failure: Exception | None = None

    def voices(self) -> tuple[Voice, ...]:
        with self.lock:
            listed = self.library.espeak_ListVoices(None)
            found: list[Voice] = []
            while listed[len(found)]:
                voice = listed[len(found)].contents
                # The first byte of the languages is a priority.
                language = voice.languages[1:].decode()
                label = voice.name.decode()
                found.append(Voice(voice.identifier.decode().replace("\\", "/"), language, label))
        return tuple(found)

    def select(self, voice: str, rate: int, config: EspeakConfig) -> None:
        """Set voice and parameters; the caller holds the lock. Selecting a voice resets the rest."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise TtsError(f"espeak-ng has no voice {voice!r}.")
        for parameter, value in ((_RATE, rate), (_PITCH, config.pitch), (_RANGE, config.pitch_range)):
            if self.library.espeak_SetParameter(parameter, value, 0) != 0:
                raise TtsError(f"espeak-ng refused the value {value} for its parameter {parameter}.")

    def speak(self, text: str) -> tuple[_Blocks, _Marks]:
        """Blocks of samples and word events of `text`; the caller holds the lock."""
        self._blocks, self._marks, self._failure = [], [], None
        data = text.encode("utf-8", "replace")
        status = self.library.espeak_Synth(data, len(data) + 1, 0, _CHARACTERS, 0, _UTF8, None, None)
        if self._failure is not None:
            raise TtsError(f"Reading the sound of espeak-ng failed: {self._failure}.") from self._failure
        if status != 0:
            raise TtsError(f"espeak-ng could not speak {text[:40]!r} (error {status}).")
        return self._blocks, self._marks

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        # An exception may not cross the C code; 1 makes the library stop.
        try:
            index = 0
            while events[index].type != 0:
                event = events[index]
                if event.type == _WORD_EVENT:
                    self._marks.append((event.text_position - 1, event.length, event.sample))
                index += 1
            if samples and count > 0:
                self._blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        except Exception as error:
            self._failure = error
            return 1
        return 0


def _declare(library: Any) -> None:
    """Argument types: without them ctypes cuts pointers to 32 bits."""
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    library.espeak_SetSynthCallback.argtypes = [_Callback]
    library.espeak_SetSynthCallback.restype = None
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
    library.espeak_ListVoices.argtypes = [ctypes.c_void_p]
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]


@cache
def _library() -> _Library:
    return _Library()


class EspeakEngine:
    """espeak-ng with one voice. Engines of several voices may be used side by side and from several threads.

    Args:
        language: BCP 47 tag of the text, such as "de" or "pt-br".
        voice: espeak-ng's own voice name, with a variant after "+" if wanted ("de+f3"); None takes the
            voice of the language.

    Raises:
        TtsMissingError: espeakng-loader is missing.
        TtsUsageError: there is no such language or voice.
    """

    def __init__(self, language: str, voice: str | None = None, config: EspeakConfig | None = None) -> None:
        self._espeak = _library()
        self.config = config or EspeakConfig()
        self._language = language
        self._voice = self._find(language) if voice is None else self._check(voice)

    @property
    def name(self) -> str:
        """For logs: engine and voice."""
        return f"espeak-ng {self._voice}"

    @property
    def language(self) -> str:
        """The tag given at construction."""
        return self._language

    @property
    def follows_speed(self) -> bool:
        """True: the library has a rate setting."""
        return True

    @property
    def rate(self) -> int:
        """22 050 Hz."""
        return self._espeak.rate

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Every voice of the installation."""
        return self._espeak.voices()

    def synthesize(self, text: str, speed: float = 1.0) -> SynthesizedSpeech:
        """See `Engine.synthesize`; the pace stays within 80-450 words a minute whatever `speed` says."""
        if not speed > 0:
            raise TtsError(f"A speaking speed must be above 0, not {speed}.")
        if len(text) > _LONGEST_TEXT:
            raise TtsError(f"A text of {len(text)} characters is too long to speak at once; cut it up.")
        if not any(character.isalnum() for character in text):
            return SynthesizedSpeech(np.empty(0, np.float32), self.rate)
        pace = round(self.config.words_per_minute * speed ** (1 / _PACE_EXPONENT))
        # A zero byte would end the text for the library; a space keeps every position.
        clean = text.replace("\0", " ")
        with self._espeak.lock:
            self._espeak.select(self._voice, min(max(pace, _SLOWEST), _FASTEST), self.config)
            blocks, marks = self._espeak.speak(clean)
        if not blocks:
            return SynthesizedSpeech(np.empty(0, np.float32), self.rate)
        samples = np.concatenate(blocks).astype(np.float32) / np.float32(32768)
        return SynthesizedSpeech(samples, self.rate, _words(marks, len(samples)))

    def _find(self, language: str) -> str:
        tag = language.strip().lower().replace("_", "-")
        if tag.split("-")[0] in SPELT_OUT:
            raise TtsUsageError(f"No speech output in {language!r}: {SPELT_OUT[tag.split('-')[0]]}.")
        candidates = [tag, tag.rpartition("-")[0], tag.split("-")[0]]
        for candidate in (_ALIASES.get(c, c) for c in candidates if c):
            if self._exists(candidate):
                return candidate
        raise TtsUsageError(f"espeak-ng does not speak {language!r}; {self._nearest(tag)}")

    def _check(self, voice: str) -> str:
        base, plus, variant = voice.partition("+")
        base = _ALIASES.get(base, base)
        if variant and not (self._espeak.data / "voices" / "!v" / variant).is_file():
            known = sorted(path.name for path in (self._espeak.data / "voices" / "!v").iterdir())
            raise TtsUsageError(f"espeak-ng has no voice variant {variant!r}; it has {', '.join(known)}.")
        if not base or not self._exists(base + plus + variant):
            raise TtsUsageError(f"espeak-ng has no voice {voice!r}; {self._nearest(base)}")
        return base + plus + variant

    def _nearest(self, word: str) -> str:
        """What to say after a voice or language that is not known: the nearest by code or by name in English."""
        codes = {voice.label.lower(): voice.language for voice in self.voices}
        codes |= {voice.language: voice.language for voice in self.voices}
        near = [codes[name] for name in difflib.get_close_matches(word.lower(), codes, n=3, cutoff=0.75)]
        own = [code for code in codes.values() if code.split("-")[0] == self._language.split("-")[0].lower()]
        found = list(dict.fromkeys(near)) or sorted(set(own or codes.values()))
        return f"did you mean {' or '.join(found)}?" if near else f"there are {', '.join(found)}."

    def _exists(self, voice: str) -> bool:
        try:
            with self._espeak.lock:
                self._espeak.select(voice, self.config.words_per_minute, self.config)
        except TtsError:
            return False
        return True


def _words(marks: _Marks, length: int) -> tuple[WordMark, ...]:
    """One mark a written word: a number spoken as several words reports its parts inside itself."""
    words: list[WordMark] = []
    for start, count, sample in marks:
        if not words or start >= words[-1].start + words[-1].length:
            words.append(WordMark(max(start, 0), max(count, 1), min(sample, length)))
    return tuple(words)
