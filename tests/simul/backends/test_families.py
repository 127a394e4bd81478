"""A configuration leads to the right family of models, or to one sentence that says what to do."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from policies.base import Need
from simul.backends import families
from simul.backends.families import MORE, Family, ModelConfig, choose, load_backend, load_translators
from simul.backends.loaders import Asked, Part
from simul.clock import elapsed_seconds
from simul.errors import ModelMissingError, SimulError, UsageError
from simul.models.hub import FoundModel
from simul.models.translation.interface import TextRequest, TextResult, TextTranslator
from tests.simul.models.folders import ctranslate2_folder
from tests.simul.models.marian import tiny


@pytest.fixture
def cache(bare_machine: Path) -> Path:
    return bare_machine


class Silent:
    """A translator that never says anything."""

    name = "silent"
    sources, targets = frozenset({"en"}), frozenset({"de"})

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        return [TextResult((), ()) for _ in requests]


def found(name: str, size: int, path: Path = Path("nowhere"), kind: str = "whisper") -> FoundModel:
    return FoundModel(kind, path, name, size)


def test_auto_takes_the_largest_model_that_keeps_up_and_serves_the_pair(tmp_path: Path) -> None:
    many = ctranslate2_folder(tmp_path / "many", "WhisperSpec", entries=51865)
    english = ctranslate2_folder(tmp_path / "english", "WhisperSpec", entries=51864)
    base, small = found("base", 140_000_000, many), found("small", 480_000_000, many)
    large, turbo = found("large-v3", 3_000_000_000, many), found("large-v3-turbo", 500_000_000, many)
    only = found("small.en", 490_000_000, english)
    every = [base, small, large, turbo, only, found("nllb", 500_000_000, kind="translation")]
    assert choose(every, "de", "en") is small
    assert choose(every, "de", "de") is turbo
    assert choose(every, "en", "en") is turbo
    assert choose([base, only], "en", "en") is only
    assert choose([only], "de", "en") is None
    assert choose([turbo], "de", "en") is None
    assert choose([large], "de", "en") is large
    assert choose(every, "de", "en", "cuda") is large
    assert choose(every, "en", "de") is None


def test_auto_passes_over_a_model_that_no_package_can_run(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    many = ctranslate2_folder(tmp_path / "many", "WhisperSpec", entries=51865)
    real = importlib.util.find_spec
    hidden = "faster_whisper"
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == hidden else real(name, *a)
    )
    loaded = load_backend(ModelConfig(), "en", "en", [found("base", 1, many)])
    assert loaded.backend.name == "cascade"
    assert "passed over" in loaded.description


def test_auto_puts_a_translator_behind_the_model_that_hears_best(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    many = ctranslate2_folder(tmp_path / "many", "WhisperSpec", entries=51865)
    told: list[Asked] = []

    def hear(asked: Asked) -> Part[object]:
        told.append(asked)
        return Part(lambda: None, f"Whisper {asked.name}")

    families_of = dataclasses.replace(families.RECOGNIZERS.families[1], load=hear)
    role = dataclasses.replace(families.RECOGNIZERS, families=(families.RECOGNIZERS.families[0], families_of))
    monkeypatch.setattr(families, "RECOGNIZERS", role)
    loaded = load_backend(ModelConfig(), "en", "de", [found("base", 1, many)])
    assert loaded.description == "Cascade: Whisper base, embedded translator."
    assert [(asked.name, asked.kind, asked.folder) for asked in told] == [("base", "whisper", many)]


def test_auto_translates_what_a_small_whisper_hears_where_a_translator_is_here(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    many = ctranslate2_folder(tmp_path / "many", "WhisperSpec", entries=51865)

    def named(title: str) -> Callable[[Asked], Part[Any]]:
        return lambda asked: Part(SimpleNamespace(limits=None), f"{title} {asked.name}")

    monkeypatch.setattr(families, "installed_translators", lambda source, target: [])
    for role, title in (("RECOGNIZERS", "hears"), ("SPEECH", "itself")):
        table = getattr(families, role)
        whisper = dataclasses.replace(table.families[1], load=named(title))
        monkeypatch.setattr(families, role, dataclasses.replace(table, families=(table.families[0], whisper)))
    monkeypatch.setattr("simul.backends.base.check_languages", lambda *_: None)

    def said(source: str, size: int, **config: str) -> str:
        return load_backend(ModelConfig(**config), source, "en", [found("w", size, many)]).description

    small, large = families.TRANSLATES_ILL_BYTES, families.TRANSLATES_ILL_BYTES + 1
    assert said("es", small) == said("fr", small) == "Cascade: hears w, embedded translator."
    assert said("es", large) == said("de", small) == said("auto", small) == "itself w"


def test_auto_takes_a_translator_of_the_catalogue_before_the_embedded_one(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    student = found("firefox:en-de", 1, tmp_path, "student")
    monkeypatch.setattr(families, "installed_translators", lambda source, target: [student])
    family = Family("student", lambda asked: Part(Silent(), f"translator {asked.name}"), ["student"])
    others = [other for other in families.TRANSLATORS.families if "student" not in other.kinds]
    without = dataclasses.replace(families.TRANSLATORS, families=others)
    monkeypatch.setattr(families, "TRANSLATORS", without)
    assert "Embedded model" in load_backend(ModelConfig(), "en", "de").description
    grown = dataclasses.replace(families.TRANSLATORS, families=[*others, family])
    monkeypatch.setattr(families, "TRANSLATORS", grown)
    said = load_backend(ModelConfig(), "en", "de").description
    assert said == "Cascade: embedded recogniser, translator firefox:en-de."
    assert "Embedded model" in load_backend(ModelConfig(model="embedded"), "en", "de").description


def test_a_model_with_a_wrong_file_is_left_out_and_named(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("pocketsphinx")
    folder = ctranslate2_folder(
        cache / "models--Systran--faster-whisper-base" / "snapshots" / "r", "WhisperSpec", entries=51865
    )
    for name in ("tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("{}")
    loaded = load_backend(ModelConfig(), "en", "en")
    assert "Embedded model" in loaded.description
    assert f"{folder / 'model.bin'} is not that of whisper-base" in loaded.description
    with pytest.raises(ModelMissingError, match="not that of whisper-base"):
        load_backend(ModelConfig(model="base"), "en", "en")


def test_the_embedded_model_serves_english_captions_and_says_what_it_is(cache: Path) -> None:
    pytest.importorskip("pocketsphinx")
    for model in ("auto", "embedded"):
        loaded = load_backend(ModelConfig(model=model), "en", "en")
        assert loaded.backend.name == "cascade"
        assert loaded.backend.limits.sources == {"en"}
        assert "Embedded model" in loaded.description
        assert MORE in loaded.description
        assert "\n" not in loaded.description


@pytest.mark.parametrize(
    ("config", "source", "target", "kind", "said"),
    [
        (ModelConfig(), "de", "en", UsageError, "hears English only"),
        (ModelConfig(), "en", "it", UsageError, r"German \(de\), Spanish \(es\), French \(fr\)"),
        (ModelConfig(model="embedded"), "fr", "fr", UsageError, "hears English only"),
        (ModelConfig(model="small", asr="x"), "en", "de", UsageError, "not both"),
        (ModelConfig(mt="/no/such/folder"), "en", "it", ModelMissingError, "check the path"),
        (ModelConfig(model="/no/such/folder"), "en", "en", ModelMissingError, "check the path"),
        (ModelConfig(asr="/no/such/folder"), "de", "de", ModelMissingError, "check the path"),
        (ModelConfig(model="whisper-base"), "de", "de", ModelMissingError, "simul models pull whisper-base"),
        (ModelConfig(mt="firefox:en-fr"), "en", "fr", ModelMissingError, "simul models pull firefox:en-fr"),
    ],
)
def test_what_cannot_be_served_is_one_clear_sentence(
    cache: Path, config: ModelConfig, source: str, target: str, kind: type[SimulError], said: str
) -> None:
    pytest.importorskip("pocketsphinx")
    with pytest.raises(kind, match=said) as caught:
        load_backend(config, source, target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"threads": -1}, {"beam": 0}, {"device": "tpu"}, {"compute": "int4"}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ModelConfig(**wrong)  # type: ignore[arg-type]


def test_every_setting_has_help_for_the_command_line() -> None:
    assert all(field.metadata["help"] for field in dataclasses.fields(ModelConfig))


def transformers_folder(folder: Path, config: str) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("option", "kind", "said"),
    [
        (
            "model",
            "TransformerSpec",
            "holds a text translation model, which translates text; give it with --mt.",
        ),
        ("asr", "TransformerSpec", "give it with --mt."),
        ("mt", "WhisperSpec", "holds a Whisper model, which recognises speech; give it with --asr."),
        ("mt", '{"model_type": "whisper"}', "give it with --asr."),
        ("mt", '{"model_type": "seamless_m4t_v2"}', "translates speech by itself; give it with --model."),
        ("asr", '{"model_type": "seamless_m4t_v2"}', "give it with --model."),
        ("model", '{"model_type": "x", "architectures": ["XForCausalLM"]}', "holds a language model, which"),
        ("mt", '{"model_type": "bart"}', "ct2-transformers-converter"),
    ],
)
def test_a_folder_for_another_option_is_told_its_place(
    option: str, kind: str, said: str, tmp_path: Path, cache: Path
) -> None:
    folder = tmp_path / "folder"
    if kind.startswith("{"):
        transformers_folder(folder, kind)
    else:
        ctranslate2_folder(folder, kind)
    with pytest.raises(UsageError) as caught:
        load_backend(ModelConfig(**{option: str(folder)}), "en", "de")  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_cascade_is_refused_before_anything_is_loaded(tmp_path: Path, cache: Path) -> None:
    """The folder could not be loaded; what is wrong with the other half is said first."""
    whisper = ctranslate2_folder(tmp_path / "whisper", "WhisperSpec")
    with pytest.raises(UsageError, match="embedded translator turns English into"):
        load_backend(ModelConfig(asr=str(whisper)), "it", "de")
    with pytest.raises(UsageError, match="embedded translator turns English into"):
        load_backend(ModelConfig(model=str(whisper)), "en", "it")
    translator = ctranslate2_folder(tmp_path / "opus", "TransformerSpec")
    with pytest.raises(UsageError, match=r"hears English only.*--asr FOLDER"):
        load_backend(ModelConfig(mt=str(translator)), "fr", "de")


def test_a_new_family_is_one_entry_and_one_loader(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    folder = transformers_folder(tmp_path / "marian", '{"model_type": "marian"}')
    told: list[Asked] = []

    def loader(asked: Asked) -> Part[TextTranslator]:
        told.append(asked)
        return Part(Silent(), f"Marian {asked.name}", elapsed_seconds)

    family = Family("Marian model", loader, ["hf-marian"])
    grown = dataclasses.replace(families.TRANSLATORS, families=(*families.TRANSLATORS.families, family))
    monkeypatch.setattr(families, "TRANSLATORS", grown)
    loaded = load_backend(ModelConfig(mt=str(folder)), "en", "de", needs=frozenset({Need.BEAMS}))
    assert loaded.description == "Cascade: embedded recogniser, Marian marian."
    assert loaded.backend.meter is elapsed_seconds
    assert [(asked.folder, asked.kind, asked.needs) for asked in told] == [
        (folder, "hf-marian", frozenset({Need.BEAMS}))
    ]
    with pytest.raises(UsageError, match="holds a Marian model, which translates text; give it with --mt"):
        load_backend(ModelConfig(model=str(folder)), "en", "de")


def test_real_whisper_is_chosen_by_itself_for_speech_and_for_a_cascade(whisper_base_folder: Path) -> None:
    pytest.importorskip("faster_whisper")
    direct = load_backend(ModelConfig(threads=1), "de", "en")
    assert "whisper-base" in direct.description
    behind = load_backend(ModelConfig(threads=1), "en", "fr").description
    assert "Whisper model whisper-base as recogniser" in behind
    assert load_backend(ModelConfig(model="whisper-base", threads=1), "de", "de").backend.limits.sources >= {
        "de"
    }


def test_one_translator_serves_all_the_languages_it_knows(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "installed_translators", lambda source, target: [])
    parts = load_translators(ModelConfig(), "en", ["fr", "de", "pt"])
    assert list(parts) == ["fr", "de", "pt"]
    assert len({id(part.made) for part in parts.values()}) == 1
    assert parts["de"].made.targets == {"fr", "de", "pt"}
    with pytest.raises(UsageError, match="not 'en' into 'it'"):
        load_translators(ModelConfig(), "en", ["de", "it"])


def test_each_language_has_the_best_translator_for_it(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.firefox(tmp_path)
    student = found("firefox:en-de", 1, tmp_path, "student")
    monkeypatch.setattr(
        families, "installed_translators", lambda source, target: [student] if target == "de" else []
    )
    parts = load_translators(ModelConfig(), "en", ["de", "es"])
    assert (parts["de"].said, parts["es"].said) == ("student firefox:en-de", "embedded translator")


def test_a_pair_without_a_translator_goes_through_english(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.firefox(tmp_path / "ende")
    for name in ("model.{}.intgemm.bin", "vocab.{}.spm"):
        (tmp_path / "ende" / name.format("ende")).rename(tmp_path / "ende" / name.format("iten"))
    student = found("firefox:it-en", 1, tmp_path / "ende", "student")
    monkeypatch.setattr(
        families,
        "installed_translators",
        lambda source, target: [student] if (source, target) == ("it", "en") else [],
    )
    monkeypatch.setattr(
        families, "named_model", lambda name, download: student if name == student.name else None
    )
    part = load_translators(ModelConfig(), "it", ["es"])["es"]
    assert part.said == "student firefox:it-en, then embedded translator"
    assert (part.made.sources, part.made.targets) == ({"it"}, {"es"})
    both = load_translators(ModelConfig(), "it", ["es", "de"])
    assert both["es"].made is both["de"].made
    assert both["es"].made.targets == {"es", "de"}
    by_hand = load_translators(ModelConfig(mt="firefox:it-en+embedded"), "it", ["es"])["es"]
    assert by_hand.said == part.said
    with pytest.raises(UsageError, match="embedded translator turns English into"):
        load_translators(ModelConfig(), "de", ["es"])
    with pytest.raises(UsageError, match="not two translators"):
        load_translators(ModelConfig(mt="a+b+c"), "it", ["es"])


def test_the_embedded_translator_goes_through_english_by_itself(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "installed_translators", lambda source, target: [])
    parts = load_translators(ModelConfig(), "es", ["en", "fr", "de"])
    assert parts["en"].said == "embedded translator"
    assert (parts["en"].made.sources, parts["en"].made.targets) == ({"es"}, {"en"})
    assert parts["fr"].said == "embedded translator, then embedded translator"
    assert parts["fr"].made is parts["de"].made
