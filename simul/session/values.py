"""Views of the source as plain JSON values, and back without loss: for stored streams and traces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from policies.base import Activity, SourceView, Word


def view_to_json(view: SourceView) -> dict[str, Any]:
    """A view as plain values; what only some backends tell is left out where it says nothing."""
    found = {f.name: getattr(view, f.name) for f in dataclasses.fields(view)}
    found["units"] = dict(view.units)
    found["activity"] = None if view.activity is None else dataclasses.asdict(view.activity)
    for name, nothing in (("words", ()), ("speech", True), ("closed_by", "")):
        if found[name] == nothing:
            del found[name]
    if view.words:
        words = [dataclasses.asdict(word) for word in view.words]
        found["words"] = [{k: v for k, v in word.items() if (k, v) != ("heard", None)} for word in words]
    return found


def view_from_json(data: Mapping[str, Any]) -> SourceView:
    """The view that `view_to_json` wrote."""
    activity = data["activity"]
    return SourceView(
        **{
            **data,
            "activity": None if activity is None else Activity(**activity),
            "words": tuple(Word(**word) for word in data.get("words", ())),
        }
    )
