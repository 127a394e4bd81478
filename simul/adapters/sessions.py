"""Sessions for the adapters: one configuration, languages that may change, models loaded once and shared."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from simul.backends.base import StreamSpec, check_evidence, check_languages
from simul.clock import WallClock
from simul.session import Session
from simul.session.factory import SessionFactory


class Sessions:
    """Makes sessions on the wall clock; streams of one language pair share a model.

    `source` and `target` are the languages of the configuration, `revises` says whether its policy takes text
    back. May be used from several threads.

    Raises:
        UsageError: no model serves the languages of the configuration.
        EvidenceError: the policy needs evidence that the model does not provide.
        ModelMissingError: a model or its package is not here.
    """

    def __init__(self, factory: SessionFactory) -> None:
        self.source, self.target = factory.stream.source, factory.stream.target
        self.policy = factory.policy().name
        self.revises = factory.policy().revises
        self._factories = {(self.source, self.target): factory}
        self._lock = Lock()
        backend = factory.loaded.backend
        check_evidence(factory.policy(), backend)
        check_languages(backend.name, backend.limits, StreamSpec(self.source, self.target))

    def session(self, source: str | None = None, target: str | None = None) -> Session:
        """A session for a new stream; None: the language of the configuration. Raises what the class raises."""
        pair = (source or self.source, target or self.target)
        with self._lock:
            factory = self._factories.get(pair)
            if factory is None:
                given = self._factories[self.source, self.target]
                stream = replace(given.stream, source=pair[0], target=pair[1])
                factory = SessionFactory(stream, given.model, given.load)
            session = factory(WallClock())
            self._factories[pair] = factory
            return session
