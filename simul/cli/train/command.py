"""`simul train`: finds the recipe and its step and runs it."""

from __future__ import annotations

from simul.cli.commands import STUDENT, find, listing
from simul.cli.context import Context
from simul.errors import ExitCode, ModelMissingError, UsageError
from simul.install import install_hint

RECIPES = ("student",)


def run(arguments: list[str], context: Context) -> int:
    """Run one step of a recipe."""
    recipe, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if {recipe, *rest[:1]} & {"-h", "--help"}:
        context.stdout.write(overview())
        return ExitCode.OK
    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe {recipe!r}; choose from {', '.join(RECIPES)}.")
    if not rest or rest[0].startswith("-"):
        raise UsageError(f"Name a step: {', '.join(STUDENT)}; `simul train --help` describes them.")
    try:
        return find(rest[0], STUDENT, "simul train student").run(rest[1:], context)
    except ImportError as error:
        raise ModelMissingError(
            f"Training needs the package {error.name}, which is not installed; run: {install_hint('train')}"
        ) from error


def overview() -> str:
    """The text of `simul train --help`."""
    lines = [
        "usage: simul train student STEP [options]",
        "",
        "Give a Firefox student, a small translation model, new target languages (docs/train-student.md).",
        "",
        "steps:",
        *listing(STUDENT),
        "",
        "`simul train student STEP --help` describes a step.",
    ]
    return "\n".join(lines) + "\n"
