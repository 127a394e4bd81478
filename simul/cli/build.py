"""From options to a session: the policy, the model and the session that the commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simul.cli.context import Context, LoadBackend
from simul.cli.options import Parser, from_namespace
from simul.config import ModelConfig, StreamOptions

if TYPE_CHECKING:
    from policies.base import Policy
    from simul.clock import Clock
    from simul.session import Session

MODEL_NAMES = {"device": "model_device"}
"""Where the flag of a model option differs from its field: `--device` is the microphone."""


def add_session_options(parser: Parser) -> None:
    """Languages, policy, chunk and model."""
    parser.add_dataclass(StreamOptions, "stream")
    parser.add_dataclass(ModelConfig, "model", MODEL_NAMES)


@dataclass
class SessionFactory:
    """Makes sessions that share one loaded model; can be sent to another process, which loads its own."""

    stream: StreamOptions
    model: ModelConfig
    load: LoadBackend
    _loaded: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, given: argparse.Namespace, context: Context) -> SessionFactory:
        """The factory that the options describe; raises for an unknown policy or parameter at once."""
        model = from_namespace(ModelConfig, given, MODEL_NAMES)
        factory = cls(from_namespace(StreamOptions, given), model, context.load_backend)
        factory.policy()
        return factory

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaded": None}

    def policy(self) -> Policy:
        """A new policy."""
        from policies.registry import make_policy

        return make_policy(self.stream.policy, self.stream.policy_arguments())

    @property
    def loaded(self) -> Any:
        """The model, loaded on first use."""
        if self._loaded is None:
            needs = self.policy().needs
            self._loaded = self.load(self.model, self.stream.source, self.stream.target, needs=needs)
        return self._loaded

    def __call__(self, clock: Clock) -> Session:
        """A session for a new stream."""
        from simul.audio.intake import to_samples
        from simul.session import Session, SessionConfig

        options = self.stream
        config = SessionConfig(options.source, options.target, to_samples(options.chunk_ms))
        return Session(self.policy(), self.loaded.backend, clock, config)


def announce(factory: SessionFactory, context: Context) -> None:
    """Load the model and say on standard error which it is."""
    context.note(factory.loaded.description)


Stopped = Callable[[], bool]
"""Whether the user asked to stop."""
