"""The embedded recogniser: pocketsphinx over a stream, with endpointing, word times and bounded memory."""

from __future__ import annotations

import re
import warnings
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError
from simul.hearing.endpoint import EndpointConfig, Endpointer
from simul.install import install_hint
from simul.memory import tables_in_memory
from simul.models.words import Utterance, Word
from simul.units import SAMPLE_RATE, check_samples

if TYPE_CHECKING:
    from types import ModuleType

FRAME = 480
"""Samples that voice activity is judged on, and the block in which the decoder is fed (30 ms)."""
HOP = 160
"""Samples a decoder frame advances (10 ms)."""
CEPSTRAL_MEAN = "47.54,6.71,-2.47,9.42,-3.02,1.80,-8.11,0.02,-2.84,0.42,-1.30,-0.37,1.47"
"""Where cepstral mean normalisation starts: the average over 40 LibriVox speakers and microphones."""
CHECKPOINTS = (100, 250)
"""Decoder frames into the first speech of a stream at which its cepstral mean is estimated anew."""

SEARCH = {"fwdflat": False, "bestpathlw": 7.5}
"""Decoder settings, chosen on librispeech-mini train without its first 25 rows. The flat-lexicon pass is off: it
searches the whole utterance once more and would hold up its end."""

WORD_EXITS = 60_000
"""Word exits that the tables of the search have room for from the start, with 20 scores each: about 20 s of speech
without a pause. A longer utterance makes them grow."""

SPOKEN = {"mr": "mister", "mrs": "missus", "dr": "drive", "dr(2)": "doctor"}
"""Abbreviations of the dictionary, by pronunciation, and what was said."""

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")
_VARIANT = re.compile(r"\(\d+\)$")


def import_pocketsphinx() -> ModuleType:
    """The pocketsphinx package.

    Raises:
        ModelMissingError: it is not installed.
    """
    try:
        import pocketsphinx
    except ImportError as error:
        raise ModelMissingError(
            "The embedded recogniser needs the package pocketsphinx, which is not installed; "
            f"run: {install_hint('embedded')}"
        ) from error
    return pocketsphinx


def stock_model() -> Path:
    """Folder of the US-English model inside the pocketsphinx wheel.

    Raises:
        ModelMissingError: pocketsphinx is not installed or came without its model.
    """
    folder = Path(import_pocketsphinx().get_model_path()) / "en-us"
    if not (folder / "en-us" / "mdef").is_file():
        raise ModelMissingError(
            f"pocketsphinx is installed without its English model (looked in {folder}); "
            "reinstall it from its wheel: pip install --force-reinstall pocketsphinx"
        )
    return folder


def shipped_model() -> Path:
    """The language model inside this package: everyday English and prose mixed with pocketsphinx's own."""
    return Path(__file__).parents[2] / "data" / "embedded" / "english.lm.bin"


@dataclass(frozen=True)
class RecognizerConfig:
    """What the recogniser loads and how it cuts the stream.

    `language_model` is an ARPA file or a pocketsphinx trie (`.lm.bin`); None takes the shipped one.
    `dictionary` is a pronunciation dictionary in CMU form; None takes the one pocketsphinx brings. `endpoint`
    holds the endpointing thresholds in frames of 30 ms.
    """

    language_model: Path | None = None
    dictionary: Path | None = None
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)


class SphinxRecognizer:
    """Recognises one stream of English speech.

    Feed samples with `push`, read the words of the open utterance with `hypothesis`, collect the utterances
    that have ended with `events`, and call `finish` once at the end. What comes out depends only on the
    samples, not on how they were cut into pushes nor on any other recogniser in the process.

    Within an utterance `hypothesis` is the first pass; the final words come from a second pass over the
    whole utterance and may differ anywhere in it.

    Cepstral means differ between speakers and microphones, and a wrong one costs more errors than any other
    setting. The decoder adapts its mean only from one utterance to the next, so the first utterance is
    decoded again from its start with a better mean after 1 s and after 2.5 s, or at its end if it is shorter.

    Raises:
        ModelMissingError: pocketsphinx, its model or a configured file is missing.
    """

    any_cut: ClassVar[bool] = True
    """Hypotheses depend on the samples alone, so that a trace with small pieces serves larger ones too."""

    def __init__(self, config: RecognizerConfig | None = None) -> None:
        self.config = config or RecognizerConfig()
        sphinx = import_pocketsphinx()
        self._decoder: Any = _open_decoder(sphinx, self.config)
        self.reset()

    def reset(self) -> None:
        """Forget the stream and start another one at sample 0, as a new recogniser would."""
        if getattr(self, "_open", False):
            self._decoder.end_utt()
        vad = import_pocketsphinx().Vad
        self._vad: Any = vad(vad.LOOSE, SAMPLE_RATE, FRAME / SAMPLE_RATE)
        with warnings.catch_warnings():
            # Called deprecated and unnecessary, yet nothing else resets the noise estimate of the front end.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._decoder.start_stream()
        self._decoder.set_cmn(CEPSTRAL_MEAN)
        self._endpointer = Endpointer(self.config.endpoint)
        self._lookback: deque[bytes] = deque(maxlen=self.config.endpoint.lookback)
        self._rest = np.empty(0, np.int16)
        self._heard = 0
        self._utterance_start = 0
        self._open = False
        self._spoken = bytearray()
        self._spoken_before = 0
        self._events: list[Utterance] = []
        self._partial: tuple[Word, ...] | None = ()

    @property
    def heard(self) -> int:
        """Samples of the stream that recognition has taken in (a whole number of frames until `finish`)."""
        return self._heard

    @property
    def in_speech(self) -> bool:
        """Whether an utterance is open."""
        return self._open

    @property
    def utterance_start(self) -> int:
        """First sample of the open utterance; without one, the earliest sample the next one can start at."""
        return self._utterance_start if self._open else max(self._utterance_start, self._earliest_start())

    def push(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples of the stream, float32 mono at 16 kHz in -1..1, any number of them.

        Raises:
            AudioError: the samples are not a vector, or not finite.
        """
        check_samples(samples)
        scaled = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
        pending = np.concatenate([self._rest, scaled])
        whole = len(pending) - len(pending) % FRAME
        for start in range(0, whole, FRAME):
            self._take(pending[start : start + FRAME].tobytes())
        self._rest = pending[whole:]

    def hypothesis(self) -> tuple[Word, ...]:
        """The first pass over the open utterance so far; empty between utterances."""
        if self._partial is None:
            self._partial = self._words(final=False)
        return self._partial

    def events(self) -> list[Utterance]:
        """The utterances that have ended since the last call, in order."""
        ended, self._events = self._events, []
        return ended

    def finish(self) -> list[Utterance]:
        """End the stream: recognise what is left and return the utterances not yet collected.

        A stretch too short to have started an utterance is recognised if any of it is voiced.
        """
        rest = self._rest.tobytes()
        if not self._open and self._endpointer.pending_voiced:
            self._start()
        self._heard += len(self._rest)
        if self._open:
            if rest:
                self._decode(rest)
            self._end("end")
        self._rest = np.empty(0, np.int16)
        return self.events()

    def _earliest_start(self) -> int:
        return self._heard - FRAME * len(self._lookback)

    def _take(self, frame: bytes) -> None:
        """Judge and decode one whole frame."""
        self._heard += FRAME
        if not self._open:
            self._lookback.append(frame)
        change = self._endpointer.push(bool(self._vad.is_speech(frame)))
        if change == "start":
            self._start()
        elif self._open:
            self._decode(frame)
            if change != "none":
                self._end(change)

    def _start(self) -> None:
        self._utterance_start = self._earliest_start()
        self._open = True
        self._decoder.start_utt()
        for frame in self._lookback:
            self._decode(frame)
        self._lookback.clear()

    def _decode(self, frame: bytes) -> None:
        """Give a frame to the decoder, and begin anew with a better mean where that is due."""
        self._decoder.process_raw(frame)
        self._partial = None
        if self._adapted:
            return
        before = self._spoken_frames
        self._spoken += frame
        if any(before < checkpoint <= self._spoken_frames for checkpoint in CHECKPOINTS):
            self._begin_anew()

    @property
    def _spoken_frames(self) -> int:
        """Decoder frames of speech since the stream began, as far as the mean still adapts to them."""
        return self._spoken_before + len(self._spoken) // (2 * HOP)

    @property
    def _adapted(self) -> bool:
        return self._spoken_frames >= CHECKPOINTS[-1]

    def _begin_anew(self) -> None:
        """Decode the open utterance again from its start with the mean of what it has said so far."""
        mean = self._decoder.get_cmn(True)
        self._decoder.end_utt()
        self._decoder.set_cmn(mean)
        self._decoder.start_utt()
        self._decoder.process_raw(bytes(self._spoken))

    def _end(self, cause: Literal["pause", "limit", "end"]) -> None:
        if not self._adapted:
            self._begin_anew()
        self._spoken_before = self._spoken_frames
        self._spoken.clear()
        self._decoder.end_utt()
        words = self._words(final=True)
        self._events.append(Utterance(words, self._utterance_start, self._heard, cause))
        self._open = False
        self._utterance_start = self._heard
        self._partial = ()

    def _words(self, final: bool) -> tuple[Word, ...]:
        if self._decoder.hyp() is None:
            return ()
        words = []
        for segment in self._decoder.seg():
            if _FILLER.fullmatch(segment.word):
                continue
            start = self._utterance_start + HOP * segment.start_frame
            end = min(self._utterance_start + HOP * (segment.end_frame + 1), self._heard)
            confidence = min(1.0, float(segment.prob)) if final else None
            text = SPOKEN.get(segment.word, _VARIANT.sub("", segment.word))
            words.append(Word(text, min(start, end), end, confidence))
        return tuple(words)


def _open_decoder(sphinx: ModuleType, config: RecognizerConfig) -> Any:
    model = stock_model()
    files = {
        "lm": config.language_model or shipped_model(),
        "dict": config.dictionary or model / "cmudict-en-us.dict",
    }
    for path in files.values():
        if not path.is_file():
            raise ModelMissingError(f"The recogniser's file {path} does not exist; check the path.")
    sphinx.set_loglevel("FATAL")
    try:
        with tables_in_memory():
            return sphinx.Decoder(
                hmm=str(model / "en-us"),
                **{name: str(path) for name, path in files.items()},
                **SEARCH,
                latsize=WORD_EXITS,
            )
    except (RuntimeError, ValueError) as error:
        raise ModelMissingError(
            f"pocketsphinx cannot load the language model {files['lm']} with the dictionary {files['dict']} "
            f"({error}); the files are damaged or not of that kind."
        ) from error
