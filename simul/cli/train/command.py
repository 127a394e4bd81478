"""`simul train`: finds the recipe and its step and runs it."""

from __future__ import annotations

from simul.cli.commands import RECIPES, find, listing
from simul.cli.context import Context
from simul.errors import ExitCode, ModelMissingError, UsageError
from simul.install import install_hint

_ABOUT = {
    "student": "Give a Firefox student, a small translation model, new target languages (docs/train-student.md).",
    "causal-whisper": "Teach a Whisper encoder short windows and causal blocks, from audio alone "
    "(docs/train-causal-whisper.md).",
}


def run(arguments: list[str], context: Context) -> int:
    """Run one step of a recipe."""
    recipe, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if {recipe, *rest[:1]} & {"-h", "--help"}:
        context.stdout.write(overview((recipe,) if recipe in RECIPES else tuple(RECIPES)))
        return ExitCode.OK
    if recipe not in RECIPES:
        raise UsageError(f"There is no recipe {recipe!r}; choose from {', '.join(RECIPES)}.")
    steps = RECIPES[recipe]
    if not rest or rest[0].startswith("-"):
        raise UsageError(f"Name a step: {', '.join(steps)}; `simul train --help` describes them.")
    try:
        return find(rest[0], steps, f"simul train {recipe}").run(rest[1:], context)
    except ImportError as error:
        raise ModelMissingError(
            f"Training needs the package {error.name}, which is not installed; run: {install_hint('train')}"
        ) from error


def overview(recipes: tuple[str, ...]) -> str:
    """The text of `simul train --help`, or of one recipe's."""
    named = recipes[0] if len(recipes) == 1 else "RECIPE"
    lines = [f"usage: simul train {named} STEP [options]"]
    for recipe in recipes:
        lines += ["", _ABOUT[recipe], "", f"steps of {recipe}:", *listing(RECIPES[recipe])]
    lines += ["", f"`simul train {named} STEP --help` describes a step."]
    return "\n".join(lines) + "\n"
