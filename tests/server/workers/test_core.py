"""What a worker says of the models it has loaded: languages, and policies that may rule them."""

from __future__ import annotations

from typing import Any

import pytest

from policies.base import Need
from policies.registry import make_policy, policy_names
from server.workers.core import InstalledModels, policies_for
from simul.backends.cascade import CascadeBackend
from simul.config import ModelConfig, StreamOptions
from simul.languages import SPOKEN
from simul.session.factory import LoadedBackend
from tests.server.proof import ProofBackend


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
