"""The interface of a model backend: what evidence it provides, and how a stream is pushed, decoded and trimmed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from policies.base import SUBSTITUTES, Candidate, Need, Policy, SourceView, StopRule
from simul.clock import cpu_seconds
from simul.errors import EvidenceError, UsageError
from simul.units import Samples


@dataclass(frozen=True)
class StreamSpec:
    """What one stream asks of a backend: ISO 639-1 codes; source equal to target means transcription."""

    source: str = "en"
    target: str = "de"


@dataclass(frozen=True)
class Limits:
    """What a backend can do.

    `soft_window` and `hard_window` (samples) bound the audio that one decoding pass sees: above the first the
    session cuts at committed word ends when it can, above the second it commits by force and cuts. None: the
    backend bounds its segments itself.
    """

    sources: frozenset[str]
    targets: frozenset[str]
    soft_window: int | None = None
    hard_window: int | None = None


@dataclass(frozen=True)
class DecodeRequest:
    """One stream's turn in a decoding pass.

    `prefix` and `prefix_ids` are the segment's committed tokens, to be forced; `word_complete`: they end with a whole
    word, which the candidate may not make longer. `context` is committed text whose audio has been cut away (a
    prompt). `view` is what the policy planned on.
    """

    handle: Any
    view: SourceView
    prefix: tuple[str, ...] = ()
    prefix_ids: tuple[int, ...] = ()
    context: str = ""
    max_new_tokens: int | None = None
    stop: StopRule | None = None
    word_complete: bool = False


class Backend(ABC):
    """One model family. Weights are shared; everything of a stream lives in the handle that `open` returns.

    A backend knows no policy. Calls for one handle come from one thread at a time.
    """

    name: ClassVar[str]
    provides: frozenset[Need]
    limits: Limits
    meter: Callable[[], float] = staticmethod(cpu_seconds)
    """What its computing is measured by; `elapsed_seconds` for a model that does not compute in this process or
    computes in several threads."""

    @property
    def can_trim(self) -> bool:
        """Whether audio is cut where the session says (`trim`); else the backend bounds its segments itself."""
        return type(self).trim is not Backend.trim

    @abstractmethod
    def open(self, spec: StreamSpec) -> Any:
        """A handle for a new stream.

        Raises:
            UsageError: the languages are not served.
        """

    @abstractmethod
    def push(self, handle: Any, samples: Samples) -> None:
        """Take in float32 mono samples at 16 kHz."""

    @abstractmethod
    def end(self, handle: Any) -> None:
        """No more samples will come."""

    @abstractmethod
    def view(self, handle: Any) -> SourceView:
        """What is known of the current segment's source without decoding."""

    @abstractmethod
    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        """One candidate per request, in order; a batch gives what single calls give."""

    @abstractmethod
    def next_segment(self, handle: Any) -> None:
        """Leave the current segment, which was final and is fully committed, and go on to the next."""

    def segment_kind(self, handle: Any) -> str:
        """Why the current final segment ended: "pause", "limit" or "end"."""
        return "pause"

    def trim(self, handle: Any, before: int) -> None:
        """Forget the current segment's audio before stream sample `before`."""
        raise UsageError(f"The backend {self.name} cuts its audio itself and cannot be trimmed.")

    @abstractmethod
    def close(self, handle: Any) -> None:
        """Release what the stream holds."""


def check_languages(backend_name: str, limits: Limits, spec: StreamSpec) -> None:
    """Raise `UsageError` when a backend does not serve the languages of `spec`."""
    for what, code, known in (
        ("source", spec.source, limits.sources),
        ("target", spec.target, limits.targets),
    ):
        if code not in known:
            listed = ", ".join(sorted(known)[:40])
            raise UsageError(
                f"The {what} language {code!r} is not served by {backend_name}; choose one of: {listed}."
            )


def check_evidence(policy: Policy, backend: Backend) -> None:
    """Raise `EvidenceError` when `policy` needs what `backend` does not provide, naming substitutes."""
    missing = policy.needs - backend.provides - (frozenset({Need.CUT}) if backend.can_trim else frozenset())
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


def _served(need: Need, backend: Backend) -> Need:
    """`need`, or the one after it where the backend lacks what its substitute needs too."""
    return Need.SPANS if need is Need.ALIGNMENT and Need.SPANS not in backend.provides else need
