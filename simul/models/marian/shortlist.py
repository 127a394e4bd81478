"""Lexical shortlists: for each source piece the target pieces it is likely to become (Marian's binary file).

Layout, little-endian: u64 magic, checksum, number of target pieces that are always there, number kept of each source
piece, entries of the table, length of the lists; the table of u64 beginnings; the lists of u32 target pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.errors import ModelMissingError

MAGIC = 0xF11A48D5013417F5
HEAD = 48


class Shortlist:
    """Reads `path`; `pieces` is the size of the target vocabulary.

    Raises:
        ModelMissingError: the file is no such list, or for another vocabulary.
    """

    def __init__(self, path: Path, pieces: int) -> None:
        raw = path.read_bytes()
        head = np.frombuffer(raw[:HEAD], "<u8")
        if len(head) < 6 or int(head[0]) != MAGIC or len(raw) != HEAD + 8 * int(head[4]) + 4 * int(head[5]):
            raise ModelMissingError(f"{path} is not a binary lexical shortlist of Marian; fetch it anew.")
        entries, length = int(head[4]), int(head[5])
        self.common = np.arange(min(int(head[2]), pieces))
        self._begin = np.frombuffer(raw, "<u8", entries, HEAD).astype(np.int64)
        self._lists = np.frombuffer(raw, "<u4", length, HEAD + 8 * entries)
        wrong = length and int(self._lists.max()) >= pieces
        if wrong or int(self._begin[-1]) != length or (np.diff(self._begin) < 0).any():
            raise ModelMissingError(f"The shortlist {path} does not belong to this model's vocabulary.")

    def choose(self, source: Sequence[int], shared: bool) -> NDArray[np.int64]:
        """The target pieces worth scoring for these source pieces, in order; with a `shared` vocabulary they too."""
        chosen = [self.common, *(self._lists[self._begin[i] : self._begin[i + 1]] for i in set(source))]
        if shared:
            chosen.append(np.asarray(source, np.int64))
        return np.unique(np.concatenate(chosen)).astype(np.int64)
