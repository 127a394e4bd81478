"""What the names of scores say, in a line each, for the foot of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_METRICS: Sequence[tuple[str, str]] = (
    (r"BLEU|chrF|COMET", "BLEU, chrF: likeness to the reference, 0 to 100, higher is better"),
    (r"WER", "WER: words wrong, missing or too many, in % of those said"),
    (r"(Long)?YAAL", "YAAL: lag behind an ideal translator, over what was written while the speaker spoke"),
    (
        r"(Long)?LAAL",
        "LAAL: the same over all of the output, with the longer of output and reference as its length",
    ),
    (r"(Long)?AL", "AL: as LAAL, but with the reference's length, which rewards output that is too long"),
    (r"(Long)?AP", "AP: share of the source heard when a word was written, on average"),
    (r"(Long)?DAL", "DAL: as AL, but no word is taken to be written at once with the one before"),
    (r"StreamLAAL", "StreamLAAL: LAAL of long recordings that mWER cuts into segments"),
    (
        r"LagP\d+|LagMax",
        "LagP50, LagP95, LagMax: from a word in the source to its text, for half, 95 % and all of them",
    ),
    (r"LagSlope", "LagSlope: by how much the lag grows, in s for a second of speech"),
    (r"FirstTextDelay", "FirstTextDelay: how much was heard before the first text"),
    (r"SystemLag", "SystemLag: what computing adds"),
    (r"PolicyLag", "PolicyLag: what waiting for more speech costs"),
    (r"Simultaneous|Expected|Degenera|Likely", "Simultaneous words: written before the source had ended"),
)
_CLOCKS = (
    ("CU", "CU: only the speech that was heard counts, as on a computer that takes no time"),
    ("CA", "CA: with the time that computing took"),
    ("CA-queue", "CA-queue: where a chunk also waits until the one before it has been computed"),
)
_NEGATIVE = (
    "Below zero: ahead of an ideal translator that speaks at an even pace, as output that is longer than the reference "
    "or pauses in the speech make it"
)


def legend(scores: Iterable[tuple[str, float | None]]) -> list[str]:
    """A line for each kind of score among (name, value), then the clocks, then what values below zero mean."""
    found = list(scores)
    names = [name for name, _ in found]
    plain = [re.sub(r" \(.*", "", name) for name in names]
    lines = [text for pattern, text in _METRICS if any(re.match(rf"({pattern})\b", name) for name in plain)]
    lines += [text for clock, text in _CLOCKS if any(f"({clock})" in name for name in names)]
    if any(
        value is not None and value < 0 and re.match(r"(Long)?(Y?AAL|LAAL|AL)\b", name)
        for name, value in found
    ):
        lines.append(_NEGATIVE)
    return lines


def paragraph(scores: Iterable[tuple[str, float | None]]) -> str:
    """The legend as one paragraph."""
    return "".join(f"{line}. " for line in legend(scores)).rstrip()
