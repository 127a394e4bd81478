"""Which model serves a language pair: the configuration of the command line, and the backend it leads to."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simul.clock import cpu_seconds, elapsed_seconds
from simul.errors import UsageError
from simul.models.hub import WHISPER_PACKAGE, FoundModel, find_models, is_multilingual, resolve

if TYPE_CHECKING:
    from policies.base import Need
    from simul.backends.base import Backend
    from simul.backends.cascade import Recognizer
    from simul.models.translation.interface import TextTranslator
    from simul.models.whisper.interface import Whisper

__all__ = ["FoundModel", "LoadedBackend", "ModelConfig", "choose", "find_models", "load_backend"]

EMBEDDED = "embedded"
EMBEDDED_TARGETS = {"de": "German", "es": "Spanish", "fr": "French"}
MORE = "simul translate --model FOLDER, or --model small --download"
REAL_TIME_BYTES = {"cpu": 600_000_000, "cuda": 4_000_000_000}
"""Weights above which a model that decodes anew at every chunk is not expected to keep up with speech."""


@dataclass(frozen=True)
class ModelConfig:
    """Which models to load and how; the metadata describes the options of the command line."""

    model: str = field(
        default="auto",
        metadata={
            "help": "auto, embedded, a folder with a Whisper model (CTranslate2 or transformers), or its name in "
            "the hub cache (small, large-v3, owner/name)",
            "metavar": "NAME|FOLDER",
        },
    )
    asr: str | None = field(
        default=None,
        metadata={
            "help": "recogniser of a cascade: embedded, or a Whisper model as for --model",
            "metavar": "NAME|FOLDER",
        },
    )
    mt: str | None = field(
        default=None,
        metadata={
            "help": "text translator of a cascade: embedded; a CTranslate2 folder or hub name of an Opus-MT, NLLB or "
            "M2M-100 model; a folder with a language model for conversations; or the address and name of one behind "
            "an OpenAI-compatible server (http://127.0.0.1:8000/v1#MODEL)",
            "metavar": "NAME|FOLDER|URL#MODEL",
        },
    )
    mt_key_variable: str = field(
        default="MT_API_KEY",
        metadata={
            "help": "environment variable that holds the API key of the server that --mt names",
            "metavar": "VARIABLE",
        },
    )
    download: bool = field(
        default=False,
        metadata={"help": "fetch the named models from the hub when they are not on this machine"},
    )
    device: str = field(
        default="auto",
        metadata={"help": "where Whisper and translation models run", "choices": ("auto", "cpu", "cuda")},
    )
    compute: str = field(
        default="auto",
        metadata={
            "help": "arithmetic of these models (auto: int8 on a CPU, float16 on a GPU; transformers: float32 "
            "on a CPU)",
            "choices": ("auto", "int8", "int8_float16", "float16", "bfloat16", "float32"),
        },
    )
    threads: int = field(
        default=0,
        metadata={
            "help": "CPU threads of a model (0: as many as there are cores, at most 4)",
            "metavar": "N",
        },
    )
    crop: bool = field(
        default=False,
        metadata={
            "help": "let Whisper encode only the audio there is instead of 30 s: faster on short windows, less accurate"
        },
    )
    beam: int | None = field(
        default=None, metadata={"help": "beam size (Whisper: 1, translators: 2 unless given)", "metavar": "N"}
    )

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise UsageError(f"The number of threads is {self.threads}; give 0 or more.")
        if not self.mt_key_variable.isidentifier():
            # The value is not repeated: it may be the key itself.
            raise UsageError(
                "What --mt-key-variable says is no name of an environment variable; put the key into a variable and "
                "give the variable's name."
            )
        if self.beam is not None and self.beam < 1:
            raise UsageError(f"The beam size is {self.beam}; give 1 or more.")
        for name in ("device", "compute"):
            choices = type(self).__dataclass_fields__[name].metadata["choices"]
            if getattr(self, name) not in choices:
                raise UsageError(
                    f"Unknown {name} {getattr(self, name)!r}; choose one of: {', '.join(choices)}."
                )


@dataclass(frozen=True)
class LoadedBackend:
    """A backend, and one line that says which model it is and what that is good for."""

    backend: Backend
    description: str


def load_backend(
    config: ModelConfig,
    source: str,
    target: str,
    found: Sequence[FoundModel] | None = None,
    needs: frozenset[Need] = frozenset(),
) -> LoadedBackend:
    """Load what `config` names for speech in `source` and text in `target` (ISO 639-1; equal: transcription).

    `found` are the models on this machine (None: look in the hub cache). `needs` is what the policy wants to
    see: Whisper divides its text into timed segments, and translators give other hypotheses, only if a policy asks
    for them.

    Raises:
        UsageError: no model named serves the languages, or a folder holds a model of another kind.
        ModelMissingError: a model, a file of it or the package that runs it is not here.
    """
    if config.asr is not None or config.mt is not None:
        if config.model != "auto":
            raise UsageError("Give either --model, or --asr and --mt, not both.")
        return _cascade(config, config.asr or EMBEDDED, source, target, needs)
    if config.model == EMBEDDED:
        return _embedded(config, source, target, needs)
    if config.model == "auto":
        chosen = choose(find_models() if found is None else found, source, target, _device(config))
        if chosen is None:
            return _embedded(config, source, target, needs)
        if importlib.util.find_spec("faster_whisper") is None:
            loaded = _embedded(config, source, target, needs)
            note = (
                f" The Whisper model {chosen.name} in the hub cache was passed over: {WHISPER_PACKAGE} first."
            )
            return LoadedBackend(loaded.backend, loaded.description + note)
        return _whisper(config, chosen, source, target, needs)
    model = resolve(config.model, "whisper", config.download, found, also=["hf-seamless"])
    if model.kind == "hf-seamless":
        return _seamless(config, model, source, target)
    if target in ("en", source):
        return _whisper(config, model, source, target, needs)
    return _cascade(config, str(model.path), source, target, needs)


def choose(found: Sequence[FoundModel], source: str, target: str, device: str = "cpu") -> FoundModel | None:
    """The best Whisper model among `found` that serves the pair directly, or None.

    Whisper transcribes and translates into English. Distilled and turbo models were not trained to translate,
    models named .en hear English only. Of those that keep up with speech on `device` the largest is best; if
    none does, the smallest.
    """
    if target not in (source, "en"):
        return None
    usable = [m for m in found if m.kind == "whisper" and _serves(m, source, target)]
    fast = [m for m in usable if m.size <= REAL_TIME_BYTES[device]]
    if fast:
        return max(fast, key=lambda m: (m.size, m.name))
    return min(usable, key=lambda m: (m.size, m.name), default=None)


def _serves(model: FoundModel, source: str, target: str) -> bool:
    name = model.name.lower()
    if source != target and ("distil" in name or "turbo" in name):
        return False
    return source == target == "en" or is_multilingual(model.path)


def _device(config: ModelConfig) -> str:
    if config.device != "auto":
        return config.device
    import ctranslate2

    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def _meter(config: ModelConfig) -> Callable[[], float]:
    """What the computing of a Whisper or translation model is measured by."""
    here = _device(config) == "cpu" and config.threads == 1 and not _is_address(config)
    return cpu_seconds if here else elapsed_seconds


def _is_address(config: ModelConfig) -> bool:
    return config.mt is not None and config.mt.startswith(("http://", "https://"))


def _compute(config: ModelConfig) -> str:
    if config.compute != "auto":
        return config.compute
    return "float16" if _device(config) == "cuda" else "int8"


def _embedded(config: ModelConfig, source: str, target: str, needs: frozenset[Need]) -> LoadedBackend:
    """The models inside the package: English speech to German, Spanish, French or English text."""
    if source != "en":
        raise UsageError(
            f"The embedded model hears English only, not {source!r}; for other languages use a Whisper-class "
            f"model: {MORE}."
        )
    from simul.backends.cascade import CascadeBackend

    recognizer = _embedded_recognizer()
    translator = None if target == source else _embedded_translator(config, source, target, needs)
    languages = ", ".join(f"EN→{code.upper()}" for code in EMBEDDED_TARGETS)
    description = (
        f"Embedded model: good for clear English speech and everyday sentences ({languages}, or English "
        f"captions); for more use a Whisper-class model: {MORE}."
    )
    return LoadedBackend(CascadeBackend(recognizer, translator, frozenset({"en"})), description)


def _embedded_recognizer() -> Callable[[], Recognizer]:
    from simul.memory import settle_allocator
    from simul.models.embedded.sphinx import SphinxRecognizer, stock_model

    stock_model()
    # For all of the process, like torch's threads.
    settle_allocator()
    return SphinxRecognizer


def _embedded_translator(
    config: ModelConfig, source: str, target: str, needs: frozenset[Need]
) -> TextTranslator:
    if source != "en" or target not in EMBEDDED_TARGETS:
        served = ", ".join(f"{name} ({code})" for code, name in EMBEDDED_TARGETS.items())
        raise UsageError(
            f"The embedded translator turns English into {served}, not {source!r} into {target!r}; for other "
            "languages give a CTranslate2 translation model (Opus-MT, NLLB, M2M-100): --mt FOLDER."
        )
    from policies.base import Need
    from simul.models.embedded.translator import EmbeddedTranslator

    return EmbeddedTranslator(
        beam=config.beam or 2, threads=config.threads or 1, alternatives=Need.BEAMS in needs
    )


def _whisper_model(config: ModelConfig, model: FoundModel) -> Whisper:
    if model.kind == "hf-whisper":
        return _torch_whisper(config, model.path)
    from simul.models.whisper.ctranslate2 import WhisperModel

    return WhisperModel(
        model.path, _device(config), _compute(config), config.threads, config.beam or 1, config.crop
    )


def _torch_whisper(config: ModelConfig, folder: Path) -> Whisper:
    from simul.models.whisper.torch import TorchWhisper

    model = TorchWhisper(folder, config.device, config.compute, config.beam or 1, config.crop)
    _set_torch_threads(config)
    return model


def _set_torch_threads(config: ModelConfig) -> None:
    import torch

    # One setting for all models of a process, which is why the command line's door makes it.
    torch.set_num_threads(config.threads or min(4, os.cpu_count() or 1))


def _seamless(config: ModelConfig, model: FoundModel, source: str, target: str) -> LoadedBackend:
    """SeamlessM4T: speech in any of its languages to text in any that it writes."""
    from simul.backends.base import StreamSpec, check_languages
    from simul.backends.seamless import SeamlessBackend
    from simul.models.seamless.model import SeamlessModel

    if config.beam is not None and config.beam > 1:
        raise UsageError("A Seamless model follows one hypothesis only; leave --beam out.")
    backend = SeamlessBackend(SeamlessModel(model.path, config.device, config.compute))
    _set_torch_threads(config)
    backend.meter = _meter(config)
    check_languages(f"the Seamless model {model.name}", backend.limits, StreamSpec(source, target))
    task = "transcription" if source == target else "translation"
    return LoadedBackend(backend, f"Seamless model {model.name}: {task} from speech.")


def _whisper(
    config: ModelConfig, model: FoundModel, source: str, target: str, needs: frozenset[Need]
) -> LoadedBackend:
    """Whisper alone: transcription, or translation into English."""
    from policies.base import Need
    from simul.backends.base import StreamSpec, check_languages
    from simul.backends.whisper import WhisperBackend

    backend = WhisperBackend(_whisper_model(config, model), timestamps=Need.SEGMENTS in needs)
    backend.meter = _meter(config)
    check_languages(f"the Whisper model {model.name}", backend.limits, StreamSpec(source, target))
    task = "transcription" if source == target else "translation into English"
    return LoadedBackend(backend, f"Whisper model {model.name}: {task} from speech.")


def _cascade(
    config: ModelConfig, asr: str, source: str, target: str, needs: frozenset[Need]
) -> LoadedBackend:
    """A recogniser and a text translator, each embedded or from a folder."""
    from simul.backends.cascade import CascadeBackend

    if config.mt is None and asr == EMBEDDED:
        return _embedded(config, source, target, needs)
    translator: TextTranslator | None = None
    said = "no translation"
    if target != source or config.mt is not None:
        translator, said = _translator(config, source, target, needs)
    if asr == EMBEDDED:
        if source != "en":
            raise UsageError(
                f"The embedded recogniser hears English only, not {source!r}; "
                "give a Whisper model as well: --asr FOLDER."
            )
        backend = CascadeBackend(_embedded_recognizer(), translator, frozenset({"en"}))
        backend.meter = cpu_seconds if translator is None else _meter(config)
        return LoadedBackend(backend, f"Cascade: embedded recogniser, {said}.")
    from simul.backends.whisper_recognizer import WhisperRecognizer

    found = resolve(asr, "whisper", config.download)
    model = _whisper_model(config, found)
    model.check_source(source)

    def recognizer() -> Recognizer:
        return WhisperRecognizer(model, source)

    backend = CascadeBackend(recognizer, translator, frozenset({source}))
    backend.meter = _meter(config)
    return LoadedBackend(backend, f"Cascade: Whisper model {found.name} as recogniser, {said}.")


def _translator(
    config: ModelConfig, source: str, target: str, needs: frozenset[Need]
) -> tuple[TextTranslator, str]:
    if config.mt in (None, EMBEDDED):
        return _embedded_translator(config, source, target, needs), "embedded translator"
    assert config.mt is not None
    if _is_address(config):
        return _endpoint(config, config.mt, source, target)
    from policies.base import Need
    from simul.models.translation.ctranslate2 import CTranslate2Translator

    model = resolve(config.mt, "translation", config.download, also=["hf-causal"])
    if model.kind == "hf-causal":
        from simul.models.llm.translator import CausalTranslator

        made = CausalTranslator(model.path, source, target, config.device, config.compute)
        _set_torch_threads(config)
        return made, f"language model {model.name} as translator"
    translator = CTranslate2Translator(
        model.path,
        source,
        target,
        _device(config),
        _compute(config),
        config.threads,
        config.beam or 2,
        Need.BEAMS in needs,
    )
    return translator, f"translator {model.name}"


def _endpoint(config: ModelConfig, address: str, source: str, target: str) -> tuple[TextTranslator, str]:
    """A language model behind a server, given as URL#MODEL."""
    from simul.models.llm.endpoint import EndpointTranslator

    url, _, model = address.partition("#")
    key = os.environ.get(config.mt_key_variable) or None
    translator = EndpointTranslator(url, model or None, source, target, key)
    return translator, f"translator {translator.name}"
