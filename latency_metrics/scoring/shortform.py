"""Short-form scoring: quality, latency and degeneracy of a list of utterances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from latency_metrics import degeneracy, registry
from latency_metrics.base import Instance, Notice, Score, describe
from latency_metrics.clocks import with_queue
from latency_metrics.degeneracy import Degeneracy, diagnose
from latency_metrics.quality import quality_scores
from latency_metrics.scoring.oddities import SECONDS, length_in_seconds, looks_like_seconds, untokenized
from latency_metrics.scoring.result import Report, absent_clocks, clocks_present, merge_notices, score_all
from latency_metrics.units import LatencyUnit
from latency_metrics.word_lag import lag_quantiles


def score_shortform(
    instances: Iterable[Instance],
    *,
    latency_unit: LatencyUnit = "word",
    bleu_tokenizer: str = "13a",
    quality: bool = True,
    latency: bool = True,
    extra: bool = True,
) -> Report:
    """Score utterances: BLEU, chrF, then YAAL, AL, LAAL, AP, DAL for every clock, then degeneracy.

    Args:
        instances: utterances; times in ms.
        latency_unit: how references are counted, see `latency_metrics.units.LatencyUnit`.
        bleu_tokenizer: a sacreBLEU tokenizer.
        quality: whether to score BLEU and chrF; instances without reference are left out of them and named.
        latency: whether to score latency.
        extra: whether to add the figures beyond OmniSTEval (`Report.extra`).

    Raises:
        MetricsError: an option is not known.
    """
    kept = [with_queue(instance) for instance in instances]
    scores: list[Score] = []
    beyond: list[Score] = []
    notices = [notice for instance in kept for notice in oddities(instance)]
    if quality:
        scores += score_quality(kept, latency_unit, bleu_tokenizer, notices)
    if latency:
        clocks = clocks_present(kept)
        notices += absent_clocks(kept)
        scores += score_all(registry.SHORT_FORM, kept, clocks, latency_unit=latency_unit)
        if "cu" in clocks:
            diagnosis = diagnose(kept, latency_unit=latency_unit)
            scores += degeneracy_scores(diagnosis)
            notices += diagnosis.notices
        if extra:
            every = clocks_present(kept, ("cu", "ca", "queue"))
            beyond = [
                s for clock in every for s in lag_quantiles(kept, clock=clock, latency_unit=latency_unit)
            ]
            beyond += score_all((registry.FirstTextDelay, registry.SystemLag), kept, every)
            beyond += score_all(registry.SHORT_FORM[:3], kept, [c for c in every if c == "queue"])
    settings = {"latency_unit": latency_unit, "bleu_tokenizer": bleu_tokenizer}
    found = merge_notices([notices, *(score.notices for score in (*scores, *beyond))])
    return Report("shortform", scores, kept, found, settings, beyond)


def oddities(instance: Instance) -> list[Notice]:
    """What is odd about an utterance but does not keep it from being scored."""
    times = instance.delays or ()
    source_length = instance.source_length
    late = 0 if source_length is None else sum(1 for time in times if time > source_length)
    found = []
    if not instance.prediction and not times:
        found.append("its output is empty")
    if any(later < earlier for earlier, later in pairwise(times)):
        found.append("its delays go backwards; scored as they are")
    if instance.source_kind == "speech" and not instance.durations:
        words = len(instance.prediction.split())
        if looks_like_seconds(times, source_length or 0) or length_in_seconds(source_length or 0, words):
            found.append(SECONDS)
    if late:
        found.append(f"{late} of {len(times)} units after the end of the source; scored as they are")
    return [Notice(describe(instance), reason) for reason in found]


def score_quality(
    instances: Sequence[Instance], latency_unit: str, tokenizer: str, notices: list[Notice]
) -> list[Score]:
    """BLEU and chrF of the instances with a reference; the others are added to `notices`.

    References are stripped; at character level they lose their spaces, as in OmniSTEval.
    """
    hypotheses: list[str] = []
    references: list[str] = []
    for instance in instances:
        if instance.reference is None:
            notices.append(Notice(describe(instance), "left out of BLEU and chrF, it has no reference"))
            continue
        reference = instance.reference.strip()
        hypotheses.append(instance.prediction)
        references.append(reference.replace(" ", "") if latency_unit == "char" else reference)
    reason = untokenized(references, tokenizer)
    if reason is not None:
        notices.append(Notice("corpus", reason))
    return quality_scores(hypotheses, references, tokenizer=tokenizer)


def degeneracy_scores(diagnosis: Degeneracy) -> list[Score]:
    """The four diagnostics as scores under OmniSTEval's display names."""
    nothing = math.isnan(diagnosis.swf)
    return [
        Score(degeneracy.FRACTION, diagnosis.swf, "%"),
        Score(degeneracy.EXPECTED, diagnosis.efsw, "%"),
        Score(degeneracy.TEST_VALUE, diagnosis.dsptv, "%"),
        Score(degeneracy.DEGENERATE, math.nan if nothing else float(diagnosis.degenerate), "flag"),
    ]
