"""The catalogue of models: what there is, where it is on this machine, how it is checked, how it is fetched."""

from simul.models.catalogue.entries import ENTRIES, Entry, ModelFile
from simul.models.catalogue.lookup import Located, Places, entry_of, find, known, locate
from simul.models.catalogue.store import Store

__all__ = [
    "ENTRIES",
    "Entry",
    "Located",
    "ModelFile",
    "Places",
    "Store",
    "entry_of",
    "find",
    "known",
    "locate",
]
