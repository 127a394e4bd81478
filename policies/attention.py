"""What attention policies share: frames of heard content and running statistics of attention per frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from policies.base import SAMPLES_PER_MS, Evidence

Weights = NDArray[np.float32]


def content(evidence: Evidence) -> tuple[Weights, int, int]:
    """The candidate's attention on frames of audio that was heard, the frame length and the first frame's sample.

    Frames of padding after the end of the audio are cut off: decoders such as Whisper's do not mask them. A
    candidate without tokens may come without attention.
    """
    alignment = evidence.candidate.alignment
    if alignment is None:
        return np.zeros((0, 0), dtype=np.float32), 1, 0
    heard = max(0, -(-(evidence.source.heard - alignment.origin) // alignment.frame))
    return alignment.weights[:, :heard], alignment.frame, alignment.origin


def frames(milliseconds: float, frame: int) -> int:
    """The smallest number of frames of `frame` samples that covers that time."""
    return int(-(-milliseconds * SAMPLES_PER_MS // frame))


class RunningColumns:
    """Standardises each frame's attention over the tokens seen so far, at O(frames) per token.

    Subtracting a frame's mean over tokens and dividing by its deviation cancels attention sinks, frames that
    every token attends. Only a count, a mean and a sum of squares per frame are kept (Chan et al. 1979).
    """

    least = 3
    """With fewer tokens a z-score says nothing, and attention is returned as it is."""

    def __init__(self, frames: int) -> None:
        self._count = 0
        self._mean = np.zeros(frames, dtype=np.float32)
        self._squares = np.zeros(frames, dtype=np.float32)

    def push(self, rows: Weights) -> Weights:
        """Take the next tokens' rows [n, frames] in; their z-scores among all tokens so far.

        A decoder pushes one row per step; a judge pushes the rows of a whole candidate.
        """
        if not len(rows):
            return rows
        mean = np.full(len(rows), 1 / len(rows), dtype=np.float32) @ rows
        around = rows - mean
        squares = np.einsum("ij,ij->j", around, around)
        before, self._count = self._count, self._count + len(rows)
        shift = mean - self._mean
        self._mean = self._mean + shift * (len(rows) / self._count)
        self._squares += squares + shift * shift * (before * len(rows) / self._count)
        if self._count < self.least:
            return rows
        if before:
            around = rows - self._mean
        deviation = np.sqrt(self._squares / self._count)
        around *= 1 / np.maximum(deviation, np.float32(1e-6))
        return around


def strongest(evidence: Evidence, normalize: str) -> tuple[NDArray[np.int64], int]:
    """The source sample where each token's strongest frame begins, and how many frames of audio were heard.

    normalize: attention as it is ("none"), or standardised per frame over the candidate's tokens ("zscore-tokens").
    What was found is kept with the alignment, which several policies of a combination may ask about.
    """
    weights, frame, origin = content(evidence)
    alignment = evidence.candidate.alignment
    if alignment is None or not weights.size:
        return np.zeros(0, dtype=np.int64), weights.shape[1]
    asked = normalize, weights.shape[1]
    found = alignment.strongest.get(asked)
    if found is None:
        if normalize == "zscore-tokens":
            weights = RunningColumns(weights.shape[1]).push(weights)
        found = alignment.strongest[asked] = weights.argmax(axis=1) * frame + origin
    return found, asked[1]
