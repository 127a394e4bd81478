"""A committed word that was over is not made longer: by the rule, in a cascade, and by the embedded translator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import HoldN, LocalAgreement, make_policy
from simul.backends.cascade import CascadeBackend
from simul.clock import VirtualClock
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest, TextResult
from simul.session import Session, SessionConfig
from simul.session.events import Settled
from simul.session.word_end import WordEnd, follows_word
from tests.simul.backends.test_cascade import WORD, ScriptedRecognizer

SENTENCES = (
    "good morning everybody in the world",
    "i have never seen such a beautiful house",
    "the children are playing in the garden behind the school",
    "he told me that he would come tomorrow",
    "her neighbours are celebrating a birthday in the basement",
)


@pytest.mark.parametrize(
    ("token", "fits"),
    [
        (" Haus", True),
        (" ", True),
        (".", True),
        ("?!", True),
        ("…", True),
        ("»", True),
        ("n", False),
        ("", False),
        ("-", False),
        ("’", False),
        (".5", False),
        ("3", False),
        ("语", True),
        ("\udce8", True),
        ("\udcbc", False),
    ],
)
def test_what_follows_a_whole_word(token: str, fits: bool) -> None:
    assert follows_word(token) is fits


@given(
    tokens=st.lists(st.sampled_from([" Mor", "gen", "n", ".", " ", " auf"]), min_size=1, max_size=8),
    first=st.integers(0, 8),
    count=st.integers(1, 8),
    ended=st.booleans(),
)
def test_the_next_piece_at_the_time_of_the_commit_decides(
    tokens: list[str], first: int, count: int, ended: bool
) -> None:
    text = tuple(tokens)
    first, count = min(first, len(text)), min(count, len(text))
    end = WordEnd("de")
    end.note(text[:first], text[first:], ended)
    over = end.complete(text[:count])
    assert over == (follows_word(text[count]) if count < len(text) else ended)
    # A later hypothesis does not change what is known of a word committed before.
    end.note(text[:count], ("n", " auf"), True)
    assert end.complete(text[:count]) == over
    end.note(text[:count], (" auf",), True)
    assert end.complete(text[:count]) == over


def test_a_prefix_that_no_pass_proposed_is_open() -> None:
    end = WordEnd("de")
    assert end.complete(()) is False
    assert not end.complete((" Morgen",))
    end.note((), (" Abend", " auf"), True)
    assert not end.complete((" Morgen", " auf"))


@given(
    texts=st.lists(st.sampled_from(["gen", ".", " auf", " der"]), min_size=2, max_size=9),
    data=st.data(),
)
def test_what_is_known_of_a_word_outlives_the_trimming_of_what_stands_before_it(
    texts: list[str], data: st.DataObject
) -> None:
    text = tuple(f"{token}{'!' * i if token == '.' else chr(97 + i)}" for i, token in enumerate(texts))
    first = data.draw(st.integers(0, len(text) - 1))
    count = data.draw(st.integers(max(1, first), len(text)))
    gone = data.draw(st.integers(0, count - 1))
    ended = data.draw(st.booleans())
    plain, trimmed = WordEnd("de"), WordEnd("de")
    for end in (plain, trimmed):
        end.note((), text[:first], False)
        end.complete(text[:first])
        end.note(text[:first], text[first:], ended)
    assert plain.complete(text[:count]) == trimmed.complete(text[gone:count])
    trimmed.note(text[gone:count], ("n",), False)
    assert plain.complete(text[:count]) == trimmed.complete(text[gone:count])
    assert not trimmed.complete(())


def test_a_word_is_known_to_be_over_when_much_before_it_is_trimmed() -> None:
    end = WordEnd("de")
    end.note((), (" a", " b", " c", " d"), False)
    assert end.complete((" a", " b", " c"))
    end.note((" a", " b", " c"), ("n",), False)
    assert end.complete((" c",))


def test_of_a_word_that_was_said_twice_the_last_one_is_meant() -> None:
    end = WordEnd("de")
    end.note((" x", " auf", "n", " auf"), (" b",), False)
    assert end.complete((" auf",))


def test_without_spaces_no_word_counts_as_over() -> None:
    for target, over in (("zh", False), ("my", False), ("de", True)):
        end = WordEnd(target)
        end.note((), ("\u8bed", "\u8a00", "\u3002"), True)
        assert end.complete(("\u8bed",)) is over
        assert end.complete(("\u8bed", "\u8a00", "\u3002")) is over


class Growing:
    """Says " Morgen" and, once four words are known, rather " Morgen" "n" unless the word is known to be over."""

    name, sources, targets = "growing", frozenset({"en"}), frozenset({"de"})

    def __init__(self, mended: bool = True) -> None:
        self.seen: list[TextRequest] = []
        self._mended = mended

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        self.seen += requests
        results = []
        for request in requests:
            words = len(request.source.split())
            tokens = [" Mor", "gen", *([" auf"] if words > 1 else []), *[" x"] * max(0, words - 3)]
            rest = tokens[len(request.prefix) :]
            if (
                words > 3
                and request.prefix == (" Mor", "gen")
                and not (self._mended and request.word_complete)
            ):
                rest.insert(0, "n")
            index = np.zeros(len(rest), np.int64)
            results.append(TextResult(tuple(rest), tuple(range(len(rest))), None, index))
        return results


def settle(translator: Growing, policy: str) -> str:
    backend = CascadeBackend(lambda: ScriptedRecognizer([*"abcde", "|"]), translator)
    session = Session(make_policy(policy), backend, VirtualClock(), SessionConfig(chunk=WORD))
    events = session.feed(np.zeros(7 * WORD, np.float32)) + session.finish()
    return "".join(e.text for e in events if isinstance(e, Settled))


def test_a_word_committed_as_whole_stays_as_it_is() -> None:
    translator = Growing()
    assert settle(translator, "hold-n(n=1)").split()[:2] == ["Morgen", "auf"]
    held = [r for r in translator.seen if r.prefix == (" Mor", "gen")]
    assert held
    assert all(r.word_complete for r in held)
    assert "Morgenn" in settle(Growing(mended=False), "hold-n(n=1)")


def test_half_a_word_may_be_continued() -> None:
    translator = Growing()
    assert settle(translator, "wait-k(unit=word, k=2, stride_read=2, target=token)").split()[:2] == [
        "Morgen",
        "auf",
    ]
    half = [r for r in translator.seen if r.prefix == (" Mor",)]
    assert half
    assert not any(r.word_complete for r in half)
    assert all(r.word_complete for r in translator.seen if r.prefix == (" Mor", "gen"))


@pytest.fixture(scope="module")
def embedded() -> MarianTranslator:
    return MarianTranslator(targets=["de"], beam=2)


def beginnings(translator: MarianTranslator) -> list[TextRequest]:
    """Every beginning of each sentence's translation, to be continued over one more source word."""
    requests = []
    for sentence in SENTENCES:
        words = sentence.split()
        for known in range(2, len(words)):
            half = translator.translate([TextRequest(" ".join(words[:known]), "de", False)])[0]
            for count in range(1, len(half.ids)):
                prefix = half.tokens[:count], half.ids[:count]
                requests.append(TextRequest(" ".join(words[: known + 1]), "de", False, *prefix))
    return requests[::2]


def test_the_embedded_translator_lengthens_no_word_that_is_over(embedded: MarianTranslator) -> None:
    from dataclasses import replace

    free = beginnings(embedded)
    held = [replace(request, word_complete=True) for request in free]
    before, after = embedded.translate(free), embedded.translate(held)
    grown = 0
    for a, b in zip(before, after, strict=True):
        assert len(b.tokens) == len(b.ids) == len(b.logprobs) == len(b.source_words)
        assert not b.tokens or follows_word(b.tokens[0])
        if not a.tokens or follows_word(a.tokens[0]):
            assert (a.tokens, a.ids) == (b.tokens, b.ids)
            np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-5)
        else:
            grown += 1
    assert grown >= 3
    for request, result in list(zip(held, after, strict=True))[::4]:
        alone = embedded.translate([request])[0]
        assert (alone.tokens, alone.ids, alone.ended) == (result.tokens, result.ids, result.ended)
    again = embedded.translate([replace(r, max_new_tokens=1) for r in held])
    assert all(len(r.tokens) <= 1 and (not r.tokens or follows_word(r.tokens[0])) for r in again)


@settings(max_examples=12)
@given(words=st.lists(st.sampled_from(" ".join(SENTENCES).split()), min_size=1, max_size=9))
@pytest.mark.parametrize("policy", [LocalAgreement(2), HoldN(1)])
def test_settled_words_stay_whole_in_a_session(
    embedded: MarianTranslator, policy: HoldN | LocalAgreement, words: list[str]
) -> None:
    backend = CascadeBackend(lambda: ScriptedRecognizer([*words, "|"]), embedded)
    session = Session(policy, backend, VirtualClock(), SessionConfig(chunk=WORD))
    events = session.feed(np.zeros((len(words) + 2) * WORD, np.float32)) + session.finish()
    settled = [e for e in events if isinstance(e, Settled)]
    for event in settled[1:]:
        assert follows_word(event.tokens[0]), [e.text for e in settled]
