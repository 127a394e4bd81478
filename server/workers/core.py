"""What a worker does, without a process around it: commands in, steps of its engines, answers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from policies.registry import describe, make_policy
from server.workers.messages import (
    Answer,
    Command,
    DropTrack,
    Offer,
    OpenTrack,
    SpeakText,
    TextJob,
    TextSpoken,
    TextTranslated,
    TrackOpened,
    TrackRefused,
    TrackSpec,
    TranslateText,
    WorkerReady,
)
from server.workers.speech import InstalledVoices, installed_voices
from server.workers.track import AudioTrack
from simul.backends.base import Backend, StreamSpec, check_languages
from simul.config import ModelConfig, StreamOptions
from simul.engine import Ladder, StreamEngine, Terms
from simul.errors import ModelMissingError, SimulError, UsageError, failure_message
from simul.languages import SPOKEN
from simul.models.terms.book import TermBook
from simul.models.terms.reading import Term, term_of
from simul.session.events import SegmentEnd
from simul.session.factory import LoadBackend
from simul.session.session import Session
from simul.session.stream import SessionConfig
from simul.units import Samples
from tts import SpeakingPace


class WorkerModels(Protocol):
    """Where a worker's backends, text translators and voices come from."""

    def load(self) -> Offer:
        """Load what the server was started with; says what that is and does."""

    def backend(self, source: str, targets: tuple[str, ...], policy: Any) -> tuple[Backend[Any], str]:
        """A backend that serves the languages and shows what the policy needs, and what it is called."""

    def translate(self, text: str, source: str, target: str, terms: tuple[Term, ...] = ()) -> str:
        """A text into another language; terms that say what they are called there are called so."""

    def prepare(self, source: str, target: str) -> None:
        """Make ready to translate what is said.

        Raises:
            UsageError: nothing here does.
        """

    def retell(self, text: str, samples: Samples, source: str, target: str, terms: tuple[Term, ...]) -> str:
        """What was said, in another language, by its text, or by its audio where only that can be translated."""

    def speak(self, text: str, language: str, pace: SpeakingPace, voice: str = "") -> tuple[bytes, str]:
        """The sound of a text, as 16-bit samples at SPEECH_RATE, and what the voice is called."""


@dataclass
class WorkerCore:
    """Tracks on engines, one engine for each backend; `now` is a clock that the gateway shares."""

    models: WorkerModels
    now: Callable[[], float]
    tracks: dict[str, AudioTrack] = field(default_factory=dict)
    engines: dict[int, StreamEngine] = field(default_factory=dict)
    jobs: list[TextJob] = field(default_factory=list)

    def load(self) -> WorkerReady:
        """Load the models; raises what loading them does."""
        return WorkerReady(self.models.load())

    @property
    def busy(self) -> bool:
        """Whether a step would do something."""
        return bool(self.jobs) or any(engine.ready for engine in self.engines.values())

    @property
    def level(self) -> int:
        """How much rarer decisions are taken than they should be, 0: not at all."""
        return max((engine.ladder.level for engine in self.engines.values() if engine.ladder), default=0)

    def handle(self, command: Command) -> list[Answer]:
        """Take a command; what it brought about at once."""
        if isinstance(command, OpenTrack):
            return [self._open(command)]
        if isinstance(command, (TranslateText, SpeakText)):
            self.jobs.append(command)
            return []
        track = self.tracks.get(command.key)
        if track is None:
            return []
        if isinstance(command, DropTrack):
            track.close()
            del self.tracks[command.key]
            return []
        return self._kept(track, track.put(command, self.now()))

    def _open(self, command: OpenTrack) -> Answer:
        old = self.tracks.pop(command.key, None)
        if old is not None:
            old.close()
        place = command.base, command.segment, self.now()
        try:
            track = AudioTrack(command.key, command.spec, self._opened, self._retell, *place)
        except Exception as error:
            return TrackRefused(command.key, failure_message(error))
        self.tracks[command.key] = track
        return TrackOpened(command.key, track.model, track.policy.name, track.policy.revises)

    def _opened(self, spec: TrackSpec, at: float) -> tuple[StreamEngine, int, Any, str]:
        """A stream for a track."""
        policy = make_policy(spec.policy, dict(spec.policy_args))
        targets = spec.written
        for pair in (spec.between, spec.between[::-1]) if spec.between else ():
            self.models.prepare(*pair)
        backend, name = self.models.backend(spec.source, targets, policy)
        engine = self.engines.setdefault(id(backend), StreamEngine(backend, ladder=Ladder()))
        config = SessionConfig(spec.source, targets[0], spec.chunk, terms=terms_of(spec.terms))
        number = engine.open(
            policy, config, at, beside=targets[1:], terms=Terms(live=spec.live, owner=spec.owner)
        )
        return engine, number, policy, name

    def _retell(self, spec: TrackSpec, text: str, samples: Samples, source: str, target: str) -> str:
        """What was said in a conversation, in the other language."""
        return self.models.retell(text, samples, source, target, terms_of(spec.terms))

    def step(self) -> list[Answer]:
        """One step of every engine that has something to do, then one text; what they brought about."""
        answers: list[Answer] = []
        for engine in self.engines.values():
            if engine.ready:
                answers += self._step(engine)
        if self.jobs:
            answers.append(self._work(self.jobs.pop(0)))
        return answers

    def _step(self, engine: StreamEngine) -> list[Answer]:
        began = self.now()
        found = engine.step(self.now)
        at = self.now()
        answers: list[Answer] = []
        for track in list(self.tracks.values()):
            if track.engine is engine:
                answers += self._kept(track, track.took(found.get(track.number, ()), began, at))
        return answers

    def _kept(self, track: AudioTrack, answers: list[Answer]) -> list[Answer]:
        """What a track answers; one that is over is forgotten."""
        if track.over:
            del self.tracks[track.key]
        return answers

    def _work(self, job: TextJob) -> Answer:
        return self._translate(job) if isinstance(job, TranslateText) else self._speak(job)

    def _speak(self, job: SpeakText) -> Answer:
        try:
            pace = SpeakingPace(job.speed, job.hurry)
            pcm, voice = self.models.speak(job.text, job.language, pace, job.voice)
        except Exception as error:
            return TextSpoken(job.key, job.number, job.language, failure=failure_message(error))
        return TextSpoken(job.key, job.number, job.language, pcm, voice)

    def _translate(self, job: TranslateText) -> Answer:
        try:
            text = self.models.translate(job.text, job.source, job.target, terms_of(job.terms))
        except Exception as error:
            return TextTranslated(job.key, job.number, job.target, failure=failure_message(error))
        return TextTranslated(job.key, job.number, job.target, text)


@dataclass
class InstalledModels:
    """The models that options name. Those of further languages are loaded when they are first asked for, and kept."""

    stream: StreamOptions
    config: ModelConfig
    load_backend: LoadBackend
    loaded: list[tuple[Backend[Any], str, frozenset[Any]]] = field(default_factory=list)
    translators: dict[tuple[str, str], Any] = field(default_factory=dict)
    voices: InstalledVoices = field(default_factory=InstalledVoices)

    def load(self) -> Offer:
        """Load what the options name."""
        policy = make_policy(self.stream.policy, self.stream.policy_arguments())
        backend, name = self.backend(self.stream.source, (self.stream.target,), policy)
        return Offer(
            name, *self._languages(backend), policies_for(backend), installed_voices(), backend.limits.terms
        )

    def _languages(self, backend: Backend[Any]) -> tuple[frozenset[str], frozenset[str]]:
        """What the backend hears and writes. A cascade is loaded for a source; which others its recogniser has, it
        does not say, and of a target that another translator writes it is not known before that is loaded."""
        from simul.backends.cascade import CascadeBackend
        from simul.backends.families import EMBEDDED_TARGETS

        limits = backend.limits
        if not isinstance(backend, CascadeBackend):
            # "auto" is something to hear, and nothing to write.
            return limits.sources, limits.targets - {SPOKEN}
        further = EMBEDDED_TARGETS if self.config.mt is None else ()
        return frozenset(), limits.targets.union(further)

    def backend(self, source: str, targets: tuple[str, ...], policy: Any) -> tuple[Backend[Any], str]:
        """A backend that is loaded and serves the languages, or one that is loaded now."""
        for backend, name, needs in self.loaded:
            if policy.needs <= needs and _serves(backend, source, targets):
                return backend, name
        made = self.load_backend(self.config, source, targets[0], needs=policy.needs)
        if not _serves(made.backend, source, targets):
            raise UsageError(
                f"The model writes one language at a time ({made.description}); ask for one target language, not "
                f"{', '.join(targets)}."
            )
        needs = made.backend.provides | policy.needs
        self.loaded.append((made.backend, made.description, needs))
        return made.backend, made.description

    def translate(self, text: str, source: str, target: str, terms: tuple[Term, ...] = ()) -> str:
        """A text into another language, by the translator that the options name or the best on this machine."""
        from simul.backends.families import load_translators
        from simul.models.translation.interface import TextRequest

        if (source, target) not in self.translators:
            self.translators[source, target] = load_translators(self.config, source, [target])[target].made
        called = TermBook().translations(terms, target)
        [result] = self.translators[source, target].translate([TextRequest(text, target, terms=called)])
        return "".join(result.tokens).strip()

    def prepare(self, source: str, target: str) -> None:
        """Load a translator of texts for the pair, or see that the model which hears translates it itself."""
        from simul.backends.families import load_translators

        try:
            if (source, target) not in self.translators:
                self.translators[source, target] = load_translators(self.config, source, [target])[
                    target
                ].made
        except (UsageError, ModelMissingError) as error:
            if not any(_serves(backend, source, (target,)) for backend, _, _ in self.loaded):
                raise UsageError(f"Nothing here translates from {source} into {target}: {error}") from error

    def retell(self, text: str, samples: Samples, source: str, target: str, terms: tuple[Term, ...]) -> str:
        """By the translator of texts; where there is none, by the model that hears."""
        if (source, target) in self.translators:
            return self.translate(text, source, target, terms)
        policy = make_policy("offline")
        backend, _ = self.backend(source, (target,), policy)
        with Session(policy, backend, config=SessionConfig(source, target, terms=terms)) as session:
            events = [*session.feed(samples), *session.finish()]
        return " ".join(event.text for event in events if isinstance(event, SegmentEnd))

    def speak(self, text: str, language: str, pace: SpeakingPace, voice: str = "") -> tuple[bytes, str]:
        """The sound of a text by a voice on offer, or the best on this machine."""
        return self.voices.speak(text, language, pace, voice)


def terms_of(lines: tuple[str, ...]) -> tuple[Term, ...]:
    """The terms of lines; blank ones are left aside."""
    return tuple(term for term in map(term_of, lines) if term is not None)


def policies_for(backend: Backend[Any]) -> tuple[str, ...]:
    """Policies, as they are without parameters, for which the backend shows enough."""
    simple = [info.name for info in describe() if info.operands == (0, 0)]
    return tuple(name for name in simple if make_policy(name).needs <= backend.provides)


def _serves(backend: Backend[Any], source: str, targets: tuple[str, ...]) -> bool:
    if len(targets) > 1 and not backend.limits.shares:
        return False
    try:
        for target in targets:
            check_languages(backend.name, backend.limits, StreamSpec(source, target))
    except SimulError:
        return False
    return True
