"""Translation by tiny causal language models in the file format of real ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="language models need torch")
pytest.importorskip("transformers", reason="language models need transformers")

import torch

from policies import make_policy
from policies.base import Need
from simul.backends.cascade import CascadeBackend
from simul.backends.families import ModelConfig, load_backend
from simul.clock import VirtualClock
from simul.errors import ModelMissingError, UsageError
from simul.models.hub import classify
from simul.models.llm.prompt import instructions, room
from simul.models.llm.translator import CausalTranslator
from simul.models.translation.interface import TextRequest, TextResult
from simul.session import Session, SessionConfig
from simul.session.events import Settled
from simul.text import follows_word
from tests.simul.backends.test_cascade import WORD, ScriptedRecognizer

pytestmark = pytest.mark.usefixtures("one_torch_thread")
FAMILIES = ("llama", "qwen2")
SOURCES = ("good morning everybody", "red house", "the river flows behind the green garden", "blue")
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE
SPECIAL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<pad>")
TEXT = "Guten Morgen alle zusammen, das rote Haus am Fluss. good morning everybody, the red house\n"


def tokenizer(family: str) -> Any:
    """Byte-level BPE as Llama 3 and Qwen have it, or pieces with a mark for the space as Llama 2 has them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token=None if family == "qwen2" else "<unk>"))
    if family == "qwen2":
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        first, alphabet = [], sorted(pre_tokenizers.ByteLevel.alphabet())
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        made.decoder = decoders.Metaspace(prepend_scheme="first")
        first, alphabet = ["<unk>"], sorted(set(TEXT) - set(" \n"))
    trainer = trainers.BpeTrainer(
        vocab_size=320 if family == "qwen2" else 120,
        special_tokens=[*first, *SPECIAL],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator([TEXT] * 3, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|end|>", pad_token="<pad>")
    wrapped.add_special_tokens({"additional_special_tokens": list(SPECIAL[1:4])})
    wrapped.chat_template = TEMPLATE
    return wrapped


def save(family: str, folder: Path) -> Path:
    from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config

    words = tokenizer(family)
    torch.manual_seed(5)
    sizes: dict[str, Any] = {
        "vocab_size": len(words),
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.4,
        "eos_token_id": words.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": words.pad_token_id,
        "tie_word_embeddings": False,
    }
    config = (LlamaConfig if family == "llama" else Qwen2Config)(**sizes)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in FAMILIES}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, CausalTranslator]:
    return {family: CausalTranslator(folder, "en", "de", "cpu") for family, folder in folders.items()}


def ask(model: CausalTranslator, source: str, before: TextResult | None = None, count: int = 0) -> TextResult:
    tokens, ids = ((), ()) if before is None else (before.tokens[:count], before.ids[:count])
    return model.translate([TextRequest(source, "de", True, tokens, ids, 12 - count)])[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_transformers_itself_writes_the_same(models: dict[str, CausalTranslator], family: str) -> None:
    model = models[family]
    texts = set()
    for source in SOURCES:
        found = ask(model, source)
        asked = [
            {"role": "system", "content": instructions("en", "de")},
            {"role": "user", "content": source},
        ]
        ids = model._tokenizer.apply_chat_template(
            asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )["input_ids"]
        assert model._templated(source) == ids[0].tolist()
        never = model._rules.never.nonzero()[:, 0].tolist()
        told = model._network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=12,
            suppress_tokens=never,
            output_logits=True,
            return_dict_in_generate=True,
        )
        theirs = told.sequences[0, ids.shape[1] :].tolist()
        stop = next((i for i, token in enumerate(theirs) if model._rules.ends[token]), len(theirs))
        assert list(found.ids) == theirs[:stop]
        assert found.ended == (stop < len(theirs))
        for step, token in enumerate(found.ids):
            scores = told.logits[step][0].float().masked_fill(model._rules.never, -torch.inf).log_softmax(-1)
            assert found.logprobs[step] == pytest.approx(float(scores[token]), abs=1e-3)
        assert "".join(found.tokens).encode("utf-8", "surrogateescape").decode(
            "utf-8", "replace"
        ).lstrip() == (model._tokenizer.decode(list(found.ids)).lstrip())
        texts.add(found.ids)
    assert len(texts) == len(SOURCES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prefix_stands_exactly_after_the_template(
    models: dict[str, CausalTranslator], family: str
) -> None:
    model = models[family]
    for source in SOURCES:
        whole = ask(model, source)
        assert whole.tokens[0].startswith(" ")
        for count in range(1, len(whole.ids), 2):
            request = TextRequest(source, "de", True, whole.tokens[:count], whole.ids[:count])
            given = model._prompt(request).ids
            assert list(given) == [*model._templated(source), *whole.ids[:count]]
            rest = ask(model, source, whole, count)
            assert rest.ids == whole.ids[count:]
            assert rest.tokens == whole.tokens[count:]
            np.testing.assert_allclose(rest.logprobs, whole.logprobs[count:], atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_gives_what_single_calls_give(models: dict[str, CausalTranslator], family: str) -> None:
    model = models[family]
    whole = ask(model, SOURCES[2])
    requests = [TextRequest(s, "de", i % 2 == 0, max_new_tokens=4 + i) for i, s in enumerate(SOURCES)]
    requests.append(TextRequest(SOURCES[2], "de", True, whole.tokens[:3], whole.ids[:3], None, True))
    requests.append(TextRequest("  ", "de"))
    together = model.translate(requests)
    assert together[-1].tokens == ()
    for request, found in zip(requests, together, strict=True):
        alone = model.translate([request])[0]
        assert (alone.tokens, alone.ids, alone.ended) == (found.tokens, found.ids, found.ended)
        np.testing.assert_allclose(alone.logprobs, found.logprobs, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_word_that_is_over_is_not_made_longer(models: dict[str, CausalTranslator], family: str) -> None:
    model = models[family]
    grown = 0
    for source in SOURCES:
        whole = ask(model, source)
        for count in range(1, len(whole.ids), 2):
            free = TextRequest(source, "de", True, whole.tokens[:count], whole.ids[:count], 3)
            before, after = model.translate([free, replace(free, word_complete=True)])
            assert not after.tokens or follows_word(after.tokens[0])
            grown += bool(before.tokens) and not follows_word(before.tokens[0])
    assert grown


def ending(folder: Path, target: Path, words: tuple[str, ...] = ("<|end|>",)) -> tuple[CausalTranslator, int]:
    """A model that ends where the one in `folder` writes its fourth token, and that token."""
    from transformers import AutoModelForCausalLM

    token = ask(CausalTranslator(folder, "en", "de", "cpu"), SOURCES[0]).ids[3]
    shutil.copytree(folder, target)
    network = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        for word in words:
            number = tokenizer("qwen2").convert_tokens_to_ids(word)
            network.lm_head.weight[number] = network.lm_head.weight[token] * 1.5
    network.save_pretrained(target)
    return CausalTranslator(target, "en", "de", "cpu"), token


@pytest.mark.parametrize("word", ["<|end|>", "Ċ"])
def test_the_end_counts_only_when_the_source_is_complete(
    folders: dict[str, Path], tmp_path: Path, word: str
) -> None:
    model, token = ending(folders["qwen2"], tmp_path / "ends", (word,))
    done = model.translate([TextRequest(SOURCES[0], "de", True)])[0]
    open_ = model.translate([TextRequest(SOURCES[0], "de", False)])[0]
    assert done.ended
    assert not open_.ended
    assert done.ids == open_.ids
    assert len(done.ids) <= 3
    number = model._tokenizer.convert_tokens_to_ids(word)
    assert number not in done.ids
    assert token != number


def test_length_is_bounded_by_the_source(models: dict[str, CausalTranslator]) -> None:
    request = TextRequest("red house", "de", False)
    assert len(models["llama"].translate([request])[0].ids) <= room(request) == 26
    assert room(replace(request, prefix=(" x",) * 25)) == 1
    assert room(replace(request, prefix=(" x",) * 40)) == 0
    assert room(replace(request, max_new_tokens=3)) == 3
    full = models["llama"].translate([replace(request, prefix=(" x",) * 40, prefix_ids=(7,) * 40)])[0]
    assert (full.tokens, full.ended) == ((), False)


def test_templates_without_a_system_message(folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(folders["qwen2"], tmp_path / "plain")
    words = tokenizer("qwen2")
    words.chat_template = NO_SYSTEM
    words.save_pretrained(tmp_path / "plain")
    model = CausalTranslator(tmp_path / "plain", "en", "de", "cpu")
    templated = model._tokenizer.decode(model._templated("red house"))
    assert "<|system|>" not in templated
    assert "never complete" in templated
    assert templated.endswith("red house<|end|><|assistant|>")


def test_a_folder_becomes_a_translator(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = folders["llama"]
    assert classify(folder) == "hf-causal"
    pytest.importorskip("pocketsphinx", reason="the embedded recogniser needs pocketsphinx")
    loaded = load_backend(ModelConfig(mt=str(folder), device="cpu", threads=1), "en", "fr", [])
    assert "language model" in loaded.description
    assert loaded.backend.limits.targets == {"en", "fr"}
    assert Need.SPANS not in loaded.backend.provides
    with pytest.raises(UsageError, match="give it with --mt"):
        load_backend(ModelConfig(model=str(folder)), "en", "de", [])
    bare = tmp_path / "base"
    shutil.copytree(folder, bare)
    words = tokenizer("llama")
    words.chat_template = None
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (bare / name).unlink(missing_ok=True)
    words.save_pretrained(bare)
    with pytest.raises(ModelMissingError, match="no chat template"):
        load_backend(ModelConfig(mt=str(bare), device="cpu"), "en", "de", [])
    with pytest.raises(UsageError, match="'xx' is not known by name"):
        CausalTranslator(folder, "xx", "de", "cpu")


@pytest.mark.parametrize("policy", ["local-agreement", "hold-n(n=2)", "wait-k(unit=word, k=2)"])
def test_sessions_settle_every_word_once(models: dict[str, CausalTranslator], policy: str) -> None:
    backend = CascadeBackend(
        lambda: ScriptedRecognizer(["good", "morning", "|", "red", "house"]), models["qwen2"]
    )
    session = Session(make_policy(policy), backend, VirtualClock(), SessionConfig(chunk=WORD))
    events = session.feed(np.zeros(6 * WORD, np.float32)) + session.finish()
    settled = [e for e in events if isinstance(e, Settled)]
    assert {e.segment for e in settled} == {0, 1}
    starts = [next(e for e in settled if e.segment == n) for n in (0, 1)]
    for event in settled:
        assert event in starts or follows_word(event.tokens[0])
