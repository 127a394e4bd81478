"""How traces are written: candidates and stop rules as JSON values, and back without loss."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from policies.base import Alignment, Candidate, Segment, StopRule


def stop_to_json(stop: StopRule | None) -> dict[str, Any] | None:
    """A stop rule as plain values."""
    return None if stop is None else dataclasses.asdict(stop)


def stop_from_json(data: Mapping[str, Any] | None) -> StopRule | None:
    """The rule that `stop_to_json` wrote."""
    return None if data is None else StopRule(**data)


def candidate_to_json(candidate: Candidate) -> dict[str, Any]:
    """A candidate as plain values: floats as they are, cross-attention as base64 of its float32 bytes."""
    found: dict[str, Any] = {"tokens": candidate.tokens}
    if candidate.ids:
        found["ids"] = candidate.ids
    if candidate.logprobs is not None:
        found["logprobs"] = [float(value) for value in candidate.logprobs]
    if candidate.spans is not None:
        found["spans"] = np.asarray(candidate.spans).tolist()
    if candidate.segments is not None:
        found["segments"] = [dataclasses.asdict(segment) for segment in candidate.segments]
    if candidate.alignment is not None:
        weights = np.ascontiguousarray(candidate.alignment.weights, np.float32)
        found["alignment"] = {
            "shape": weights.shape,
            "float32": base64.b64encode(weights.tobytes()).decode("ascii"),
            "frame": candidate.alignment.frame,
            "origin": candidate.alignment.origin,
        }
    for name in ("beams", "committable", "source_text", "spoken"):
        if getattr(candidate, name) not in (None, (), ""):
            found[name] = getattr(candidate, name)
    if not candidate.ended:
        found["ended"] = False
    return found


def candidate_from_json(data: Mapping[str, Any]) -> Candidate:
    """The candidate that `candidate_to_json` wrote."""
    logprobs, spans, segments = (data.get(name) for name in ("logprobs", "spans", "segments"))
    alignment = data.get("alignment")
    weights = None
    if alignment is not None:
        raw = np.frombuffer(base64.b64decode(alignment["float32"]), np.float32)
        weights = Alignment(raw.reshape(alignment["shape"]), alignment["frame"], alignment["origin"])
    return Candidate(
        tokens=tuple(data["tokens"]),
        ids=tuple(data.get("ids", ())),
        logprobs=None if logprobs is None else np.array(logprobs, np.float64),
        spans=None if spans is None else np.array(spans, np.int64).reshape(-1, 2),
        segments=None if segments is None else tuple(Segment(**segment) for segment in segments),
        alignment=weights,
        beams=tuple(tuple(beam) for beam in data.get("beams", ())),
        committable=data.get("committable"),
        source_text=data.get("source_text"),
        spoken=data.get("spoken", ""),
        ended=data.get("ended", True),
    )
