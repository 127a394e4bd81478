"""Words of events: which tokens make one, what is known of each, and in how many passes it has stood."""

from __future__ import annotations

import numpy as np
import pytest

from policies.base import Candidate, Word
from simul.session.events import TimedWord
from simul.session.words import Standing, source_words, target_words


def candidate(*tokens: str) -> Candidate:
    """Tokens of 100 samples each."""
    spans = np.array([(100 * i, 100 * (i + 1)) for i in range(len(tokens))], np.int64).reshape(-1, 2)
    logprobs = np.log([0.5 + 0.1 * i for i in range(len(tokens))])
    return Candidate(tokens, logprobs=logprobs, spans=spans)


def texts(*tokens: str, spaceless: bool = False) -> list[str]:
    return [word.text for word in target_words(Candidate(tokens), range(len(tokens)), 9, spaceless)]


def test_a_word_has_the_place_the_probability_and_the_standing_of_its_tokens() -> None:
    found = target_words(candidate(" Mor", "gen", " ist"), [0, 1, 2], 1000, False, [3, 2, 1])
    assert found == (
        TimedWord("Morgen", 0, 200, round(np.sqrt(0.5 * 0.6), 4), 2),
        TimedWord("ist", 200, 300, 0.7, 1),
    )


def test_only_the_chosen_tokens_count_and_nothing_lies_after_what_was_heard() -> None:
    (word,) = target_words(candidate(" a", " b", " c"), [1], 150, False, [9, 4, 9])
    assert word == TimedWord("b", 100, 150, 0.6, 4)
    (late,) = target_words(candidate(" a", " b", " c"), [2], 150, False)
    assert (late.start, late.end, late.stability) == (150, 150, None)


def test_what_is_not_known_of_a_word_is_left_open() -> None:
    assert target_words(Candidate((" a",)), [0], 9, False) == (TimedWord("a"),)
    assert target_words(Candidate(()), [], 9, False) == ()


def test_a_probability_has_four_places() -> None:
    (word,) = target_words(Candidate((" a",), logprobs=np.log([0.123456])), [0], 9, False)
    assert word.confidence == 0.1235


def test_only_blanks_are_no_part_of_a_word() -> None:
    assert texts(" Xenon", " a\u00a0b\u00a0") == ["Xenon", "a\u00a0b\u00a0"]
    assert texts(" a", " ", " b") == ["a", "b"]


@pytest.mark.parametrize(("spaceless", "words"), [(True, ["家", "が。"]), (False, ["家が。"])])
def test_where_no_blanks_are_written_every_character_is_a_word(spaceless: bool, words: list[str]) -> None:
    assert texts("家", "が", "。", spaceless=spaceless) == words


def test_only_the_first_word_may_make_the_one_before_it_longer() -> None:
    def joined(*tokens: str, spaceless: bool = False) -> list[bool]:
        found = target_words(Candidate(tokens), range(len(tokens)), 9, spaceless)
        return [word.joined for word in found]

    assert joined("gen", " auf") == [True, False]
    assert joined(" auf", " ab") == [False, False]
    assert joined("lo", "家", "lo", spaceless=True) == [True, False, False]


def test_words_of_the_source_keep_what_the_recogniser_said() -> None:
    words = (Word("one", 10, 20, 0.5), Word("two", 30, 45))
    assert source_words(words) == (TimedWord("one", 10, 20, 0.5), TimedWord("two", 30, 45))


def test_a_token_counts_from_the_pass_in_which_it_came_to_its_place() -> None:
    standing = Standing()
    assert standing.update(0, [" a", " b"]) == [1, 1]
    assert standing.update(0, [" a", " c", " d"]) == [2, 1, 1]
    assert standing.update(0, [" a", " c"]) == [3, 2]
    # What was shown after the place of a shorter pass has gone.
    assert standing.update(0, [" a", " c", " d"]) == [4, 3, 1]


def test_what_stands_committed_before_a_pass_keeps_its_places() -> None:
    standing = Standing()
    standing.update(0, [" a", " b", " c"])
    assert standing.update(2, [" c", " d"]) == [2, 1]
    assert standing.update(3, [" d"]) == [2]
    # The committed tokens are shown again, as by a policy that takes text back.
    assert standing.update(0, [" a", " x", " c", " d"]) == [2, 1, 3, 3]
