"""Language models of the recogniser: estimation, mixing, pruning, and tries as pocketsphinx itself reads them."""

import gzip
import itertools
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simul.models.embedded.sphinx import shipped_model
from simul.training.language_model import prose
from simul.training.language_model.build import everyday_sentences
from simul.training.language_model.kneser_ney import END, START, estimate
from simul.training.language_model.mixing import LEAST, mix, perplexity, prune, renumber
from simul.training.language_model.ngram import (
    ID_BITS,
    LanguageModelError,
    NGramModel,
    distinct,
    lookup,
    read_trie,
    write_trie,
)

TEXT = [
    line.split()
    for line in [
        "the cat sat on the mat",
        "the dog sat on the log",
        "the cat saw the dog",
        "a dog and a cat sat on a mat",
        "a bird saw the cat",
        "the bird sat on the cat",
    ]
    * 3
]
WORDS = sorted({word for line in TEXT for word in line})


@pytest.fixture(scope="module")
def model():
    return estimate(TEXT, WORDS)


def probabilities(model, history):
    """P(word | history) of every word, for a history of one or two words."""
    number = {word: i for i, word in enumerate(model.words)}
    key = 0
    for word in history:
        key = key << ID_BITS | number[word]
    keys = (key << ID_BITS) + np.arange(len(model.words))
    logs = model.bigram_log(keys) if len(history) == 1 else model.trigram_log(keys)
    return np.exp(logs)


def histories(model):
    words = [word for word in model.words if word != END]
    return [(w,) for w in words] + [(a, b) for a, b in itertools.product(words, words) if b != START]


def test_every_context_sums_to_one(model):
    assert np.exp(model.unigram).sum() == pytest.approx(1.0)
    for history in histories(model):
        assert probabilities(model, history).sum() == pytest.approx(1.0), history


def test_estimates_by_hand():
    """Two sentences, every trigram once: discounts are clipped to 0.95, so each figure can be written down."""
    small = estimate([["x", "y"], ["x", "z"]], ["x", "y", "z"])
    counts = {"x": 1, "y": 1, "z": 1, END: 2}
    unigram = {w: (n - d) / 5 for (w, n), d in zip(counts.items(), _discounts([1, 1, 1, 2]), strict=True)}
    number = {word: i for i, word in enumerate(small.words)}
    spread = 1 - sum(unigram.values())
    for word, share in unigram.items():
        assert math.exp(small.unigram[number[word]]) == pytest.approx(share + spread / 4)


def _discounts(counts):
    once, twice = counts.count(1), max(1, counts.count(2))
    rate = once / (once + 2 * twice)
    table = [0, 1 - 2 * rate * twice / once, 2 - 3 * rate * 1 / twice, 3 - 4 * rate * 1]
    low, high = [0, 0.1, 0.1, 0.1], [0, 0.95, 1.9, 2.9]
    return [min(max(table[min(n, 3)], low[min(n, 3)]), high[min(n, 3)]) for n in counts]


def test_unknown_words_leave_the_rest_alone():
    known = estimate([*TEXT, ["the", "zyx", "sat"]], WORDS)
    assert "zyx" not in known.words
    for history in [("the",), ("the", "cat"), (START,)]:
        assert 0.9 < probabilities(known, history).sum() <= 1.0 + 1e-9
    with pytest.raises(ValueError, match="no sentence"):
        estimate([], WORDS)


@given(st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=6), min_size=1, max_size=12))
@settings(max_examples=40)
def test_any_text_gives_a_distribution(text):
    small = estimate(text, list("abcde"))
    for history in histories(small):
        total = probabilities(small, history).sum()
        assert total == pytest.approx(1.0)


def test_mixture_lies_between_its_parts_and_sums_to_one(model):
    other = estimate([["a", "cat", "sings"], ["the", "bird", "sings"]], ["a", "cat", "sings", "the", "bird"])
    words = sorted({*model.words, *other.words})
    mixed = mix(model, other, 0.25, words)
    one, two = renumber(model, words), renumber(other, words)
    for history in histories(mixed):
        assert probabilities(mixed, history).sum() == pytest.approx(1.0, abs=2e-3), history
    got = mixed.trigram_log(mixed.trigram_keys)
    wanted = 0.75 * np.exp(one.trigram_log(mixed.trigram_keys)) + 0.25 * np.exp(
        two.trigram_log(mixed.trigram_keys)
    )
    assert np.exp(got) == pytest.approx(wanted)
    assert mixed.unigram[words.index(START)] == LEAST


def test_pruning_drops_what_says_least(model):
    assert len(prune(model, 0.0).trigram_keys) <= len(model.trigram_keys)
    sizes, perplexities = [], []
    for threshold in (1e-9, 1e-4, 1e-3, 1e-2):
        pruned = prune(model, threshold)
        for history in histories(pruned):
            assert probabilities(pruned, history).sum() == pytest.approx(1.0, abs=2e-3)
        assert set(pruned.trigram_keys.tolist()) <= set(model.trigram_keys.tolist())
        sizes.append(len(pruned.bigram_keys) + len(pruned.trigram_keys))
        perplexities.append(perplexity(pruned, TEXT)[0])
    assert sizes == sorted(sizes, reverse=True)
    assert perplexities == sorted(perplexities)
    assert sizes[-1] < sizes[0] / 2


def test_pruning_loss_is_the_relative_entropy(model):
    """Removing one trigram by hand gives the divergence that decides whether it goes."""
    key = int(model.trigram_keys[len(model.trigram_keys) // 2])
    history = (model.words[key >> 2 * ID_BITS], model.words[key >> ID_BITS & (1 << ID_BITS) - 1])
    last = key & (1 << ID_BITS) - 1
    before = probabilities(model, history)
    lower = probabilities(model, history[1:])
    place, _ = lookup(model.bigram_keys, np.array([key >> ID_BITS]))
    listed = (model.trigram_keys >> ID_BITS) == key >> ID_BITS
    kept = {k & (1 << ID_BITS) - 1 for k in model.trigram_keys[listed].tolist()} - {last}
    after = lower * (1 - sum(before[w] for w in kept)) / (1 - sum(lower[w] for w in kept))
    for word in kept:
        after[word] = before[word]
    used = before > 0
    divergence = (before[used] * np.log(before[used] / after[used])).sum()
    first = model.bigram_keys[place[0]] >> ID_BITS
    frequency = model.unigram[model.words.index(END) if model.words[first] == START else first]
    threshold = divergence * math.exp(frequency + model.bigram[place[0]])
    assert key in prune(model, threshold * 0.999).trigram_keys
    assert key not in prune(model, threshold * 1.001).trigram_keys


def test_perplexity_of_known_text(model):
    logs = []
    for sentence in TEXT[:2]:
        padded = [START, *sentence, END]
        for at in range(1, len(padded)):
            history = tuple(padded[max(0, at - 2) : at])
            logs.append(math.log(probabilities(model, history)[model.words.index(padded[at])]))
    value, unknown = perplexity(model, TEXT[:2])
    assert value == pytest.approx(math.exp(-sum(logs) / len(logs)))
    assert unknown == 0.0
    assert perplexity(model, [["the", "zyx"]])[1] == 0.5


def test_trie_reads_back_and_is_deterministic(model, tmp_path):
    mixed = mix(model, model, 0.5, model.words)
    one, two = tmp_path / "one.lm.bin", tmp_path / "two.lm.bin"
    write_trie(mixed, one)
    write_trie(mixed, two)
    assert one.read_bytes() == two.read_bytes()
    again = read_trie(one)
    assert again.words == mixed.words
    assert again.bigram_keys.tolist() == mixed.bigram_keys.tolist()
    assert again.trigram_keys.tolist() == mixed.trigram_keys.tolist()
    for name in ("unigram", "unigram_backoff", "bigram", "bigram_backoff", "trigram"):
        assert getattr(again, name) == pytest.approx(getattr(mixed, name), abs=1e-4), name
    damaged = tmp_path / "damaged.lm.bin"
    damaged.write_bytes(b"nothing of the kind, and too short")
    with pytest.raises(LanguageModelError, match="damaged"):
        read_trie(damaged)


def test_pocketsphinx_reads_the_same_probabilities(model, tmp_path):
    sphinx = pytest.importorskip("pocketsphinx")
    mixed = mix(model, model, 0.5, model.words)
    path = tmp_path / "mixed.lm.bin"
    write_trie(mixed, path)
    theirs = sphinx.NGramModel.readfile(str(path))
    base = math.log(1.0001)
    for history in histories(mixed):
        ours = np.log(probabilities(mixed, history))
        for word, log in zip(mixed.words, ours, strict=True):
            if word == START:
                continue
            assert theirs.prob([word, *reversed(history)]) * base == pytest.approx(log, abs=3e-4)


def test_shipped_model_agrees_with_pocketsphinx():
    sphinx = pytest.importorskip("pocketsphinx")
    path = shipped_model()
    assert path.stat().st_size <= 9e6
    ours, theirs = read_trie(path), sphinx.NGramModel.readfile(str(path))
    keys = ours.trigram_keys[:: len(ours.trigram_keys) // 300]
    for key, log in zip(keys.tolist(), ours.trigram_log(keys), strict=True):
        words = [ours.words[key >> shift & (1 << ID_BITS) - 1] for shift in (0, ID_BITS, 2 * ID_BITS)]
        assert theirs.prob(words) * math.log(1.0001) == pytest.approx(log, abs=3e-4)
    number = {word: i for i, word in enumerate(ours.words)}
    for history in [("i", "don't"), ("where", "is"), ("the",), ("thank", "you")]:
        assert probabilities(ours, history).sum() == pytest.approx(1.0, abs=5e-3)
    likely = [("how", "are", "you"), ("i", "don't", "know"), ("thank", "you", "very")]
    for first, second, third in likely:
        ranks = np.argsort(-probabilities(ours, (first, second)))
        assert number[third] in ranks[:5]


def test_quantisation_of_many_values_stays_close(tmp_path):
    rng = np.random.default_rng(3)
    size = 100_000
    pairs = np.unique(rng.integers(0, 2000, size) << ID_BITS | rng.integers(0, 2000, size))
    logs = -rng.gamma(4.0, 2.0, len(pairs)) - 0.01
    words = [f"w{i:04d}" for i in range(1998)] + [END, START]
    zeros = np.zeros(len(pairs))
    none = np.zeros(0, np.int64)
    big = NGramModel(words, np.full(2000, -7.6), np.zeros(2000), pairs, logs, zeros, none, np.zeros(0))
    path = tmp_path / "big.lm.bin"
    write_trie(big, path)
    again = read_trie(path)
    assert again.bigram_keys.tolist() == pairs.tolist()
    assert np.abs(again.bigram - logs).max() < 0.3  # in the thin tail
    assert np.abs(again.bigram - logs).mean() < 1e-4


def test_distinct_counts():
    keys, counts = distinct(np.array([5, 1, 5, 5, 2], np.int64))
    assert keys.tolist() == [1, 2, 5]
    assert counts.tolist() == [1, 1, 3]
    empty, none = distinct(np.zeros(0, np.int64))
    assert empty.tolist() == none.tolist() == []


def serialised(lines):
    """An R character vector as far as the reader looks: flags and length before each string."""
    body = b"".join(b"\x00\x04\x00\x09" + struct.pack(">I", len(x)) + x.encode() for x in lines)
    return struct.pack(">I", len(body)) + zlib.compress(body)


def test_prose_from_text_files_and_from_an_r_package(tmp_path):
    book = ["Emma", "", 'Mr. Weston went home. "Are you _quite_', 'sure?" said she--and left.']
    wanted = [["mister", "weston", "went", "home"], ["are", "you", "quite", "sure"]]
    wanted.append(["said", "she", "and", "left"])
    held_out = ["SENSE AND SENSIBILITY", "", "The family of Dashwood had long been settled in Sussex."]
    rdb = tmp_path / "Rdata.rdb"
    rdb.write_bytes(serialised(book) + serialised(held_out))
    assert prose.sentences(rdb) == wanted
    (tmp_path / "emma.txt").write_text("\n".join(book))
    (tmp_path / "sense.txt").write_text("\n".join(held_out))
    assert prose.sentences(tmp_path) == wanted
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(prose.ProseError, match="no prose"):
        prose.sentences(empty)


def table(path: Path, header, *rows):
    path.parent.mkdir(exist_ok=True)
    text = "\n".join("\t".join(row) for row in (header, *rows)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def test_only_training_rows_are_read(tmp_path):
    for code in ("de", "es", "fr"):
        table(
            tmp_path / f"tatoeba/train.en-{code}.tsv.gz", ("en", code), ("I'm here.", "x"), (f"{code}!", "y")
        )
    header = ("set", "split", "question", "answers")
    table(
        tmp_path / "spoken-qa/webquestions.tsv",
        header,
        ("w", "trainmodel", "who is he", "a"),
        ("w", "test", "secret", "b"),
    )
    table(tmp_path / "spoken-qa/small-talk.tsv", ("dialogue", "text"), ("1", "Hello there."))
    table(tmp_path / "clinc150/train.tsv.gz", ("intent", "text"), ("x", "pay my bill"))
    table(tmp_path / "slurp-text/unlabelled.tsv.gz", ("sentence",), ("wake me up",))
    table(tmp_path / "snips-nlu/train.tsv.gz", ("intent", "text"), ("x", "play some jazz"))
    table(
        tmp_path / "disfl-qa/train.tsv", ("id", "fluent", "disfluent"), ("1", "Who won?", "Who no who won?")
    )
    got = [" ".join(sentence) for sentence in everyday_sentences(tmp_path)]
    assert sorted(got) == sorted(
        [
            *("i'm here", "de", "es", "fr", "who is he", "hello there", "pay my bill"),
            *("wake me up", "play some jazz", "who won"),
        ]
    )
