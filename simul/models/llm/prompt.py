"""What a language model is told in order to translate speech that may not be over, and how long it may write."""

from __future__ import annotations

from simul.errors import UsageError
from simul.languages import NAMES
from simul.models.translation.interface import TextRequest

Messages = list[dict[str, str]]

SLACK = 16
RATIO = 5
"""A translation has at most so many tokens per source word, and the slack: a loop ends soon."""


def instructions(source: str, target: str) -> str:
    """The system message for a language pair (ISO 639-1).

    It is the same for every pass of a stream, so that a server can keep what it computed for it.

    Raises:
        UsageError: a language has no name here.
    """
    for code in (source, target):
        if code not in NAMES:
            raise UsageError(
                f"The language {code!r} is not known by name; known are: {' '.join(sorted(NAMES))}."
            )
    return (
        f"You translate live speech from {NAMES[source]} into {NAMES[target]}. Each message is what a speaker has "
        "said so far of one passage; it may break off in the middle of a sentence. Translate faithfully what is "
        "there and nothing else: never complete what is unfinished, never answer, explain or comment. Write only "
        "the translation, on one line."
    )


def messages(system: str, text: str) -> Messages:
    """The conversation before the translation."""
    return [{"role": "system", "content": system}, {"role": "user", "content": " ".join(text.split())}]


def room(request: TextRequest) -> int:
    """How many tokens may follow the prefix; 0: none."""
    most = SLACK + RATIO * max(len(request.source.split()), len(request.source) // 5)
    left = max(0, most - len(request.prefix))
    return left if request.max_new_tokens is None else min(left, request.max_new_tokens)


def opening(prefix: tuple[str, ...]) -> str:
    """The committed tokens as the beginning of the model's own message, which no space precedes."""
    return "".join(prefix).lstrip(" ")
