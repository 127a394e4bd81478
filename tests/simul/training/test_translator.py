"""The training recipe on a handful of sentences: determinism, resumption, export equal to the trained network."""

import csv
import gzip
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("num2words")

from simul.errors import SimulError  # noqa: E402
from simul.models.embedded.translator import EmbeddedTranslator  # noqa: E402
from simul.models.translation.interface import TextRequest  # noqa: E402
from simul.training.translator.corpus import (  # noqa: E402
    EOS,
    PAD,
    EpochBuilder,
    MixConfig,
    Pair,
    make_batches,
    prefix_of,
    read_pairs,
    source_word_counts,
)
from simul.training.translator.export import export  # noqa: E402
from simul.training.translator.noise import NoiseConfig, RecognitionNoise, load_noise  # noqa: E402
from simul.training.translator.trainer import Trainer, TrainingConfig, learning_rate, load_vocabularies  # noqa: E402

NOUNS = [
    ("dog", "Hund"),
    ("man", "Mann"),
    ("table", "Tisch"),
    ("train", "Zug"),
    ("tree", "Baum"),
    ("king", "König"),
]
VERBS = [("sees", "sieht"), ("hears", "hört"), ("wants", "will"), ("finds", "findet"), ("buys", "kauft")]


def _sentences() -> list[tuple[str, str]]:
    return [
        (f"The {a} {v} the {b}.", f"Der {x} {w} den {y}.")
        for a, x in NOUNS
        for v, w in VERBS
        for b, y in NOUNS
    ]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in the layout that the recipe reads."""
    root = tmp_path_factory.mktemp("data")
    for name in ("tatoeba", "cmudict", "librispeech-hyps"):
        (root / name).mkdir()
    with gzip.open(root / "tatoeba" / "train.en-de.tsv.gz", "wt", encoding="utf-8") as stream:
        stream.write("en\tde\n" + "".join(f"{a}\t{b}\n" for a, b in _sentences()))
    with gzip.open(root / "cmudict" / "cmudict.dict.gz", "wt") as stream:
        stream.write("dog D AO1 G\nman M AE1 N\nking K IH1 NG\nsees S IY1 Z\nthe DH AH0\n")
    (root / "cmudict" / "homophones.tsv").write_text("phones\twords\tcounts\nS IY Z\tsees seas\t1/1 1/1\n")
    with gzip.open(root / "librispeech-hyps" / "hyps.tsv.gz", "wt") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["id", "reference", "hyp_rnnt"])
        writer.writerow(["1", "the man hears the king", "the men hears the king"])
    return root


TINY = TrainingConfig(
    languages=("de",),
    steps=400,
    batch_tokens=1024,
    peak_rate=3e-3,
    warmup_steps=40,
    source_vocabulary=60,
    target_vocabulary=60,
    width=64,
    hidden=128,
    heads=2,
    encoder_layers=2,
    decoder_layers=1,
    save_every=100,
    noise=NoiseConfig(clean_share=1.0),
    mix=MixConfig(prefix_share=0.2, joined_share=0.0),
)


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    Trainer(TINY, data, folder).run()
    return folder


@pytest.fixture(scope="session")
def translator(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> EmbeddedTranslator:
    return EmbeddedTranslator(export(trained, tmp_path_factory.mktemp("export"), "float32"), beam=1)


def test_training_learns_the_sentences(translator: EmbeddedTranslator) -> None:
    requests = [TextRequest(a, "de") for a, _ in _sentences()[::7]]
    got = ["".join(r.tokens).strip() for r in translator.translate(requests)]
    right = sum(a == b for a, (_, b) in zip(got, _sentences()[::7], strict=True))
    assert right >= 0.8 * len(requests), got[:5]


def test_same_seed_gives_the_same_network(data: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    few = replace(TINY, steps=6)
    weights = []
    for name in ("a", "b"):
        trainer = Trainer(few, data, tmp_path / name)
        trainer.run()
        weights.append(torch.cat([p.detach().flatten() for p in trainer.network.parameters()]))
    assert torch.equal(*weights)


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(data: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    config = replace(TINY, steps=8, save_every=4, decay_share=0.25)
    whole = Trainer(config, data, tmp_path / "whole")
    whole.run()
    first = Trainer(config, data, tmp_path / "parts")

    class Stop(Exception):
        pass

    def interrupt(step: int, steps: int, figures: dict[str, float]) -> None:
        if step == 6:
            raise Stop

    with pytest.raises(Stop):
        first.run(interrupt)
    second = Trainer(config, data, tmp_path / "parts")
    assert second.step == 4
    second.run()
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_checkpoint_of_other_sizes_is_refused(trained: Path, data: Path) -> None:
    from dataclasses import replace

    with pytest.raises(SimulError, match="other sizes"):
        Trainer(replace(TINY, width=32), data, trained)


def test_learning_rate_warms_up_stays_and_falls_to_zero() -> None:
    config = TrainingConfig(steps=1000, warmup_steps=100, decay_share=0.3, peak_rate=1.0)
    assert learning_rate(config, 0) == pytest.approx(0.01)
    assert learning_rate(config, 100) == learning_rate(config, 699) == 1.0
    assert learning_rate(config, 850) == pytest.approx(0.5)
    assert learning_rate(config, 999) == pytest.approx(1 / 300)


def test_export_gives_the_network_s_own_log_probabilities(
    trained: Path, translator: EmbeddedTranslator
) -> None:
    from simul.training.translator.network import NetworkConfig, Translator

    source, target = load_vocabularies(trained)
    sizes = NetworkConfig(source.get_piece_size(), target.get_piece_size(), 64, 2, 128, 2, 1)
    network = Translator(sizes).eval()
    network.load_state_dict(torch.load(trained / "checkpoint.pt", weights_only=True)["network"])
    for english, _ in _sentences()[::40]:
        request = TextRequest(english, "de")
        result = translator.translate([request])[0]
        ids = [source.piece_to_id(p) for p in translator._encode(request)]
        inputs = torch.tensor([[2, *result.ids]])
        with torch.no_grad():
            states = network.hidden(torch.tensor([ids]), inputs)
            logits = states @ network.target_embedding.weight.T + network.output_bias
        expected = logits.log_softmax(-1)[0, range(len(result.ids)), list(result.ids)]
        assert result.logprobs == pytest.approx(expected.numpy(), abs=2e-4)
        assert int(logits[0, -1].argmax()) == EOS


def test_forced_prefix_is_continued_and_batch_equals_single(translator: EmbeddedTranslator) -> None:
    plain = translator.translate([TextRequest("the dog sees the man", "de")])[0]
    prefix, ids = plain.tokens[:2], plain.ids[:2]
    requests = [
        TextRequest("the dog sees the man", "de", True, prefix, ids),
        TextRequest("the king hears", "de", False),
        TextRequest("", "de"),
        TextRequest("the dog sees the man", "de", max_new_tokens=1),
    ]
    batch = translator.translate(requests)
    assert batch[0].tokens == plain.tokens[2:]
    assert batch[2].tokens == ()
    assert batch[3].tokens == plain.tokens[:1]
    for request, result in zip(requests, batch, strict=True):
        alone = translator.translate([request])[0]
        assert alone.tokens == result.tokens
        assert alone.ids == result.ids


def test_source_words_never_go_back_and_stay_inside(translator: EmbeddedTranslator) -> None:
    for english, _ in _sentences()[::25]:
        result = translator.translate([TextRequest(english, "de")])[0]
        assert result.source_words is not None
        assert len(result.source_words) == len(result.tokens)
        assert (np.diff(result.source_words) >= 0).all()
        assert 0 <= result.source_words.min() <= result.source_words.max() < len(english.split())


def test_prefix_pairs_are_beginnings_without_a_final_mark() -> None:
    pair = Pair(("i", "see", "a", "dog"), "Ich sehe einen Hund.", "de")
    seen = set()
    for seed in range(50):
        source, target = prefix_of(pair, Random(seed))
        assert tuple(source) == pair.source[: len(source)]
        assert pair.target.startswith(target)
        assert not target.endswith(".")
        seen.add(len(source))
    assert seen == {1, 2, 3, 4}


def test_epochs_mark_complete_sources_and_repeat(data: Path, trained: Path) -> None:
    pairs = read_pairs(data, ("de",))
    source, target = load_vocabularies(trained)
    noise = load_noise(data, source_word_counts(pairs), NoiseConfig(clean_share=1.0))
    builder = EpochBuilder(
        pairs, source, target, noise, MixConfig(prefix_share=0.5, joined_share=0.2), seed=3
    )
    first, again, other = builder.epoch(0), builder.epoch(0), builder.epoch(1)
    assert first == again
    assert first != other
    assert len(first) == len(pairs)
    complete = sum(e.source[-1] == EOS for e in first) / len(first)
    assert 0.3 < complete < 0.6
    assert all(source.id_to_piece(e.source[0]) == "<2de>" for e in first)


def test_batches_hold_every_example_once_without_source_padding(data: Path, trained: Path) -> None:
    pairs = read_pairs(data, ("de",))
    source, target = load_vocabularies(trained)
    builder = EpochBuilder(pairs, source, target, RecognitionNoise({}), MixConfig(), seed=1)
    examples = builder.epoch(0)
    batches = make_batches(examples, 256, Random(1))
    assert sum(len(b.source) for b in batches) == len(examples)
    assert sum(int((b.labels != PAD).sum()) for b in batches) == sum(len(e.target) + 1 for e in examples)
    for batch in batches:
        assert batch.source.size <= 256 or len(batch.source) == 1
        assert (batch.source != PAD).all()
        assert (
            batch.decoder_input[:, 1:] == np.where(batch.labels[:, :-1] == EOS, PAD, batch.labels[:, :-1])
        ).all()


def test_noise_draws_only_listed_errors(data: Path) -> None:
    counts = Counter({"man": 5, "men": 5, "sees": 5, "seas": 5, "the": 9})
    noise = load_noise(data, counts, NoiseConfig(clean_share=0.0, max_rate=1.0))
    assert "men" in noise.substitutes["man"]
    assert "seas" in noise.substitutes["sees"]
    words = ["the", "man", "sees", "the", "man"] * 40
    heard = noise.apply(words, Random(1))
    assert heard != words
    assert noise.apply(words, Random(1)) == heard
    assert RecognitionNoise(noise.substitutes, NoiseConfig(clean_share=1.0)).apply(words, Random(1)) == words


def test_missing_training_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SimulError, match=r"train\.en-de\.tsv\.gz"):
        read_pairs(tmp_path, ("de",))


def test_texts_longer_than_the_positions_are_cut_not_failed(translator: EmbeddedTranslator) -> None:
    from simul.models.embedded.translator import POSITIONS
    from simul.training.translator.network import NetworkConfig

    assert NetworkConfig(1, 1).max_length == POSITIONS
    long = " ".join(["the dog sees the man"] * 120)
    whole = translator.translate([TextRequest(long, "de")])[0]
    assert 0 < len(whole.tokens) < POSITIONS
    for used in (POSITIONS - 3, POSITIONS - 2, POSITIONS - 1, POSITIONS + 50):
        ids = (whole.ids * POSITIONS)[:used]
        prefix = tuple(" x" for _ in ids)
        result = translator.translate([TextRequest(long, "de", False, prefix, ids)])[0]
        assert len(result.tokens) <= max(0, POSITIONS - 1 - used)
