"""COMET beside BLEU and chrF, where the package unbabel-comet and a model are installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latency_metrics.base import Instance, Notice, Score, describe
from latency_metrics.errors import MetricsError


def comet(
    instances: Sequence[Instance],
    sources: Sequence[str],
    *,
    model: str = "Unbabel/wmt22-comet-da",
    download: bool = False,
) -> Score:
    """COMET of segments with references: the model's system score, as OmniSTEval prints it.

    Args:
        instances: segments; those without reference are left out and named.
        sources: source text of every segment.
        model: a checkpoint file, or the name of a model in the user's hub cache.
        download: whether a model that is not there may be fetched.

    Raises:
        MetricsError: the package or the model is not installed, or there is not one source for each segment.
    """
    if len(sources) != len(instances):
        raise MetricsError(f"there are {len(sources)} source lines but {len(instances)} segments.")
    try:
        from comet import download_model, load_from_checkpoint
    except ImportError as error:
        raise MetricsError("it needs the package unbabel-comet; pip install unbabel-comet.") from error
    try:
        checkpoint = model if Path(model).is_file() else download_model(model, local_files_only=not download)
    except (OSError, KeyError, ValueError) as error:
        hint = "" if download else " or fetch it once with --allow-download"
        raise MetricsError(
            f"the model {model!r} is not on this machine; give its checkpoint file{hint}."
        ) from error
    kept = [i for i, instance in enumerate(instances) if instance.reference is not None]
    notices = [
        Notice(describe(instance), "left out of COMET, it has no reference")
        for instance in instances
        if instance.reference is None
    ]
    rows = [
        {"src": sources[i], "mt": instances[i].prediction, "ref": (instances[i].reference or "").strip()}
        for i in kept
    ]
    result = load_from_checkpoint(checkpoint).predict(rows, batch_size=8, gpus=0, progress_bar=False)
    values: list[float | None] = [None] * len(instances)
    for i, value in zip(kept, result.scores, strict=True):
        values[i] = float(value)
    signature = f"metric:COMET|model:{model}"
    return Score("COMET", float(result.system_score), "", values, notices, signature)
