"""The tables of the experiment: BLEU and average lagging in the layout of the paper, and all latencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from simul.evaluation.dugan.experiment import ROWS, CellResult


def paper_table(results: Sequence[CellResult], profile: str) -> str:
    """BLEU (their average lagging in s) per policy, language pair and window in the paper's layout, as Markdown.

    A policy whose cell under a further window equals that under the first, as Offline's does, says "same".
    """
    cells = {(r.row, r.pair, r.window): (r.bleu, r.published) for r in results if r.profile == profile}
    pairs = list(dict.fromkeys(pair for _, pair, _ in cells))
    windows = list(dict.fromkeys(window for _, _, window in cells))
    columns = list(product(pairs, windows))
    lines = [
        "| policy | " + " | ".join(f"{pair} {window:g}s" for pair, window in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for row, _, _ in ROWS:
        shown = [f"| {row}"]
        for pair, window in columns:
            first = cells[row, pair, windows[0]]
            # Offline has no window; the computation of the passes that it runs for nothing is no difference.
            bleu, lagging = first if row == "Offline" else cells[row, pair, window]
            same = window != windows[0] and (bleu, lagging) == first
            shown.append("same" if same else f"{bleu:.1f} ({math.nan if lagging is None else lagging:.1f})")
        lines.append(" | ".join(shown) + " |")
    return "\n".join(lines)


LATENCY_HEADER = (
    "policy", "profile", "pair", "window s", "BLEU", "chrF", "AL as printed", "AL CA", "AL", "LAAL CA", "LAAL",
    "YAAL CA", "YAAL", "early",
)  # fmt: skip


def latency_rows(results: Sequence[CellResult]) -> list[list[str]]:
    """All latencies of every cell in seconds, faithful and fixed side by side."""

    def shown(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.2f}"

    order = sorted(results, key=lambda r: [title for title, _, _ in ROWS].index(r.row))
    return [
        [r.row, r.profile, r.pair, f"{r.window:g}", f"{r.bleu:.1f}", f"{r.chrf:.1f}"]
        + [shown(v) for v in (r.published, r.al_ca, r.al, r.laal_ca, r.laal, r.yaal_ca, r.yaal)]
        + [f"{r.spoken}/{r.utterances}"]
        for r in order
    ]
