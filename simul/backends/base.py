"""The interface of a model backend: streams that are pushed, advanced and decoded in batches, and what it can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from policies.base import SUBSTITUTES, Candidate, Need, Policy, SourceView, StopRule
from simul.clock import cpu_seconds
from simul.errors import EvidenceError, SimulError, UsageError
from simul.languages import OR, SPOKEN, alternatives
from simul.models.terms.reading import Term
from simul.units import Samples

State = TypeVar("State")


@dataclass(frozen=True)
class StreamSpec:
    """What one stream asks of a backend: ISO 639-1 codes; source equal to target means transcription.

    terms: names and rare words that the stream is about, besides those that the backend was made with.
    """

    source: str = "en"
    target: str = "de"
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What a backend can do.

    sources, targets: languages. soft_window, hard_window: samples that bound the audio of one decoding pass; above
    the first the stream cuts at committed word ends when it can, above the second it commits by force and cuts.
    None: the backend bounds its segments itself. trims: audio is forgotten where the stream says. exports: the
    state of a stream can be taken out and put into another backend of the same model; a cascade's where its
    recogniser's can. shares: streams into other languages can share what is heard of one recording. terms: streams
    may bring their own. streams_at_once: how many
    streams may be open; None: as many as memory holds. meter: what its computing is measured by; `elapsed_seconds`
    for a model that computes in several threads, on a GPU or on another machine.
    """

    sources: frozenset[str]
    targets: frozenset[str]
    soft_window: int | None = None
    hard_window: int | None = None
    trims: bool = False
    exports: bool = False
    shares: bool = False
    terms: bool = False
    streams_at_once: int | None = None
    meter: Callable[[], float] = cpu_seconds


@dataclass(frozen=True)
class DecodeRequest:
    """One stream's turn in a decoding pass: a value, which later audio does not change.

    stream: the number that `Backend.open` gave. segment: number of the stream's segment. view: what the policy
    planned on; the answer rests on the audio up to `until` and on nothing after it. `prefix` and `prefix_ids` are
    the segment's committed tokens, to be forced; `word_complete`: they end with a whole word, which the candidate
    may not make longer. `context` and `context_ids` are committed text whose audio has been cut away (a prompt).
    """

    stream: int
    segment: int
    view: SourceView
    prefix: tuple[str, ...] = ()
    prefix_ids: tuple[int, ...] = ()
    context: str = ""
    context_ids: tuple[int, ...] = ()
    max_new_tokens: int | None = None
    stop: StopRule | None = None
    word_complete: bool = False

    @property
    def until(self) -> int:
        """The stream sample up to which the backend may listen."""
        return self.view.heard

    @property
    def final(self) -> bool:
        """Whether the segment is closed, so that its end is known."""
        return self.view.segment_final


class Backend(ABC, Generic[State]):
    """One model family. Weights are shared; what belongs to one stream is a `State`, kept by the stream's number.

    A backend knows no policy. Only `advance` and `decode` compute, and they take several streams at once. Calls
    come from one thread at a time.
    """

    name: ClassVar[str]

    def __init__(self, provides: frozenset[Need], limits: Limits) -> None:
        self.provides, self.limits = provides, limits
        self._states: dict[int, State] = {}
        self._opened = 0

    @property
    def streams(self) -> tuple[int, ...]:
        """The numbers of the streams that are open."""
        return tuple(self._states)

    @property
    def meter(self) -> Callable[[], float]:
        """What its computing is measured by."""
        return self.limits.meter

    def open(self, spec: StreamSpec) -> int:
        """The number of a new stream.

        Raises:
            UsageError: the languages or terms are not served, or too many streams are open.
        """
        if spec.terms and not self.limits.terms:
            raise UsageError(f"The backend {self.name} takes no terms; leave them out, or use Whisper.")
        most = self.limits.streams_at_once
        if most is not None and len(self._states) >= most:
            raise UsageError(
                f"The backend {self.name} serves {most} streams at once, and all are taken; close one."
            )
        return self._admit(self._start(spec))

    def beside(self, stream: int, target: str) -> int:
        """A further stream that writes `target` on the audio of `stream`, to which alone audio is pushed.

        Raises:
            UsageError: the language is not served, or the backend hears every stream by itself.
        """
        raise UsageError(f"The backend {self.name} writes one language at a time; run it once for each.")

    def _admit(self, state: State) -> int:
        self._opened += 1
        self._states[self._opened] = state
        return self._opened

    def state(self, stream: int) -> State:
        """What is kept of a stream.

        Raises:
            SimulError: no such stream is open.
        """
        try:
            return self._states[stream]
        except KeyError:
            raise SimulError(
                f"The backend {self.name} has no open stream {stream}; it was released."
            ) from None

    def release(self, stream: int) -> None:
        """Let go of what a stream holds; once it is released, again does no harm."""
        state = self._states.pop(stream, None)
        if state is not None:
            self._stop(state)

    @abstractmethod
    def _start(self, spec: StreamSpec) -> State:
        """The state of a new stream; raises `UsageError` when the languages are not served."""

    def _stop(self, state: State) -> None:
        """Give back what a state holds besides memory."""

    @abstractmethod
    def push(self, stream: int, samples: Samples) -> None:
        """Copy float32 mono samples at 16 kHz; nothing is computed."""

    @abstractmethod
    def end(self, stream: int) -> None:
        """No more samples will come; what that means is computed by `advance`."""

    @abstractmethod
    def advance(self, streams: Sequence[int]) -> None:
        """Compute what needs no decision over the audio pushed so far: voice activity, recognition, encoding."""

    @abstractmethod
    def view(self, stream: int) -> SourceView:
        """What is known of the current segment's source since the last `advance`; changes nothing."""

    @abstractmethod
    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        """One candidate per request, in order; a batch gives what single calls give."""

    @abstractmethod
    def next_segment(self, stream: int) -> None:
        """Leave the current segment, which was final and is fully committed, and go on to the next."""

    def trim(self, stream: int, before: int) -> None:
        """Forget the current segment's audio before stream sample `before` (backends whose limits say `trims`)."""
        raise UsageError(f"The backend {self.name} cuts its audio itself and cannot be trimmed.")

    def export_state(self, stream: int) -> Any:
        """A copy of a stream's state for `import_state`, made of plain values and arrays.

        A stream that was opened beside another leaves to that one what is heard of their audio.
        """
        raise UsageError(f"The backend {self.name} cannot export the state of a stream.")

    def import_state(self, exported: Any, beside: int | None = None) -> int:
        """The number of a stream that goes on from an exported state.

        beside: the stream, imported before, on whose audio it was opened (`Backend.beside`).

        Raises:
            UsageError: the state is of another model or damaged, or the backend imports none.
        """
        raise UsageError(f"The backend {self.name} cannot import the state of a stream.")


def check_languages(backend_name: str, limits: Limits, spec: StreamSpec) -> None:
    """Raise `UsageError` when a backend does not serve the languages of `spec`."""
    for what, code, known in (
        ("source", spec.source, limits.sources),
        ("target", spec.target, limits.targets),
    ):
        if OR in code and SPOKEN not in known:
            raise UsageError(
                f"The {what} language {code!r} is to be found out, which {backend_name} does not; name one language."
            )
        for each in alternatives(code) or (code,):
            if each not in known:
                raise UsageError(
                    f"The {what} language {each!r} is not served by {backend_name}; choose one of: "
                    f"{', '.join(sorted(known))}."
                )


def check_evidence(policy: Policy, backend: Backend[Any]) -> None:
    """Raise `EvidenceError` when `policy` needs what `backend` does not provide, naming substitutes."""
    missing = (
        policy.needs - backend.provides - (frozenset({Need.CUT}) if backend.limits.trims else frozenset())
    )
    if missing:
        needs = " and ".join(sorted(need.value for need in missing))
        # A profile that needs no cut helps only where nothing else is missing.
        wanting = missing - {Need.CUT} or missing
        instead = "; ".join(
            sorted({SUBSTITUTES[_served(need, backend)] for need in wanting if need in SUBSTITUTES})
        )
        hint = f" Use instead: {instead}." if instead else ""
        raise EvidenceError(
            f"The policy {policy.name} needs {needs}, which the backend {backend.name} does not provide.{hint}"
        )


def _served(need: Need, backend: Backend[Any]) -> Need:
    """`need`, or the one after it where the backend lacks what its substitute needs too."""
    return Need.SPANS if need is Need.ALIGNMENT and Need.SPANS not in backend.provides else need
