"""English translated by a student itself: text with which its decoder keeps its language while the encoder learns."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from simul.training.student.network import StudentDecoder, StudentEncoder, greedy
from simul.training.student.prepared import LONGEST
from simul.training.student.start import StartingPoint

Progress = Callable[[float, int, str], None]
"""Told how much is done, of how much, and what is being worked on."""


def teach(
    start: StartingPoint,
    texts: Sequence[str],
    language: str,
    output: Path,
    device: str = "cpu",
    batch: int = 256,
    progress: Progress = lambda done, total, what: None,
) -> int:
    """Write the different `texts` and their greedy translations as a table (en, `language`); returns its rows."""
    encoder, decoder = StudentEncoder(start.encoder, start.heads), StudentDecoder(start.decoder, start.heads)
    encoder.to(device).eval()
    decoder.to(device).eval()
    different = sorted(set(texts))
    sources = start.source.encode(different)
    order = sorted(
        (i for i in range(len(sources)) if 0 < len(sources[i]) <= LONGEST), key=lambda i: len(sources[i])
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with gzip.open(output, "wt", encoding="utf-8") as stream:
        stream.write(f"en\t{language}\n")
        for first in range(0, len(order), batch):
            part = order[first : first + batch]
            lengths = torch.tensor([len(sources[i]) + 1 for i in part], device=device)
            padded = np.full((len(part), int(lengths.max())), start.source.eos_id(), np.int64)
            for row, index in enumerate(part):
                padded[row, : len(sources[index])] = sources[index]
            source = torch.from_numpy(padded).to(device)
            found = greedy(encoder, decoder, source, lengths, start.target.eos_id())
            for index, text in zip(part, start.target.decode(found), strict=True):
                stream.write(f"{different[index]}\t{text}\n")
                rows += 1
            progress(min(first + batch, len(order)), len(order), "sentences")
    return rows
