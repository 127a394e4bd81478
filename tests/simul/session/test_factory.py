"""From options to sessions: one model for all of them, loaded when it is first needed, and a policy for each."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from policies.base import Need
from policies.errors import PolicyError
from simul.backends.base import StreamSpec
from simul.backends.families import LoadedBackend
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.config import ModelConfig, StreamOptions
from simul.errors import UsageError
from simul.session import factory as module
from simul.session.factory import SessionFactory
from tests.simul.session.test_session import TALK

OPTIONS = StreamOptions("en", "fr", "align-att", ("distance_ms=320",), 250)
ASKED: list[tuple[Any, ...]] = []


def load(config: ModelConfig, source: str, target: str, *, needs: frozenset[Need]) -> LoadedBackend:
    ASKED.append((config, source, target, needs))
    return LoadedBackend(ScriptedBackend(TALK), "scripted")


def made(options: StreamOptions = OPTIONS, **more: Any) -> SessionFactory:
    ASKED.clear()
    return SessionFactory(options, ModelConfig(model="tiny"), load, **more)


def test_sessions_do_what_the_options_say_on_one_model_that_is_loaded_at_first_use() -> None:
    build, clock = made(), VirtualClock(5.0)
    assert ASKED == []
    one, two = build(clock), build()
    assert len(ASKED) == 1
    assert [(ModelConfig(model="tiny"), "en", "fr", build.policy().needs)] == ASKED
    assert one.backend is two.backend is build.loaded.backend
    assert (one.config.source, one.config.target, one.config.chunk) == ("en", "fr", 4000)
    assert one.clock is clock
    assert one.policy is not two.policy
    assert (one.policy.name, one.policy.distance_ms) == ("align-att", 320)  # type: ignore[attr-defined]
    assert one.beside == ()


def test_a_policy_or_a_parameter_that_is_not_known_is_refused_at_once() -> None:
    with pytest.raises(PolicyError, match="no-such"):
        made(StreamOptions(policy="no-such"))
    with pytest.raises(PolicyError, match="no_such"):
        made(StreamOptions(policy="align-att", policy_arg=("no_such=3",)))
    with pytest.raises(UsageError, match="NAME=VALUE"):
        made(StreamOptions(policy_arg=("frames",)))
    assert ASKED == []


def test_further_languages_are_loaded_together_and_written_on_the_same_audio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []

    class Shared(ScriptedBackend):
        def _start(self, spec: StreamSpec) -> Any:
            opened.append(spec.target)
            return super()._start(spec)

        def beside(self, stream: int, target: str) -> int:
            return self.open(StreamSpec("en", target))

    def together(
        config: ModelConfig, source: str, targets: tuple[str, ...], *, needs: frozenset[Need]
    ) -> LoadedBackend:
        ASKED.append((config, source, targets, needs))
        return LoadedBackend(Shared(TALK), "scripted")

    monkeypatch.setattr(module, "load_for_several", together)
    build = made(beside=("de", "es"))
    session = build()
    assert [(ModelConfig(model="tiny"), "en", ("fr", "de", "es"), build.policy().needs)] == ASKED
    assert session.beside == ("de", "es")
    assert opened == ["fr", "de", "es"]


def test_in_another_process_a_factory_loads_its_own_model() -> None:
    build = made()
    loaded = build.loaded
    other = pickle.loads(pickle.dumps(build))
    assert (other.stream, other.model, other.beside) == (build.stream, build.model, ())
    assert other.loaded is not loaded
    assert build.loaded is loaded
    assert len(ASKED) == 2
