"""Terms in what Whisper writes: words that it misheard are written as the term, before passes are compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from policies.punctuation_hold import ends_sentence
from simul.decoding.interface import Hypothesis, Prompt
from simul.models.terms.repair import HeardWord, TermMatcher
from simul.models.whisper.rewrite import rewritten
from simul.models.whisper.tokens import WhisperTokens
from simul.text import join, word_ranges


def with_terms(tokens: WhisperTokens, terms: TermMatcher, prompt: Prompt, found: Hypothesis) -> Hypothesis:
    """A hypothesis whose words are written as terms where they sound like them; text with times in it stays as it is.

    A part of a word, which makes the last of the forced prefix longer, is left alone.
    """
    if not found.ids or not all(map(tokens.is_text, found.ids)):
        return found
    pieces = tokens.surfaces(found.ids)
    ranges = [each for each in word_ranges(pieces, False) if pieces[each[0]][:1] == " "]
    texts = [join(pieces[a:b]).strip(" ") for a, b in ranges]
    before = [join(tokens.surfaces(prompt.prefix)), *texts]
    words = [
        HeardWord(text, float(np.exp(found.logprobs[a:b].mean())), not said or ends_sentence(said))
        for text, said, (a, b) in zip(texts, before, ranges, strict=False)
    ]
    marks: list[tuple[int, int, str]] = []
    for repair in reversed(terms.find(words)):
        start, stop = ranges[repair.start][0], ranges[repair.stop - 1][1]
        ids = tokens.encode(" " + repair.text)
        if join(tokens.surfaces(ids)) == " " + repair.text:
            found = rewritten(found, start, stop, ids)
            grown = len(ids) - (stop - start)
            marks = [(a + grown, b + grown, heard) for a, b, heard in marks]
            marks.insert(0, (start, start + len(ids), repair.heard))
    return replace(found, repairs=tuple(marks))


def likely_terms(tokens: WhisperTokens, terms: TermMatcher | None, found: Hypothesis) -> tuple[int, ...]:
    """What a prompt begins with that tells of terms which may have been said where a hypothesis was heard; it is empty
    where there are none, and for text with times in it.
    """
    if terms is None or not found.ids or not all(map(tokens.is_text, found.ids)):
        return ()
    names = terms.likely(join(tokens.surfaces(found.ids)).split())
    return (tokens.previous, *tokens.encode(f" {', '.join(names)}.")) if names else ()
