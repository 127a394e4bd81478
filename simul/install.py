"""The command that adds an extra of this toolkit, by how this copy of it was installed."""

from __future__ import annotations

from pathlib import Path


def install_hint(extra: str) -> str:
    """The pip command that adds `extra`: to a checkout, when the running code is one, else to the distribution."""
    return f'pip install -e ".[{extra}]"' if from_checkout() else f'pip install "simul[{extra}]"'


def from_checkout() -> bool:
    """Whether the running code lies in a checkout, as it does after an editable installation."""
    return (Path(__file__).resolve().parent.parent / "pyproject.toml").is_file()
