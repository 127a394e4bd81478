"""Writing an encoder as the run time reads it: matrices and convolutions in int8, beside the model that it is for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from simul.errors import UsageError
from simul.models.whisper.live import FILE, TEACHER
from simul.models.whisper.weights import save_variables
from simul.training.causal_whisper.trainer import read_checkpoint

ABOUT = "live-encoder.json"


def export(run: Path, output: Path) -> Path:
    """Write the encoder of a run into the folder of its model, and what it was made of beside it; returns its path.

    Raises:
        SimulError: there is no run. UsageError: `output` is no folder.
    """
    state = read_checkpoint(run)
    if not output.is_dir():
        raise UsageError(
            f"{output} is no folder; give the folder of the Whisper model that the encoder is for."
        )
    weights = {name: value.float().numpy() for name, value in state["weights"].items() if "/" in name}
    weights[TEACHER] = np.frombuffer(bytes.fromhex(state["teacher"]), np.uint8)
    path = output / FILE
    partial = path.with_suffix(".partial.npz")
    save_variables(partial, weights)
    partial.replace(path)
    about = {name: state[name] for name in ("step", "heard", "seconds", "device")}
    about |= {name: json.loads(state[name]) for name in ("config", "sets")}
    (output / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return path
