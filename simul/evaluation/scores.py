"""Quality and latency scores of results, as `latency_metrics` computes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simul.evaluation.items import Item, ItemResult
from simul.languages import latency_unit

if TYPE_CHECKING:
    from latency_metrics.scoring.recordings import ReferenceSegment
    from latency_metrics.scoring.result import Report


def score_results(
    pairs: Sequence[tuple[Item, ItemResult]], target: str, segmentation: Sequence[ReferenceSegment] | None
) -> Report:
    """Scores of results: as utterances, or as recordings that `segmentation` cuts into reference segments."""
    from latency_metrics.scoring.longform import score_longform
    from latency_metrics.scoring.recordings import RecordingHypothesis, split_text
    from latency_metrics.scoring.shortform import score_shortform

    unit = latency_unit(target)
    tokenizer = {"zh": "zh", "ja": "char", "ko": "char"}.get(target, "char" if unit == "char" else "13a")
    if segmentation is None:
        instances = [result.instance(item.name, item.reference) for item, result in pairs]
        scored = any(item.reference is not None for item, _ in pairs)
        return score_shortform(instances, latency_unit=unit, bleu_tokenizer=tokenizer, quality=scored)  # type: ignore[arg-type]
    characters = unit == "char"
    hypotheses = [
        RecordingHypothesis(
            recording=item.audio,
            units=split_text(result.text, characters),
            text=result.text,
            delays=result.delays,
            elapsed=result.elapsed,
            queued=result.elapsed,
            elapsed_kind="per_chunk",
        )
        for item, result in pairs
    ]
    return score_longform(
        segmentation, hypotheses, lang=target, char_level=characters, bleu_tokenizer=tokenizer
    )
