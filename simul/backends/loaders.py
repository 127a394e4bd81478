"""Loaders of model families: each turns what was asked for into the part of a backend that it stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from policies.base import Need
from policies.plugins import make
from simul.clock import cpu_seconds, elapsed_seconds
from simul.config import ModelConfig
from simul.errors import UsageError
from simul.models.hub import FoundModel

if TYPE_CHECKING:
    from simul.backends.base import Backend
    from simul.backends.cascade import Recognizer
    from simul.models.terms.reading import Term
    from simul.models.translation.interface import TextTranslator
    from simul.models.whisper.interface import Whisper

EMBEDDED = "embedded"
BEAM = 5
BEAM_BYTES = 200_000_000
"""Weights up to which Whisper follows `BEAM` hypotheses on a CPU."""
T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Asked:
    """What a loader is told.

    source, target: ISO 639-1, equal for transcription. needs: what the policy wants to see. name: the model's name, or
    the word or address given for it. kind, folder: of a model on disk, the former as `hub.classify` says it. others:
    further target languages that the same translator shall serve.
    """

    config: ModelConfig
    source: str
    target: str
    needs: frozenset[Need] = frozenset()
    name: str = EMBEDDED
    kind: str = ""
    folder: Path = Path()
    others: tuple[str, ...] = ()

    def of(self, model: FoundModel) -> Asked:
        """The same about a model on disk."""
        return replace(self, name=model.name, kind=model.kind, folder=model.path)


@dataclass(frozen=True)
class Part(Generic[T]):
    """What a loader made, what the description says of it, and what the computing of half a cascade is measured by."""

    made: T
    said: str
    meter: Callable[[], float] = cpu_seconds


def device(config: ModelConfig) -> str:
    """Where CTranslate2 computes: "cpu" or "cuda"."""
    if config.device != "auto":
        return config.device
    import ctranslate2

    return "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"


def _meter(config: ModelConfig) -> Callable[[], float]:
    """What the computing of a model in this process is measured by."""
    return cpu_seconds if config.threads == 1 and device(config) == "cpu" else elapsed_seconds


def _compute(config: ModelConfig) -> str:
    if config.compute != "auto":
        return config.compute
    return "float16" if device(config) == "cuda" else "int8"


def _set_torch_threads(config: ModelConfig) -> None:
    import torch

    # One setting for all models of a process, which is why it is made where models are loaded.
    torch.set_num_threads(config.threads or min(4, os.cpu_count() or 1))


BACKENDS, RECOGNIZERS, TRANSLATORS = "simul.backends", "simul.recognizers", "simul.translators"
"""Entry points of packages that bring models."""


def _own(asked: Asked, group: str) -> Any:
    return make(asked.name, group, source=asked.source, target=asked.target)


def own_backend(asked: Asked) -> Part[Backend]:
    """A backend of the user's own.

    Raises:
        PluginError: its module fails. UsageError: it is no backend.
    """
    from simul.backends.base import Backend

    made = _own(asked, BACKENDS)
    if not isinstance(made, Backend):
        raise UsageError(
            f"{asked.name} gives a {type(made).__name__}; a model is a class derived from simul.Backend, or a function "
            "that gives one."
        )
    return Part(made, f"Your own model {asked.name}.")


def own_recognizer(asked: Asked) -> Part[Callable[[], Recognizer]]:
    """A recogniser of the user's own, made anew for every stream."""
    return Part(lambda: _own(asked, RECOGNIZERS), f"your own recogniser {asked.name}", elapsed_seconds)


def own_translator(asked: Asked) -> Part[TextTranslator]:
    """A text translator of the user's own.

    Raises:
        PluginError: its module fails. UsageError: it cannot translate, or not these languages.
    """
    made = _own(asked, TRANSLATORS)
    lacking = [name for name in ("translate", "sources", "targets", "name") if not hasattr(made, name)]
    if lacking:
        raise UsageError(f"{asked.name} is no translator; it lacks {', '.join(lacking)}.")
    if asked.source not in made.sources or asked.target not in made.targets:
        raise UsageError(f"{asked.name} does not translate {asked.source!r} into {asked.target!r}.")
    return Part(made, f"your own translator {asked.name}", elapsed_seconds)


def embedded_recognizer(asked: Asked) -> Part[Callable[[], Recognizer]]:
    """The recogniser inside the package, of English."""
    from simul.memory import settle_allocator
    from simul.models.embedded.sphinx import SphinxRecognizer, stock_model

    stock_model()
    # For all of the process, like torch's threads.
    settle_allocator()
    return Part(SphinxRecognizer, "embedded recogniser")


def embedded_translator(asked: Asked) -> Part[TextTranslator]:
    """The translator inside the package, from or into English."""
    from simul.models.marian.folder import SHIPPED, SHIPPED_INTO_ENGLISH

    folder = SHIPPED_INTO_ENGLISH if asked.target == "en" else SHIPPED
    return replace(student_translator(replace(asked, folder=folder)), said="embedded translator")


def _window(config: ModelConfig) -> str:
    """What Whisper's windows are; docs/whisper.md has the figures, made by benchmarks/whisper.py."""
    return "bucket" if config.window == "auto" else config.window


def _beam(folder: Path, place: str) -> int:
    """How many hypotheses are followed: five where that keeps up with speech, see docs/whisper.md."""
    small = (folder / "model.bin").stat().st_size <= BEAM_BYTES
    return BEAM if place == "cpu" and small else 1


def _ctranslate2_whisper(asked: Asked) -> Whisper:
    """On a CPU onnxruntime computes, which checks drafts at once and shows attention; else CTranslate2."""
    config = asked.config
    place, compute = device(config), _compute(config)
    beam = config.beam or _beam(asked.folder, place)
    if place == "cpu" and compute in ("int8", "float32"):
        from simul.models.whisper.interface import FRAME_MS
        from simul.models.whisper.onnxruntime.model import OnnxWhisper

        block = config.block_ms // FRAME_MS
        return OnnxWhisper(asked.folder, compute, config.threads, beam, _window(config), block)
    from simul.models.whisper.ctranslate2 import WhisperModel

    return WhisperModel(asked.folder, place, compute, config.threads, beam, _window(config))


def _torch_whisper(asked: Asked) -> Whisper:
    from simul.models.whisper.interface import FRAME_MS
    from simul.models.whisper.torch import TorchWhisper

    config = asked.config
    block = config.block_ms // FRAME_MS
    model = TorchWhisper(
        asked.folder, config.device, config.compute, config.beam or 1, _window(config), block
    )
    _set_torch_threads(config)
    return model


WHISPERS: Mapping[str, Callable[[Asked], Whisper]] = {
    "whisper": _ctranslate2_whisper,
    "hf-whisper": _torch_whisper,
}
"""What computes a folder of the Whisper family."""


def listed_terms(config: ModelConfig, language: str) -> tuple[Term, ...]:
    """The terms that are given for words of `language`.

    Raises:
        UsageError: the terms cannot be read. ModelMissingError: the package that reads PDFs is missing.
    """
    if config.terms is None and config.terms_from is None:
        return ()
    from simul.models.embedded.vocabulary import known_words
    from simul.models.terms.document import document_terms
    from simul.models.terms.reading import read_terms

    known = known_words() if language == "en" else None
    listed = () if config.terms is None else read_terms(Path(config.terms))
    found = () if config.terms_from is None else document_terms(Path(config.terms_from), known)
    return (*listed, *found)


def whisper(asked: Asked) -> Part[Backend]:
    """Whisper alone: transcription, or translation into English."""
    from simul.backends.whisper import WhisperBackend

    backend = WhisperBackend(
        WHISPERS[asked.kind](asked),
        timestamps=Need.SEGMENTS in asked.needs,
        meter=_meter(asked.config),
        terms=listed_terms(asked.config, asked.target),
    )
    task = "transcription" if asked.source == asked.target else "translation into English"
    return Part(backend, f"Whisper model {asked.name}: {task} from speech.")


def whisper_recognizer(asked: Asked) -> Part[Callable[[], Recognizer]]:
    """Whisper as the recogniser of a cascade."""
    from simul.backends.whisper_recognizer import WhisperRecognizer

    model = WHISPERS[asked.kind](asked)
    model.check_source(asked.source)
    return Part(
        lambda: WhisperRecognizer(model, asked.source),
        f"Whisper model {asked.name} as recogniser",
        _meter(asked.config),
    )


def seamless(asked: Asked) -> Part[Backend]:
    """SeamlessM4T: speech in any of its languages to text in any that it writes."""
    from simul.backends.seamless import SeamlessBackend
    from simul.models.seamless.model import SeamlessModel

    config = asked.config
    if config.beam is not None and config.beam > 1:
        raise UsageError("A Seamless model follows one hypothesis only; leave --beam out.")
    backend = SeamlessBackend(
        SeamlessModel(asked.folder, config.device, config.compute), meter=_meter(config)
    )
    _set_torch_threads(config)
    task = "transcription" if asked.source == asked.target else "translation"
    return Part(backend, f"Seamless model {asked.name}: {task} from speech.")


def ctranslate2_translator(asked: Asked) -> Part[TextTranslator]:
    """Opus-MT, NLLB or M2M-100, converted."""
    from simul.models.translation.ctranslate2 import CTranslate2Translator

    config = asked.config
    made = CTranslate2Translator(
        asked.folder,
        asked.source,
        asked.target,
        device(config),
        _compute(config),
        config.threads,
        config.beam or 2,
        Need.BEAMS in asked.needs,
    )
    return Part(made, f"translator {asked.name}", _meter(config))


def student_translator(asked: Asked) -> Part[TextTranslator]:
    """A Firefox student."""
    from simul.models.marian.translator import MarianTranslator

    beam, more = asked.config.beam or 2, Need.BEAMS in asked.needs
    made = MarianTranslator(asked.folder, asked.source, (asked.target, *asked.others), beam, more)
    return Part(made, f"student {asked.name}")


def causal_translator(asked: Asked) -> Part[TextTranslator]:
    """A language model with a chat template."""
    from simul.models.llm.translator import CausalTranslator

    config = asked.config
    made = CausalTranslator(asked.folder, asked.source, asked.target, config.device, config.compute)
    _set_torch_threads(config)
    return Part(made, f"language model {asked.name} as translator", _meter(config))


def endpoint_translator(asked: Asked) -> Part[TextTranslator]:
    """A language model behind a server, given as URL#MODEL."""
    from simul.models.llm.endpoint import EndpointTranslator

    url, _, model = asked.name.partition("#")
    key = os.environ.get(asked.config.mt_key_variable) or None
    made = EndpointTranslator(url, model or None, asked.source, asked.target, key)
    return Part(made, f"translator {made.name}", elapsed_seconds)
