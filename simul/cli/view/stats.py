"""The latency table that `--stats` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from simul.cli.context import Context
from simul.cli.view.tables import figure, print_table
from simul.evaluation.records import StreamRecord
from simul.units import SAMPLE_RATE

LEGEND = (
    "LAAL, LongYAAL: lag behind an ideal translator at an even pace; ideal computer: one that takes no time. Spoken to "
    "settled: from the end of a word in the audio to its text, on this computer's clock. Computing behind: from the "
    "arrival of a piece of audio to its text. Terms: docs/glossary.md."
)


def stream_figures(record: StreamRecord) -> dict[str, str]:
    """What one stream's latency was, as label and figure.

    LAAL and LongYAAL are means over the segments of the stream: within one long text units fall behind and catch up
    unseen. Lengths are those of the output, not of a reference.
    """
    from latency_metrics.laal import LAAL
    from latency_metrics.long_yaal import LongYAAL
    from latency_metrics.quantiles import quantiles

    instances = record.segment_instances()
    values = record.units()
    first = values[0] if values else None
    seconds = record.heard / SAMPLE_RATE

    def lagging(metric: LAAL | LongYAAL) -> str:
        values = [value for each in instances if (value := metric.instance(each)) is not None]
        return figure(sum(values) / len(values) / 1000 if values else None, 2, " s")

    def share(found: Sequence[float], part: float) -> str:
        return figure(quantiles(found, part)[0], 2, " s")

    return {
        "audio": figure(seconds, 1, " s"),
        "words": str(len(values)),
        "first word after": figure(first[2] if first else None, 2, " s"),
        "LAAL, ideal computer": lagging(LAAL(clock="cu")),
        "LAAL, this computer": lagging(LAAL(clock="ca")),
        "LongYAAL, this computer": lagging(LongYAAL(clock="ca")),
        "spoken to settled, median": share(record.word_lags, 0.5),
        "spoken to settled, 95 %": share(record.word_lags, 0.95),
        "computing behind, median": share(record.behind, 0.5),
        "computing behind, 95 %": share(record.behind, 0.95),
        "computing per second": figure(record.compute / seconds if seconds else None, 3, " s"),
    }


def print_stats(context: Context, streams: Sequence[tuple[str, StreamRecord]]) -> None:
    """Print the table to standard error: a column per stream, or a row where there are many."""
    if not streams:
        return
    figures = [stream_figures(record) for _, record in streams]
    columns = [
        ("", *figures[0]),
        *((name, *found.values()) for (name, _), found in zip(streams, figures, strict=True)),
    ]
    rows = list(zip(*columns, strict=True)) if len(streams) <= 3 else columns
    print_table(
        context,
        context.stderr,
        "Latency (LAAL and LongYAAL by segments, lengths those of the output)",
        rows[0],
        rows[1:],
    )
    context.note(LEGEND)
    peak = peak_memory_mb()
    if peak is not None:
        context.note(f"Peak memory of the process: {peak:.0f} MB.")


def peak_memory_mb() -> float | None:
    """Largest resident size of this process so far in MB, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size / 1024
