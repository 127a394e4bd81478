"""A text begins with a capital where a sentence begins, whatever the model wrote, and is left alone elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from simul.decoding.interface import Hypothesis, Prompt
from simul.models.whisper.capital import with_capital
from tests.simul.models.whisper.pieces import PieceVocabulary

PIECES = (
    " print",
    "ing",
    " Pr",
    "int",
    " in",
    " In",
    ",",
    ".",
    " McCoy",
    " 3rd",
    " é",
    " É",
    "日",
    " then",
    "–",
)


VOCABULARY = PieceVocabulary(*PIECES)


def ids(text: str) -> tuple[int, ...]:
    return VOCABULARY.encode(text)


def written(text: str, previous: str = "", prefix: str = "") -> str:
    head = (52, *ids(previous), 51) if previous else (51,)
    tokens = ids(text)
    found = Hypothesis(tokens, -np.ones(len(tokens)), True, beams=(tokens,))
    result = with_capital(VOCABULARY, Prompt(head, ids(prefix)), found)  # type: ignore[arg-type]
    assert len(result.logprobs) == len(result.ids)
    assert result.beams == (result.ids,)
    return "".join(VOCABULARY.surfaces(result.ids))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" printing, then", " Printing, then"),
        (" in then", " In then"),
        (" é then", " É then"),
        (" then in", " then in"),  # The vocabulary cannot write "Then".
        (" McCoy in", " McCoy in"),
        (" 3rd in", " 3rd in"),
        ("日", "日"),
        ("", ""),
    ],
)
def test_the_first_word_gets_a_capital(text: str, expected: str) -> None:
    assert written(text) == expected


def test_only_a_sentence_is_begun_with_one() -> None:
    assert written(" in then", previous=" McCoy.") == " In then"
    assert written(" in then", previous=" McCoy") == " in then"
    assert written(" in then", previous=" McCoy,") == " in then"
    assert written(" in then", prefix=" McCoy.") == " in then"


def test_tokens_share_what_is_known_of_the_word() -> None:
    attention = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    found = Hypothesis(ids(" printing, then"), np.array([-0.5, -0.3, -0.2, -0.1]), True, attention=attention)
    changed = with_capital(VOCABULARY, Prompt((51,)), found)  # type: ignore[arg-type]
    assert np.allclose(changed.logprobs, [-0.8 / 3] * 3 + [-0.2, -0.1])
    assert changed.attention is not None
    assert changed.attention[:, 0].tolist() == [0, 2, 2, 4, 6]
