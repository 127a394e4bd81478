"""From output tokens to text: SimulEval's rules for words, characters and sentence pieces, or a model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from latency_metrics.errors import LogFormatError, MetricsError

Detokenizer = Callable[[Sequence[str]], str]
"""Text of a list of tokens."""


def words(tokens: Sequence[str]) -> str:
    """Tokens joined by one space."""
    return " ".join(tokens)


def characters(tokens: Sequence[str]) -> str:
    """Tokens joined by nothing."""
    return "".join(tokens)


def sentence_pieces(tokens: Sequence[str]) -> str:
    """Tokens joined by nothing, ▁ read as a space, trimmed."""
    return "".join(tokens).replace("▁", " ").strip()


RULES: dict[str, Detokenizer] = {"word": words, "char": characters, "spm": sentence_pieces}
"""Detokenisers that need no model."""


def huggingface(name: str) -> Detokenizer:
    """The detokeniser of a transformers tokenizer in a local folder or the user's model cache.

    Raises:
        MetricsError: transformers is not installed, or the tokenizer is not on this machine.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MetricsError("The detokenizer hf needs the package: pip install transformers") from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True)
    except (OSError, ValueError) as error:
        raise MetricsError(f"The tokenizer {name!r} is not on this machine: {error}") from error

    def detokenize(tokens: Sequence[str]) -> str:
        text: str = tokenizer.convert_tokens_to_string(list(tokens))
        return text

    return detokenize


def get_detokenizer(config: str | Mapping[str, Any]) -> Detokenizer:
    """The detokeniser that a simulstream evaluation config (or its short name word, char, spm) asks for.

    Args:
        config: "word", "char", "spm", or a mapping with `detokenizer_type` (simuleval or hf) and
            `latency_unit` or `hf_model_name`.

    Raises:
        MetricsError: the config asks for something that is not known.
    """
    if isinstance(config, str):
        kind, unit = "simuleval", config
    else:
        kind, unit = str(config.get("detokenizer_type")), str(config.get("latency_unit"))
    if kind == "hf":
        name = config.get("hf_model_name") if isinstance(config, Mapping) else None
        if not name:
            raise MetricsError("The detokenizer hf needs 'hf_model_name' in its config.")
        return huggingface(str(name))
    if kind != "simuleval":
        raise MetricsError(f"The detokenizer type {kind!r} is not known; use simuleval or hf.")
    if unit not in RULES:
        raise MetricsError(f"The detokenizer unit {unit!r} is not known; use {', '.join(RULES)}.")
    return RULES[unit]


def read_config(path: str | Path) -> dict[str, Any]:
    """A simulstream evaluation config (YAML).

    Raises:
        LogFormatError: the file cannot be read or is not a YAML mapping.
    """
    import yaml

    from latency_metrics.formats.text import raw_lines

    try:
        # The loader in C is not slow on text that is nested deep.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        config = yaml.load("\n".join(raw_lines(path)), Loader=loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise LogFormatError(path, None, f"it is not YAML ({error})") from error
    if not isinstance(config, dict):
        raise LogFormatError(path, None, "it must hold keys such as detokenizer_type and latency_unit")
    return config
