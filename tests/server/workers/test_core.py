"""What a worker says: of the models it has loaded, and of the sessions that a step was for."""

from __future__ import annotations

from typing import Any

import pytest

from policies.base import Need
from policies.registry import make_policy, policy_names
from server.workers.core import InstalledModels, WorkerCore, policies_for
from server.workers.messages import FinishTrack, OpenTrack, PushAudio, TrackOutput, TrackOver, TrackSpec
from simul.backends.cascade import CascadeBackend
from simul.config import ModelConfig, StreamOptions
from simul.languages import SPOKEN
from simul.session.factory import LoadedBackend
from tests.server.proof import ProofBackend, ProofModels
from tests.server.rig import noise

SPEC = TrackSpec("en", (), chunk=6400)


def loading(backend: Any) -> InstalledModels:
    return InstalledModels(
        StreamOptions(source="en", target="en"),
        ModelConfig(),
        lambda *asked, **more: LoadedBackend(backend, "a model"),
    )


def test_a_model_says_its_languages() -> None:
    backend = ProofBackend(lambda batch: None)
    offer = loading(backend).load()
    assert offer.description == "a model"
    assert offer.sources == backend.limits.sources
    assert offer.targets == backend.limits.targets - {SPOKEN}


def test_a_cascade_says_what_may_be_asked_for_and_not_what_its_recogniser_might_hear() -> None:
    offer = loading(CascadeBackend(lambda: None, None, frozenset({"en"}))).load()  # type: ignore[arg-type]
    assert offer.sources == frozenset()
    assert offer.targets == {"en", "de", "es", "fr", "pt"}


@pytest.mark.parametrize("need", [Need.ALIGNMENT, Need.SPANS])
def test_policies_are_those_that_see_enough(need: Need) -> None:
    backend = ProofBackend(lambda batch: None)
    backend.provides = frozenset(Need) - {need}
    offered = policies_for(backend)
    assert "local-agreement" in offered
    for name in offered:
        assert need not in make_policy(name).needs
    blind = ProofBackend(lambda batch: None)
    blind.provides = frozenset(Need)
    assert set(offered) < set(policies_for(blind)) <= set(policy_names())


def test_a_step_is_told_of_by_those_alone_that_it_was_for() -> None:
    core = WorkerCore(ProofModels(), lambda: 0.0)
    core.load()
    pcm = (noise(0.8, seed=1) * 32768).astype("<i2").tobytes()
    for key in ("speaks", "listens", "waits"):
        core.handle(OpenTrack(key, SPEC))
    core.handle(PushAudio("speaks", pcm, 0.0))
    core.handle(PushAudio("waits", pcm[:9600], 0.0))
    told = [answer for _ in iter(lambda: core.busy, False) for answer in core.step()]
    assert {answer.key for answer in told} == {"speaks"}
    assert [answer.processed for answer in told if isinstance(answer, TrackOutput)] == [6400, 12_800]
    core.handle(FinishTrack("waits"))
    told = [answer for _ in iter(lambda: core.busy, False) for answer in core.step()]
    assert {answer.key for answer in told} == {"waits"}
    assert isinstance(told[-1], TrackOver)
    assert set(core.tracks) == {"speaks", "listens"}
