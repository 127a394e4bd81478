"""Loading a folder of the transformers format with errors a user can act on; nothing is downloaded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from simul.errors import ModelMissingError, UsageError
from simul.models.hub import TRANSFORMERS_PACKAGE, weights

NUMBERS = ("float32", "float16", "bfloat16")


def load_network(
    folder: Path,
    network: str,
    family: str,
    device: str = "auto",
    compute: str = "auto",
    needs: Sequence[str] = (),
    attention: Callable[[], str] | None = None,
) -> tuple[Any, Any]:
    """The network of `folder` in evaluation mode, and its torch device.

    network: the class of transformers, by name. family: what users call such models. device: "cpu", "cuda" or
    "auto". compute: float32, float16 or bfloat16; "auto" is float32 on a CPU and float16 on a GPU. needs: further
    files that must be there. attention: makes the name of the attention function, once transformers is known to be
    here.

    Raises:
        ModelMissingError: a package, the folder or one of its files is missing or damaged.
        UsageError: `compute` is unknown.
    """
    if compute not in ("auto", *NUMBERS):
        raise UsageError(
            f"A transformers model does not compute in {compute}; give --compute {', '.join(NUMBERS)}."
        )
    _check_files(folder, family, needs)
    with needing_packages(family):
        import torch
        import transformers

        chosen = {} if attention is None else {"attn_implementation": attention()}
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if compute == "auto":
        compute = "float32" if device == "cpu" else "float16"
    with reading(folder, family):
        made = getattr(transformers, network).from_pretrained(
            folder, dtype=getattr(torch, compute), local_files_only=True, **chosen
        )
        made = made.to(device).eval().requires_grad_(False)
    return made, torch.device(device)


def load_processors(folder: Path, family: str) -> tuple[Any, Any]:
    """The tokenizer of `folder`, and its feature extractor if it has one.

    Raises:
        ModelMissingError: a package is missing, or a file is damaged.
    """
    with needing_packages(family):
        import transformers
    extractor = None
    with reading(folder, family):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if (folder / "preprocessor_config.json").is_file():
            extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    return tokenizer, extractor


@contextlib.contextmanager
def needing_packages(family: str) -> Iterator[None]:
    """Imports that models of `family` need; one that fails says what to install."""
    try:
        yield
    except ImportError as error:
        raise ModelMissingError(
            f"{family} models of the transformers format need the package {error.name}, which is not installed; "
            f"run: {TRANSFORMERS_PACKAGE}"
        ) from error


@contextlib.contextmanager
def reading(folder: Path, family: str) -> Iterator[None]:
    """Reads files of `folder` quietly; whatever the packages raise on damaged files becomes one sentence."""
    try:
        with _quiet():
            yield
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        raise ModelMissingError(f"The {family} model in {folder} cannot be loaded: {reason}") from error


def _check_files(folder: Path, family: str, needs: Sequence[str]) -> None:
    for name in ("config.json", *needs):
        if not (folder / name).is_file():
            raise ModelMissingError(
                f"The {family} folder {folder} has no {name}; copy the model's whole folder."
            )
    if not weights(folder):
        raise ModelMissingError(
            f"The {family} folder {folder} has no weights (model.safetensors); copy the model's whole folder."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Load without transformers' progress bar and notices, which would write into the text on a terminal."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
