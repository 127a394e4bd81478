"""Text translation on tiny models in the formats of Opus-MT, NLLB-200 and M2M-100."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the tiny translation models are made with torch")
pytest.importorskip("transformers", reason="the tiny translation models are made with transformers")

from policies.base import Need
from simul.backends.cascade import CascadeBackend
from simul.backends.families import ModelConfig, load_backend
from simul.errors import ModelMissingError, UsageError
from simul.models.translation.ctranslate2 import CTranslate2Translator, piece_surface
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.translation.source_attention import over_words, resting_words, word_numbers
from simul.text import follows_word
from tests import tiny_models

SOURCES = ("red house river", "seven green garden blue", "eleven", "river river")
PIECES = ["eng_Latn", "\u2581red", "\u2581ho", "use", "</s>"]
FAMILIES = ("marian", "nllb", "m2m")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    """A network and its folder for each family."""
    root = tmp_path_factory.mktemp("translators")
    for name in FAMILIES:
        (root / name).mkdir()
    return {
        "marian": tiny_models.save_marian(root / "marian"),
        "nllb": tiny_models.save_m2m(root / "nllb", ["eng_Latn", "deu_Latn", "fra_Latn"]),
        "m2m": tiny_models.save_m2m(root / "m2m", ["__en__", "__de__", "__fr__"]),
    }


def load(
    made: dict[str, tuple[Any, Path]], family: str, target: str = "de", beam: int = 2
) -> CTranslate2Translator:
    return CTranslate2Translator(made[family][1], "en", target, "cpu", "float32", threads=1, beam=beam)


def ask(
    translator: CTranslate2Translator, source: str, prefix: TextResult | None = None, count: int = 0
) -> TextResult:
    tokens = () if prefix is None else prefix.tokens[:count]
    ids = () if prefix is None else prefix.ids[:count]
    return translator.translate([TextRequest(source, "de", True, tokens, ids, 8)])[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [0, 3])
def test_log_probabilities_are_those_of_torch(
    made: dict[str, tuple[Any, Path]], family: str, count: int
) -> None:
    import torch

    network, folder = made[family]
    translator = load(made, family)
    first = ask(translator, SOURCES[0])
    result = ask(translator, SOURCES[0], first, count)
    vocabulary = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
    number = {piece: i for i, piece in enumerate(vocabulary)}
    language = {"nllb": ("eng_Latn", "deu_Latn"), "m2m": ("__en__", "__de__")}.get(family)
    import sentencepiece

    name = "source.spm" if family == "marian" else "sentencepiece.bpe.model"
    processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
    pieces = processor.encode(SOURCES[0], out_type=str)
    source = [*([language[0]] if language else []), *pieces, "</s>"]
    start = [network.config.decoder_start_token_id, *([number[language[1]]] if language else [])]
    ids = [*first.ids[:count], *result.ids]
    with torch.no_grad():
        logits = network(
            input_ids=torch.tensor([[number[p] for p in source]]),
            decoder_input_ids=torch.tensor([[*start, *ids]]),
        ).logits[0]
    if family == "marian":
        logits = logits[:, :-1]
    scores = logits.log_softmax(-1)
    expected = [float(scores[len(start) - 1 + count + i, token]) for i, token in enumerate(result.ids)]
    assert len(result.ids) > 0
    np.testing.assert_allclose(result.logprobs, expected, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_output_continues_every_prefix_of_itself(
    made: dict[str, tuple[Any, Path]], family: str
) -> None:
    translator = load(made, family, beam=1)
    for source in SOURCES:
        whole = ask(translator, source)
        assert len(whole.tokens) == len(whole.ids) == len(whole.logprobs) == len(whole.source_words)
        for count in range(1, len(whole.ids)):
            rest = ask(translator, source, whole, count)
            assert rest.ids[: len(whole.ids) - count] == whole.ids[count:]
            np.testing.assert_allclose(
                rest.logprobs[: len(whole.ids) - count], whole.logprobs[count:], atol=1e-4
            )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("count", [0, 2])
def test_alternatives_are_the_other_texts_of_the_beam(
    made: dict[str, tuple[Any, Path]], family: str, count: int
) -> None:
    plain = load(made, family, beam=3)
    full = CTranslate2Translator(made[family][1], "en", "de", "cpu", "float32", 1, 3, alternatives=True)
    assert (plain.offers, full.offers) == (1, 3)
    for source in SOURCES:
        begun = ask(plain, source)
        best, found = ask(plain, source, begun, count), ask(full, source, begun, count)
        assert best.others == ()
        assert (found.tokens, found.ids) == (best.tokens, best.ids)
        assert len(found.others) == 2
        assert len({found.tokens, *found.others}) == 3
        assert not any("</s>" in token for other in found.others for token in other)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_what_single_calls_give(made: dict[str, tuple[Any, Path]], family: str) -> None:
    translator = load(made, family)
    requests = [TextRequest(s, "de", max_new_tokens=5 + i) for i, s in enumerate(SOURCES)]
    requests += [TextRequest("  ", "de"), TextRequest("blue", "de", True, (" x",), (10,), None)]
    single = [translator.translate([r])[0] for r in requests]
    assert single[4] == TextResult((), ())
    for a, b in zip(single, translator.translate(requests), strict=True):
        assert (a.tokens, a.ids, a.ended) == (b.tokens, b.ids, b.ended)
        if a.ids:
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
            np.testing.assert_array_equal(a.source_words, b.source_words)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("beam", [1, 2])
def test_a_word_that_is_over_is_not_made_longer(
    made: dict[str, tuple[Any, Path]], family: str, beam: int
) -> None:
    translator = load(made, family, beam=beam)
    free = []
    for source in SOURCES:
        whole = ask(translator, source)
        free += [
            TextRequest(source, "de", True, whole.tokens[:n], whole.ids[:n], 4)
            for n in range(1, len(whole.ids))
        ]
    held = [replace(request, word_complete=True) for request in free]
    grown = 0
    for a, b in zip(translator.translate(free), translator.translate(held), strict=True):
        assert len(b.tokens) == len(b.ids) == len(b.logprobs) == len(b.source_words)
        assert not b.tokens or follows_word(b.tokens[0])
        if a.tokens and not follows_word(a.tokens[0]):
            grown += 1
        else:
            assert a.ids == b.ids
    assert grown
    for request, b in zip(held, translator.translate(held), strict=True):
        alone = translator.translate([request])[0]
        assert (alone.ids, alone.ended) == (b.ids, b.ended)
        np.testing.assert_allclose(alone.logprobs, b.logprobs, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_tokens_rest_on_words_of_the_source_in_order(made: dict[str, tuple[Any, Path]], family: str) -> None:
    translator = load(made, family)
    for source in SOURCES:
        words = ask(translator, source).source_words
        assert words.dtype == np.int64
        assert (np.diff(words) >= 0).all()
        assert ((words >= 0) & (words < len(source.split()))).all()


@pytest.mark.parametrize("family", ["nllb", "m2m"])
def test_the_target_language_changes_the_translation(made: dict[str, tuple[Any, Path]], family: str) -> None:
    german, french = (load(made, family, target) for target in ("de", "fr"))
    assert german.targets == {"de"}
    assert german.sources == {"en"}
    different = [
        not np.allclose(ask(german, s).logprobs[0], ask(french, s).logprobs[0], atol=1e-3) for s in SOURCES
    ]
    assert all(different)
    with pytest.raises(UsageError, match="'sw'"):
        load(made, family, "sw")


def test_a_model_of_several_targets_is_told_which_one(tmp_path: Path) -> None:
    _, folder = tiny_models.save_marian(tmp_path, tags=[">>deu<<", ">>fra<<"])
    results = []
    for target in ("de", "fr"):
        translator = CTranslate2Translator(folder, "en", target, "cpu", "float32", threads=1)
        results.append(ask(translator, SOURCES[1]))
    assert not np.allclose(results[0].logprobs[0], results[1].logprobs[0], atol=1e-4)
    with pytest.raises(UsageError, match="fra"):
        CTranslate2Translator(folder, "en", "it", "cpu")


def test_tokenizer_json_serves_as_well_as_sentencepiece(
    made: dict[str, tuple[Any, Path]], tmp_path: Path
) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path / "fast"
    shutil.copytree(made["nllb"][1], folder)
    import sentencepiece

    path = folder / "sentencepiece.bpe.model"
    processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(path))
    scored = [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.vocab_size())]
    fast = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=False))
    fast.pre_tokenizer = pre_tokenizers.Metaspace()
    fast.save(str(folder / "tokenizer.json"))
    path.unlink()
    expected = load(made, "nllb")
    translator = CTranslate2Translator(folder, "en", "de", "cpu", "float32", threads=1)
    for source in SOURCES:
        a, b = ask(expected, source), ask(translator, source)
        assert a.ids == b.ids
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)


def test_faults_of_a_folder_are_named(made: dict[str, tuple[Any, Path]], tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(made["marian"][1], folder)
    (folder / "source.spm").unlink()
    with pytest.raises(ModelMissingError, match="has no tokenizer"):
        CTranslate2Translator(folder, "en", "de", "cpu")
    shutil.copy(made["marian"][1] / "source.spm", folder)
    (folder / "model.bin").write_bytes(b"not a model")
    with pytest.raises(ModelMissingError, match="cannot be loaded"):
        CTranslate2Translator(folder, "en", "de", "cpu")


def test_a_policy_that_compares_hypotheses_gets_them(made: dict[str, tuple[Any, Path]]) -> None:
    folder = str(made["marian"][1])
    for config in (ModelConfig(mt=folder), ModelConfig(mt="embedded")):
        for needs in (frozenset(), frozenset({Need.BEAMS})):
            backend = load_backend(config, "en", "de", needs=needs).backend
            assert (Need.BEAMS in backend.provides) == bool(needs)
    greedy = load_backend(ModelConfig(mt=folder, beam=1), "en", "de", needs=frozenset({Need.BEAMS})).backend
    assert Need.BEAMS not in greedy.provides


def test_a_folder_becomes_a_cascade_with_the_embedded_recogniser(made: dict[str, tuple[Any, Path]]) -> None:
    pytest.importorskip("pocketsphinx")
    config = ModelConfig(mt=str(made["nllb"][1]), device="cpu", compute="float32", threads=1)
    loaded = load_backend(config, "en", "fr", [])
    assert isinstance(loaded.backend, CascadeBackend)
    assert loaded.backend.limits.targets == {"en", "fr"}
    assert "embedded recogniser" in loaded.description


def test_words_of_pieces_leave_out_tags_and_marks() -> None:
    assert word_numbers(PIECES, {"eng_Latn", "</s>"}).tolist() == [-1, 0, 1, 1, -1]
    assert word_numbers(["no", "\u2581mark"], {}).tolist() == [0, 1]
    assert word_numbers(["</s>"], {"</s>"}).tolist() == [-1]
    assert word_numbers([], {}).tolist() == []


def test_resting_words_ignore_tags_and_never_go_back() -> None:
    attention = np.array([[0.9, 0.05, 0.0, 0.05, 0.0], [0, 0.1, 0.2, 0.3, 0.4], [0.1, 0.9, 0, 0, 0]])
    words = word_numbers(PIECES, {"eng_Latn", "</s>"})
    assert resting_words(attention, words).tolist() == [0, 1, 1]
    assert resting_words(attention[:, :1], np.array([-1])).tolist() == [0, 0, 0]
    assert resting_words(np.zeros((0, 5)), words).tolist() == []


def test_attention_of_pieces_adds_up_to_that_of_their_word() -> None:
    attention = np.array([[0.9, 0.05, 0.0, 0.05, 0.0], [0, 0.1, 0.2, 0.3, 0.4]])
    words = word_numbers(PIECES, {"eng_Latn", "</s>"})
    assert over_words(attention, words) == pytest.approx(np.array([[0.05, 0.05], [0.1, 0.5]]))
    assert over_words(np.zeros((0, 5)), words).shape == (0, 2)
    assert over_words(np.zeros((0, 0)), words).shape == (0, 2)
    assert over_words(attention[:, :1], np.array([-1])).shape == (2, 0)


def test_pieces_become_text_and_byte_tokens_halves_of_characters() -> None:
    assert piece_surface("\u2581Haus") == " Haus"
    assert piece_surface("<0x41>") == "A"
    halves = [piece_surface("<0xC3>"), piece_surface("<0xBC>")]
    assert "".join(halves).encode("utf-8", "surrogateescape").decode() == "ü"
