"""The catalogue of models: what there is, where it is on this machine, how it is checked, how it is fetched."""

from simul.models.catalogue.downloads import pull
from simul.models.catalogue.entries import ENTRIES, Entry, ModelFile
from simul.models.catalogue.installed import installed_models, installed_translators, named_model
from simul.models.catalogue.lookup import (
    Located,
    Places,
    State,
    entry_of,
    find,
    how_to_get,
    known,
    locate,
    state_of,
    verify,
)
from simul.models.catalogue.store import Store

__all__ = [
    "ENTRIES",
    "Entry",
    "Located",
    "ModelFile",
    "Places",
    "State",
    "Store",
    "entry_of",
    "find",
    "how_to_get",
    "installed_models",
    "installed_translators",
    "known",
    "locate",
    "named_model",
    "pull",
    "state_of",
    "verify",
]
