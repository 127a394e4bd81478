"""Conformance: reference vectors of the field's tools, run through the functions that users call."""

from tests.latency_metrics.conformance.tally import Tally

__all__ = ["Tally"]
