"""Readers and writers of the evaluation logs, segmentations and texts of the field."""

from latency_metrics.formats.detokenizers import Detokenizer, get_detokenizer
from latency_metrics.formats.omnisteval import read_resegmented, write_resegmented
from latency_metrics.formats.segmentation import (
    read_segmentation,
    read_text_segmentation,
    with_references,
)
from latency_metrics.formats.simuleval import (
    read_instances,
    read_recordings,
    write_instances,
    write_metrics_tsv,
)
from latency_metrics.formats.simulstream import parse_events, read_simulstream, write_simulstream
from latency_metrics.formats.text import read_lines, read_text_hypotheses

__all__ = [
    "Detokenizer",
    "get_detokenizer",
    "parse_events",
    "read_instances",
    "read_lines",
    "read_recordings",
    "read_resegmented",
    "read_segmentation",
    "read_simulstream",
    "read_text_hypotheses",
    "read_text_segmentation",
    "with_references",
    "write_instances",
    "write_metrics_tsv",
    "write_resegmented",
    "write_simulstream",
]
