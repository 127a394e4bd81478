"""From options to sessions: the policy and the model that they name, loaded once and shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from policies.base import Need, Policy
from policies.registry import make_policy
from simul.audio.intake import to_samples
from simul.backends.families import LoadedBackend, load_backend, load_for_several
from simul.clock import Clock
from simul.config import ModelConfig, StreamOptions
from simul.session.session import Session, SessionConfig


class LoadBackend(Protocol):
    """Loads a model, as `simul.backends.families.load_backend` does."""

    def __call__(
        self, config: ModelConfig, source: str, target: str, *, needs: frozenset[Need]
    ) -> LoadedBackend:
        """The model for a language pair that can show what a policy needs."""


@dataclass
class SessionFactory:
    """Makes sessions that share one loaded model; can be sent to another process, which loads its own.

    Raises:
        UsageError: an argument of the policy is not of the form NAME=VALUE.
        PolicyError: the policy or a parameter of it is not known.
    """

    stream: StreamOptions = field(default_factory=StreamOptions)
    model: ModelConfig = field(default_factory=ModelConfig)
    load: LoadBackend = load_backend
    beside: tuple[str, ...] = ()
    """Further languages that are written on the same audio."""
    _loaded: LoadedBackend | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.policy()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}

    def policy(self) -> Policy:
        """A new policy."""
        return make_policy(self.stream.policy, self.stream.policy_arguments())

    @property
    def loaded(self) -> LoadedBackend:
        """The model, loaded on first use.

        Raises:
            UsageError: no model serves the languages.
            ModelMissingError: a model, a file of it or the package that runs it is not here.
        """
        if self._loaded is None:
            needs = self.policy().needs
            source, target = self.stream.source, self.stream.target
            if self.beside:
                self._loaded = load_for_several(self.model, source, (target, *self.beside), needs=needs)
            else:
                self._loaded = self.load(self.model, source, target, needs=needs)
        return self._loaded

    def __call__(self, clock: Clock | None = None) -> Session:
        """A session for a new stream, on the wall clock where none is given.

        Raises:
            EvidenceError: the policy needs evidence that the model does not provide; and what `loaded` raises.
        """
        options = self.stream
        config = SessionConfig(options.source, options.target, to_samples(options.chunk_ms))
        return Session(self.policy(), self.loaded.backend, clock, config, self.beside)
