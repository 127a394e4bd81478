"""Back-off n-gram models as sorted numpy arrays, and pocketsphinx's trie file (`.lm.bin`) read and written."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simul.errors import SimulError

ID_BITS = 20
"""Bits of a word number inside an n-gram key; vocabularies hold fewer than 2**20 words."""
LOG_UNIT = np.log(1.0001)
"""Natural logarithm of the base in which trie files store probabilities."""
HEADER = b"Trie Language Model"
QUANT_BINS = 1 << 16

Keys = NDArray[np.int64]
Logs = NDArray[np.float64]


class LanguageModelError(SimulError):
    """A language model file is damaged or of a kind that cannot be read."""


@dataclass(frozen=True)
class NGramModel:
    """A trigram model with natural-log probabilities and back-off weights.

    `words[i]` is the word numbered i. `unigram`, `unigram_backoff`: (V,). `bigram_keys` holds
    first << 20 | second and `trigram_keys` first << 40 | second << 20 | third, both ascending, with their
    `bigram`, `bigram_backoff` and `trigram` of the same lengths.
    """

    words: list[str]
    unigram: Logs
    unigram_backoff: Logs
    bigram_keys: Keys
    bigram: Logs
    bigram_backoff: Logs
    trigram_keys: Keys
    trigram: Logs

    def bigram_log(self, keys: Keys) -> Logs:
        """log P(second | first) of any bigrams."""
        place, found = lookup(self.bigram_keys, keys)
        first, second = keys >> ID_BITS, keys & (1 << ID_BITS) - 1
        backed = self.unigram_backoff[first] + self.unigram[second]
        return np.where(found, self.bigram[place], backed)

    def trigram_log(self, keys: Keys) -> Logs:
        """log P(third | first second) of any trigrams."""
        place, found = lookup(self.trigram_keys, keys)
        backed = self.backoff(keys >> ID_BITS) + self.bigram_log(suffix(keys))
        return np.where(found, self.trigram[place], backed)

    def backoff(self, contexts: Keys) -> Logs:
        """Log back-off weight of any two-word contexts (0 for unseen ones)."""
        place, found = lookup(self.bigram_keys, contexts)
        return np.where(found, self.bigram_backoff[place], 0.0)


def lookup(keys: Keys, wanted: Keys) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Places of `wanted` in the ascending `keys`, and whether each is there (its place is 0 if not)."""
    if not len(keys):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), bool)
    place = np.searchsorted(keys, wanted)
    place[place == len(keys)] = 0
    found = keys[place] == wanted
    return np.where(found, place, 0), found


def distinct(keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """The different keys, ascending, and how often each occurs (`numpy.unique` hashes such keys slowly)."""
    ordered = np.sort(keys)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(keys) else keys[:0]
    return ordered[first], np.diff(np.append(first, len(ordered)))


def suffix(trigram_keys: Keys) -> Keys:
    """The last two words of trigrams, as bigram keys."""
    return trigram_keys & (1 << 2 * ID_BITS) - 1


def read_trie(path: Path) -> NGramModel:
    """Read a pocketsphinx trie of order 3.

    Raises:
        LanguageModelError: the file is not such a trie.
    """
    data = path.read_bytes()
    start = len(HEADER)
    if data[:start] != HEADER or data[start] != 3:
        raise LanguageModelError(f"{path} is not a pocketsphinx trie of order 3")
    counts = struct.unpack_from("<3I", data, start + 1)
    at = start + 1 + 12 + 4  # counts, then the kind of quantisation
    tables = np.frombuffer(data, "<f4", 3 * QUANT_BINS, at).reshape(3, QUANT_BINS).astype(np.float64)
    at += tables.size * 4
    unigrams = np.frombuffer(data, _UNIGRAM, counts[0] + 1, at)
    at += unigrams.nbytes
    layout = _layout(counts)
    middle, longest = (data[at : at + layout.middle_bytes], data[at + layout.middle_bytes :])
    at += layout.middle_bytes + layout.longest_bytes
    (length,) = struct.unpack_from("<I", data, at)
    words = [word.decode() for word in data[at + 4 : at + 4 + length].split(b"\0")[: counts[0]]]

    # Files may declare more n-grams than they hold; the last pointer of each level tells the true number.
    starts = unigrams["next"].astype(np.int64)
    bigrams = int(starts[-1])
    last = np.repeat(np.arange(counts[0]), starts[1:] - starts[:-1])
    rows = np.arange(bigrams + 1) * layout.middle_bits
    before = _read_bits(middle, rows[:-1], layout.word_bits)
    backoff_bin = _read_bits(middle, rows[:-1] + layout.word_bits, 16)
    bin_ = _read_bits(middle, rows[:-1] + layout.word_bits + 16, 16)
    following = _read_bits(middle, rows + layout.word_bits + 32, layout.next_bits)
    parent = np.repeat(np.arange(bigrams), following[1:] - following[:-1])
    rows = np.arange(following[-1]) * layout.longest_bits
    first = _read_bits(longest, rows, layout.word_bits)
    last_bin = _read_bits(longest, rows + layout.word_bits, 16)

    bigram_keys = before << ID_BITS | last
    trigram_keys = first << 2 * ID_BITS | before[parent] << ID_BITS | last[parent]
    two, three = np.argsort(bigram_keys), np.argsort(trigram_keys)
    return NGramModel(
        words=words,
        unigram=unigrams["log"][:-1] * LOG_UNIT,
        unigram_backoff=unigrams["backoff"][:-1] * LOG_UNIT,
        bigram_keys=bigram_keys[two],
        bigram=tables[0][bin_][two] * LOG_UNIT,
        bigram_backoff=tables[1][backoff_bin][two] * LOG_UNIT,
        trigram_keys=trigram_keys[three],
        trigram=tables[2][last_bin][three] * LOG_UNIT,
    )


def write_trie(model: NGramModel, path: Path) -> None:
    """Write a trie that pocketsphinx loads with `lm=`; equal models give equal bytes.

    Every trigram's last two words must be among the bigrams, because the trie is keyed from the last word
    backwards.
    """
    counts = (len(model.words), len(model.bigram_keys), len(model.trigram_keys))
    mask = (1 << ID_BITS) - 1
    first, second, third = (
        model.trigram_keys >> 2 * ID_BITS,
        model.trigram_keys >> ID_BITS & mask,
        model.trigram_keys & mask,
    )
    two = np.lexsort((model.bigram_keys >> ID_BITS, model.bigram_keys & mask))
    three = np.lexsort((first, second, third))
    before, last = model.bigram_keys[two] >> ID_BITS, model.bigram_keys[two] & mask
    starts = np.searchsorted(last << ID_BITS | before, third[three] << ID_BITS | second[three])
    following = np.concatenate([[0], np.cumsum(np.bincount(starts, minlength=counts[1]))])

    unigrams = np.zeros(counts[0] + 1, _UNIGRAM)
    unigrams["log"][:-1] = model.unigram / LOG_UNIT
    unigrams["backoff"][:-1] = model.unigram_backoff / LOG_UNIT
    unigrams["next"] = np.concatenate([[0], np.cumsum(np.bincount(last, minlength=counts[0]))])
    tables, bins = zip(
        *(
            _quantise(v / LOG_UNIT)
            for v in (model.bigram[two], model.bigram_backoff[two], model.trigram[three])
        ),
        strict=True,
    )
    layout = _layout(counts)
    padded = [np.append(column, 0) for column in (before, bins[1], bins[0])]
    middle = _pack([*padded, following], [layout.word_bits, 16, 16, layout.next_bits], layout.middle_bytes)
    longest = _pack([first[three], bins[2]], [layout.word_bits, 16], layout.longest_bytes)
    strings = b"".join(word.encode() + b"\0" for word in model.words)
    head = HEADER + struct.pack("<B3Ii", 3, *counts, 1)
    body = [table.astype("<f4").tobytes() for table in tables]
    path.write_bytes(
        b"".join([head, *body, unigrams.tobytes(), middle, longest, struct.pack("<I", len(strings)), strings])
    )


_UNIGRAM = np.dtype([("log", "<f4"), ("backoff", "<f4"), ("next", "<u4")])


@dataclass(frozen=True)
class _Layout:
    word_bits: int
    next_bits: int
    middle_bits: int
    longest_bits: int
    middle_bytes: int
    longest_bytes: int


def _layout(counts: tuple[int, ...]) -> _Layout:
    word_bits, next_bits = counts[0].bit_length(), counts[2].bit_length()
    middle, longest = word_bits + 32 + next_bits, word_bits + 16
    middle_bytes, longest_bytes = (
        ((1 + n) * bits + 7) // 8 + 8 for n, bits in ((counts[1], middle), (counts[2], longest))
    )
    return _Layout(word_bits, next_bits, middle, longest, middle_bytes, longest_bytes)


def _read_bits(data: bytes, offsets: Keys, width: int) -> Keys:
    """Little-endian bit fields of at most 25 bits at any bit offsets."""
    raw = np.frombuffer(data, np.uint8)
    byte = offsets >> 3
    word = np.zeros(len(offsets), np.int64)
    for i in range(4):
        word |= raw[byte + i].astype(np.int64) << 8 * i
    return word >> (offsets & 7) & (1 << width) - 1


def _pack(columns: list[Keys], widths: list[int], size: int) -> bytes:
    """Rows of little-endian bit fields laid end to end, zero-padded to `size` bytes."""
    out = np.zeros(size * 8, np.uint8)
    rows = np.zeros((len(columns[0]), sum(widths)), np.uint8)
    at = 0
    for column, width in zip(columns, widths, strict=True):
        rows[:, at : at + width] = column[:, None] >> np.arange(width) & 1
        at += width
    out[: rows.size] = rows.ravel()
    return np.packbits(out, bitorder="little").tobytes()


def _quantise(values: Logs) -> tuple[Logs, Keys]:
    """An ascending table of 2**16 values and the bin of each input; exact while there are that few."""
    distinct = np.unique(values.astype(np.float32)).astype(np.float64)
    if len(distinct) > QUANT_BINS:
        low = np.arange(QUANT_BINS) * len(distinct) // QUANT_BINS
        distinct = np.array([part.mean() for part in np.split(distinct, low[1:])])
    table = np.concatenate(
        [distinct, np.full(QUANT_BINS - len(distinct), distinct[-1] if len(distinct) else 0.0)]
    )
    right = np.clip(np.searchsorted(table[: len(distinct)], values), 1, max(len(distinct) - 1, 1))
    if len(distinct) < 2:
        return table, np.zeros(len(values), np.int64)
    nearer = np.where(values - table[right - 1] <= table[right] - values, right - 1, right)
    return table, nearer.astype(np.int64)
