"""simulstream speech processor: our session inside simulstream's inference command and server (simulstream 1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from simulstream.server.speech_processors import SpeechProcessor
from simulstream.server.speech_processors.incremental_output import IncrementalOutput

from simul.adapters.pieces import Pieces, text_of
from simul.adapters.sessions import Sessions
from simul.backends.families import load_backend
from simul.config import ModelConfig, StreamOptions
from simul.errors import UsageError
from simul.options import from_table
from simul.session import Session
from simul.session.events import Event
from simul.session.factory import SessionFactory
from simul.units import SAMPLE_RATE, Samples

DETOKENIZER = {"detokenizer_type": "simuleval", "latency_unit": "spm"}
"""What simulstream's scorers need to read the tokens of our logs."""

_THEIRS = {"type", "speech_chunk_size", "base_speech_processor_class", "min_speech_size", *DETOKENIZER}


class SimulProcessor(SpeechProcessor):
    """Runs a session; a retraction becomes deleted tokens.

    The configuration holds simulstream's `type` and `speech_chunk_size` (seconds) and the options of
    `simul translate` for stream and model by their names. Processors of one configuration share the model. A
    subclass may serve a model of its own through `load_backend`.
    """

    load_backend = staticmethod(load_backend)

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__(config)
        self.load_model(config)
        self._sessions: Sessions = config.simul_sessions
        self._session = self._sessions.session()
        self._pieces = Pieces(self._sessions.target)
        self._languages: dict[str, str] = {}
        self._begun = False

    @classmethod
    def load_model(cls, config: SimpleNamespace) -> None:
        """Load the model and keep it in `config`, once however many processors are made of it.

        Raises:
            UsageError: an option is not known or cannot be used, or no model serves the languages.
            EvidenceError: the policy needs evidence that the model does not provide.
            ModelMissingError: a model or its package is not here.
        """
        if not hasattr(config, "simul_sessions"):
            config.simul_sessions = Sessions(_factory(config, cls.load_backend))

    def set_source_language(self, language: str) -> None:
        """The language spoken (ISO 639-1) of the stream that begins."""
        self._set("source", language)

    def set_target_language(self, language: str) -> None:
        """The language to write (ISO 639-1) of the stream that begins."""
        self._set("target", language)

    def _set(self, name: str, language: str) -> None:
        if self._begun and language != self._languages.get(name, getattr(self._sessions, name)):
            raise UsageError(f"The {name} language cannot change within a stream; end the stream first.")
        self._languages[name] = language

    def process_chunk(self, waveform: Samples) -> IncrementalOutput:
        """Hear float32 samples at 16 kHz; what settled and what was taken back."""
        session = self._open()
        events = session.feed(waveform)
        if self._sessions.revises and len(waveform) < int(self.speech_chunk_size * SAMPLE_RATE):
            # A chunk cut short is the last of the stream. simulstream joins its output to that of
            # `end_of_stream` and, when it adds nothing, forgets what the latter deletes.
            events += session.finish()
        return self._output(events)

    def end_of_stream(self) -> IncrementalOutput:
        """Settle what is left."""
        return self._output(self._session.finish() if self._begun else [])

    def tokens_to_string(self, tokens: Sequence[str]) -> str:
        """The text of tokens, to be appended as it is."""
        return text_of(tokens)

    def clear(self) -> None:
        """Be ready for another stream, in the languages of the configuration."""
        self._session.reset()
        self._languages = {}
        self._pieces = Pieces(self._sessions.target)
        self._begun = False

    def _open(self) -> Session:
        """The session of the stream; audio after the end of a stream that was not cleared goes on as a new segment."""
        if not self._begun:
            source = self._languages.get("source", self._sessions.source)
            target = self._languages.get("target", self._sessions.target)
            config = self._session.config
            if (config.source, config.target) != (source, target):
                self._session = self._sessions.session(source, target)
            self._pieces = Pieces(target)
            self._begun = True
        if self._session.finished:
            self._session.reset()
            self._pieces.segment_end()
        return self._session

    def _output(self, events: list[Event]) -> IncrementalOutput:
        added, deleted = self._pieces.take(events)
        return IncrementalOutput(
            new_tokens=added,
            new_string=text_of(added),
            deleted_tokens=deleted,
            deleted_string=text_of(deleted),
        )


def _factory(config: SimpleNamespace, load: Any) -> SessionFactory:
    """The session factory that a configuration describes, checked as the command line checks its options."""
    seconds = getattr(config, "speech_chunk_size", None)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise UsageError("The configuration needs speech_chunk_size, in seconds; set it to 0.5.")
    for name, value in DETOKENIZER.items():
        if getattr(config, name, value) != value:
            raise UsageError(
                f"The configuration has {name}: {getattr(config, name)}, but simulstream can only read the "
                f"tokens of these logs with {' and '.join(f'{n}: {v}' for n, v in DETOKENIZER.items())}."
            )
    table = {
        name: vars(value) if isinstance(value, SimpleNamespace) else value
        for name, value in vars(config).items()
        if name not in _THEIRS and not name.startswith("vad_")
    }
    table.setdefault("chunk_ms", round(seconds * 1000))
    stream, model = from_table((StreamOptions, ModelConfig), table, "The configuration")
    return SessionFactory(stream, model, load)
