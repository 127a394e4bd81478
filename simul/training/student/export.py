"""Writing trained parts: Marian's names, matrices as int8 with one scale for each row of [out, in]."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from simul.errors import SimulError
from simul.models.marian.arrays import Arrays, Matrix
from simul.models.marian.folder import ABOUT
from simul.models.marian.parts import SCALE
from simul.training.student.start import ENCODER, SOURCE, StartingPoint
from simul.training.student.trainer import checkpoint_of
from simul.training.student.turned import sources_of


def quantised(weights: Iterable[tuple[str, torch.Tensor]]) -> dict[str, np.ndarray]:
    """Arrays of a part's file."""
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in weights:
        values = tensor.detach().float().cpu().numpy()
        if values.ndim == 2 and min(values.shape) > 1:
            scale = np.maximum(np.abs(values).max(1), 1e-8).astype(np.float32) / np.float32(127)
            arrays[name] = np.rint(values / scale[:, None]).astype(np.int8)
            arrays[name + SCALE] = scale
        else:
            arrays[name] = values.reshape(-1)
    return arrays


def untouched(arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of a part's file for weights that were not trained: their own integers and scales."""
    found: dict[str, np.ndarray] = {}
    for name, value in arrays.items():
        if isinstance(value, Matrix) and value.values.dtype == np.int8:
            found[name], found[name + SCALE] = value.values, value.scale
        elif isinstance(value, Matrix):
            found |= quantised([(name, torch.from_numpy(value.values))])
        else:
            found[name] = value.reshape(-1)
    return found


def write_part(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a part; what was there is replaced only once the new file is whole."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def export(
    run: Path, languages: Sequence[str], start: StartingPoint, output: Path, own: str | None = None
) -> int:
    """Write the averaged weights of a run as a folder of parts; returns its size in bytes.

    encoder.npz and source.spm serve all languages; each has LANGUAGE.npz and LANGUAGE.model; student.json says which
    read spoken forms. An encoder that did not learn keeps its integers. `own` names the language of the decoder that
    `start` came with, which is then written too.

    Raises:
        SimulError: there is no run of these languages.
    """
    path = checkpoint_of(run, languages)
    if not path.is_file():
        raise SimulError(
            f"There is no {path}; run `simul train student train` for {', '.join(languages)} first."
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    parts = split_parts(state["averages"])
    output.mkdir(parents=True, exist_ok=True)
    learnt = parts.pop("", {})
    write_part(output / ENCODER, quantised(learnt.items()) if learnt else untouched(start.encoder))
    if start.source_model.resolve() != (output / SOURCE).resolve():
        shutil.copyfile(start.source_model, output / SOURCE)
    for language, weights in parts.items():
        write_part(output / f"{language}.npz", quantised(weights.items()))
        shutil.copyfile(run / f"{language}.model", output / f"{language}.model")
    if own is not None and own not in parts:
        decoder = {name: value for name, value in start.decoder.items() if name != "decoder_Wemb"}
        write_part(output / f"{own}.npz", untouched(decoder))
    _describe(output, tuple(parts), sources_of(run))
    return sum(file.stat().st_size for file in output.iterdir())


def _describe(output: Path, languages: Sequence[str], sources: Sequence[str]) -> None:
    """Add languages that have learnt to read spoken forms, and the sources unless English, to a description."""
    path = output / ABOUT
    about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"source": "en"}
    if sources:
        about = {**{key: value for key, value in about.items() if key != "source"}, "sources": list(sources)}
    about["spoken"] = sorted({*about.get("spoken", ()), *languages})
    path.write_text(json.dumps(about) + "\n", encoding="utf-8")


def split_parts(weights: Mapping[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """A run's weights by language; those of the encoder, if it learnt, under the empty name."""
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in weights.items():
        side, _, rest = name.partition(".")
        language, _, own = ("", "", rest) if side == "encoder" else rest.partition(".")
        parts.setdefault(language, {})[own] = value
    return parts
