"""What the exported state of a stream must be to go on elsewhere: of the same model, and whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simul.errors import UsageError


@contextmanager
def imported(exported: Mapping[str, Any], runs: str) -> Iterator[None]:
    """Within, the state of a stream is read. runs: the model that is to go on with it, and how it is used.

    Raises:
        UsageError: the state is of another model, or damaged.
    """
    theirs = exported.get("runs", "another backend")
    if theirs != runs:
        raise UsageError(
            f"The stream was exported from {theirs}, and this is {runs}; "
            "let it go on where the same model runs in the same way."
        )
    try:
        yield
    except (KeyError, ValueError) as error:
        what = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"The exported stream cannot be read: {what}; export it again.") from None
