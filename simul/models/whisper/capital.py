"""The capital at the beginning of a text, where short audio makes Whisper begin in lower case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policies.punctuation_hold import ends_sentence
from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.rewrite import rewritten
from simul.models.whisper.tokens import WhisperTokens
from simul.text import join


def with_capital(tokens: WhisperTokens, prompt: Prompt, found: Hypothesis) -> Hypothesis:
    """A hypothesis whose first word has a capital where a sentence begins: nothing is forced, and the previous text
    has ended or is not known. Words with a capital or a digit somewhere, and scripts without case, stay.
    """
    if prompt.prefix or not _begins_sentence(tokens, prompt.head):
        return found
    beams = tuple(_changed(tokens, beam)[2] for beam in found.beams)
    start, stop, ids = _changed(tokens, found.ids)
    if ids != found.ids:
        found = rewritten(found, start, stop, ids[start : len(ids) - len(found.ids) + stop])
    return replace(found, beams=beams)


def _begins_sentence(tokens: WhisperTokens, head: Sequence[int]) -> bool:
    """Whether the previous text in a prompt's head has ended with its sentence, or there is none."""
    previous = [i for i in head[: head.index(tokens.start)] if tokens.is_text(i)]
    return not previous or ends_sentence(join(tokens.surfaces(previous)).rstrip())


def _changed(tokens: WhisperTokens, ids: tuple[int, ...]) -> tuple[int, int, tuple[int, ...]]:
    """Where the first word stands among `ids` (start, stop), and the tokens with its capital."""
    start = next((i for i, token in enumerate(ids) if tokens.is_text(token)), len(ids))
    stop = start + 1
    while stop < len(ids) and tokens.is_text(ids[stop]) and tokens.grows[ids[stop]]:
        stop += 1
    word = join(tokens.surfaces(ids[start:stop]))
    bare = word.lstrip(" ")
    first = bare[:1].title()
    if not bare.islower() or len(first) != 1 or any(map(str.isdigit, bare)):
        return start, stop, ids
    wanted = word[: len(word) - len(bare)] + first + bare[1:]
    pieces = tokens.surfaces(written := tokens.encode(wanted))
    # A vocabulary that spells the word from its space on has no such words, and would go on spelling.
    if wanted == word or join(pieces) != wanted or pieces[0] == " ":
        return start, stop, ids
    return start, stop, (*ids[:start], *written, *ids[stop:])
