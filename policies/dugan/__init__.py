"""The loops and the evaluation of Dugan et al. 2023 around their policies, as released and repaired."""

from policies.dugan.evaluation import (
    ClipSegment,
    EvaluationLoop,
    Spoken,
    published_average_lagging,
    published_corpus_lagging,
)
from policies.dugan.live import LiveLoop, speech_onsets
from policies.dugan.table import CachedUtterance, replay, results_table

__all__ = [
    "CachedUtterance",
    "ClipSegment",
    "EvaluationLoop",
    "LiveLoop",
    "Spoken",
    "published_average_lagging",
    "published_corpus_lagging",
    "replay",
    "results_table",
    "speech_onsets",
]
