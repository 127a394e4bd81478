"""The cascade: utterances become segments, unstable source words make drafts, batches equal single calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import (
    AlignAtt,
    AlignBridge,
    ConfidenceAware,
    Consensus,
    EDAtt,
    Greedy,
    LocalAgreement,
    Need,
    Offline,
    SegmentConfidence,
    SharedPrefix,
)
from policies.base import Alignment, Policy
from simul.backends.base import DecodeRequest, StreamSpec
from simul.backends.cascade import CascadeBackend
from simul.backends.scripted import ScriptedBackend
from simul.clock import VirtualClock
from simul.errors import EvidenceError, UsageError
from simul.models.terms.reading import Term
from simul.models.translation.interface import TextRequest, TextResult
from simul.models.words import Utterance, Word
from simul.plain import NOT_STORED, fill_fields, write_fields
from simul.session import Session, SessionConfig
from simul.session.events import SegmentEnd, Settled, Tail
from simul.units import Samples
from tests.simul.backends.streams import hear

WORD = 1600
"""Samples per spoken word."""


@dataclass
class ScriptedRecognizer:
    """Hears one word of `script` every `WORD` samples; "|" is a pause of one word that ends an utterance, "_" one that
    does not.

    The newest word is misheard as "?" until the next word or pause comes.
    """

    script: Sequence[str] = field(metadata=NOT_STORED)
    heard: int = 0
    words: list[Word] = field(default_factory=list)
    ended: list[Utterance] = field(default_factory=list)
    utterance_start: int = 0
    _done: int = 0

    def push(self, samples: Samples) -> None:
        self.heard += len(samples)
        while self._done < len(self.script) and (self._done + 1) * WORD <= self.heard:
            text, start = self.script[self._done], self._done * WORD
            self._done += 1
            if text == "|":
                self._close("pause", start + WORD)
            elif text != "_":
                self.words.append(Word(text, start, start + WORD))

    def _close(self, cause: str, end: int) -> None:
        if self.words:
            self.ended.append(Utterance(tuple(self.words), self.utterance_start, end, cause))  # type: ignore[arg-type]
        self.words, self.utterance_start = [], end

    def hypothesis(self) -> tuple[Word, ...]:
        if not self.words or self.script[self._done - 1] == "_":
            return tuple(self.words)
        last = self.words[-1]
        return (*self.words[:-1], Word("?", last.start_sample, last.end_sample))

    def events(self) -> list[Utterance]:
        ended, self.ended = self.ended, []
        return ended

    def finish(self) -> list[Utterance]:
        self._close("end", self.heard)
        return self.events()

    @property
    def runs(self) -> str:
        return f"a script of {len(self.script)} words"

    def dump(self) -> dict[str, Any]:
        return write_fields(self)

    def load(self, dumped: Mapping[str, Any]) -> None:
        fill_fields(self, dumped)


class UpperCase:
    """Translates a word to its upper case, one token a word, and counts its calls."""

    name = "upper"
    sources = frozenset({"en"})
    targets = frozenset({"de"})

    def __init__(self) -> None:
        self.seen: list[TextRequest] = []

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        self.seen += requests
        results = []
        for request in requests:
            words = request.source.split()[len(request.prefix) :]
            tokens = tuple(" " + w.upper() for w in words)
            index = np.arange(len(request.prefix), len(request.prefix) + len(words))
            results.append(TextResult(tokens, tuple(range(len(tokens))), np.zeros(len(tokens)), index))
        return results


SCRIPT = ["one", "two", "three", "four", "|", "five", "six", "|"]


def backend(script: Sequence[str] = SCRIPT, translator: UpperCase | None = None) -> CascadeBackend:
    return CascadeBackend(lambda: ScriptedRecognizer(script), translator or UpperCase())


def run(session: Session, samples: int, cut: int) -> list[object]:
    events: list[object] = []
    for begin in range(0, samples, cut):
        events += session.feed(np.zeros(min(cut, samples - begin), np.float32))
    return events + session.finish()


def test_every_word_is_settled_once_and_segments_follow_the_utterances() -> None:
    session = Session(LocalAgreement(2), backend(), VirtualClock(), SessionConfig(chunk=WORD))
    events = run(session, 9 * WORD, WORD)
    text = "".join(e.text for e in events if isinstance(e, Settled))
    assert text == "ONE TWO THREE FOUR FIVE SIX"
    ends = [e for e in events if isinstance(e, SegmentEnd)]
    assert [(e.text, e.source, e.kind, e.start) for e in ends] == [
        ("ONE TWO THREE FOUR", "one two three four", "pause", 0),
        ("FIVE SIX", "five six", "pause", 5 * WORD),
    ]


def test_a_misheard_word_is_shown_but_never_settled() -> None:
    session = Session(LocalAgreement(1, words=False), backend(), VirtualClock(), SessionConfig(chunk=WORD))
    events = run(session, 9 * WORD, WORD)
    assert any("?" in e.text for e in events if isinstance(e, Tail))
    assert not any("?" in e.text for e in events if isinstance(e, Settled))


def test_settled_tokens_rest_on_audio_heard_before() -> None:
    session = Session(LocalAgreement(2), backend(), VirtualClock(), SessionConfig(chunk=WORD))
    for event in run(session, 9 * WORD, WORD):
        if isinstance(event, Settled):
            assert event.spans is not None
            assert all(0 <= a < b <= event.heard for a, b in event.spans)


@settings(max_examples=30)
@given(
    script=st.lists(st.sampled_from(["a", "b", "c", "|"]), max_size=12),
    cut=st.integers(300, 5000),
    chunk=st.sampled_from([800, 1600, 2000, 4800]),
)
def test_nothing_is_lost_whatever_the_cut_and_chunk(script: list[str], cut: int, chunk: int) -> None:
    for policy in (LocalAgreement(2), Offline()):
        session = Session(policy, backend(script), VirtualClock(), SessionConfig(chunk=chunk))
        events = run(session, len(script) * WORD + 100, cut)
        text = "".join(e.text for e in events if isinstance(e, Settled))
        assert text.split() == [w.upper() for w in script if w != "|"]


def test_without_a_translator_the_words_come_out() -> None:
    plain = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), None)
    session = Session(LocalAgreement(2), plain, VirtualClock(), SessionConfig(target="en", chunk=WORD))
    text = "".join(e.text for e in run(session, 9 * WORD, WORD) if isinstance(e, Settled))
    assert text == "one two three four five six"
    with pytest.raises(UsageError, match="target language 'de'"):
        Session(LocalAgreement(2), plain, VirtualClock())


def test_an_unchanged_source_is_not_translated_again() -> None:
    translator = UpperCase()
    cascade = backend(["one", "two"], translator)
    session = Session(LocalAgreement(2), cascade, VirtualClock(), SessionConfig(chunk=WORD // 4))
    run(session, 2 * WORD, WORD // 4)
    sources = [(r.source, r.complete, r.prefix) for r in translator.seen]
    assert len(sources) == len(set(sources))


def test_a_batch_gives_what_single_calls_give() -> None:
    def at(one: CascadeBackend, words: int) -> DecodeRequest:
        handle = one.open(StreamSpec())
        hear(one, handle, np.zeros(words * WORD, np.float32))
        return DecodeRequest(handle, 0, one.view(handle))

    lengths = (0, 1, 3, 5, 7)
    shared = backend()
    together = shared.decode([at(shared, n) for n in lengths])
    for length, candidate in zip(lengths, together, strict=True):
        single = backend()
        alone = single.decode([at(single, length)])[0]
        assert alone.tokens == candidate.tokens
        assert alone.limit == candidate.limit
        assert alone.source_text == candidate.source_text


class Resettable(ScriptedRecognizer):
    def reset(self) -> None:
        vars(self).update(vars(ScriptedRecognizer(self.script)))


def test_a_closed_stream_leaves_its_recogniser_to_the_next_one() -> None:
    made: list[Resettable] = []

    def make() -> Resettable:
        made.append(Resettable(SCRIPT))
        return made[-1]

    cascade = CascadeBackend(make, UpperCase())
    session = Session(LocalAgreement(2), cascade, VirtualClock(), SessionConfig(chunk=WORD))
    session.reset()
    first = run(session, 9 * WORD, WORD)
    session.reset()
    session.feed(np.zeros(2 * WORD, np.float32))
    session.reset()
    assert run(session, 9 * WORD, WORD) == first
    assert len(made) == 1
    handles = [cascade.open(StreamSpec()) for _ in range(2)]
    recognizers = [cascade.state(handle).hearing.recognizer for handle in handles]
    assert recognizers[0] is not recognizers[1]
    cascade.release(handles[0])
    cascade.release(handles[0])
    after = [cascade.state(cascade.open(StreamSpec())).hearing.recognizer for _ in range(2)]
    assert after[0] is recognizers[0]
    assert after[1] is not recognizers[0]


class Unaligned(UpperCase):
    """A translator that does not say what its words rest on, as language models do."""

    lacks = frozenset({Need.SPANS})


def test_a_policy_that_needs_attention_is_refused_where_the_translator_gives_no_times() -> None:
    recognizer = lambda: ScriptedRecognizer(SCRIPT)  # noqa: E731
    for policy in (AlignAtt(), AlignBridge()):
        with pytest.raises(EvidenceError, match="hold-n"):
            Session(policy, CascadeBackend(recognizer, Unaligned()), VirtualClock())


class Undecided(UpperCase):
    """Has another hypothesis, in which the last word of two or more differs."""

    offers = 2

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        results = super().translate(requests)
        return [replace(r, others=((*r.tokens[:-1], " ELSE"),)) if len(r.tokens) > 1 else r for r in results]


def test_hypotheses_of_the_translator_serve_the_policy_that_compares_them() -> None:
    with pytest.raises(EvidenceError, match="local-agreement"):
        Session(SharedPrefix(), backend(), VirtualClock())
    session = Session(SharedPrefix(words=False), backend(translator=Undecided()), VirtualClock())
    handle = session.backend.open(StreamSpec())
    hear(session.backend, handle, np.zeros(3 * WORD, np.float32))
    found = session.backend.decode([DecodeRequest(handle, 0, session.backend.view(handle))])[0]
    assert found.beams == ((" ONE", " TWO", " ELSE"),)
    events = run(session, 9 * WORD, WORD)
    assert "".join(e.text for e in events if isinstance(e, Settled)) == "ONE TWO THREE FOUR FIVE SIX"


PAUSED = ["a", "b", "_", "_", "c", "d", "e", "_", "f"]
"""A pause of 0.2 s, then one of 0.1 s."""


class Reordering(UpperCase):
    """Its words rest on `index`."""

    def __init__(self, index: list[int]) -> None:
        super().__init__()
        self.index = np.array(index)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        return [replace(result, source_words=self.index) for result in super().translate(requests)]


def segments(translator: UpperCase, heard: int) -> list[tuple[int, int, str, int]]:
    cascade = backend(PAUSED, translator)
    handle = cascade.open(StreamSpec())
    hear(cascade, handle, np.zeros(heard * WORD, np.float32))
    found = cascade.decode([DecodeRequest(handle, 0, cascade.view(handle))])[0].segments
    assert found is not None
    silent = PAUSED[:heard].count("_") + max(0, heard - len(PAUSED))
    assert [s.no_speech_prob for s in found] == pytest.approx([silent / heard] * len(found))
    return [(s.start // WORD, s.end // WORD, s.text, s.tokens) for s in found]


def test_segments_are_stretches_between_pauses_and_share_the_silence() -> None:
    assert segments(UpperCase(), 2) == [(0, 2, " A ?", 2)]
    assert segments(UpperCase(), 9) == [(0, 2, " A B", 2), (4, 9, " C D E ?", 4)]
    assert segments(UpperCase(), 18) == [(0, 2, " A B", 2), (4, 9, " C D E ?", 4)]


def test_a_word_that_rests_on_an_earlier_stretch_stays_with_the_one_before_it() -> None:
    assert segments(Reordering([0, 3, 1, 2, 4, 5]), 9) == [(0, 2, " A", 1), (4, 9, " B C D E ?", 5)]
    assert segments(Reordering([5, 4, 3, 2, 1, 0]), 9) == [(4, 9, " A B C D E ?", 6)]


@pytest.mark.parametrize(
    ("policy", "early"),
    [
        (ConfidenceAware(confidence_threshold=0.7, frame_ms=100), ["A", "B", "C"]),
        (ConfidenceAware(confidence_threshold=0.55, frame_ms=100), ["A", "B", "C", "D", "E"]),
        (Consensus(consensus_threshold=1, frame_ms=100), ["A", "B"]),
        (Consensus(consensus_threshold=0.5, frame_ms=100), ["A", "B", "C", "D", "E"]),
        (SegmentConfidence(threshold=-0.1), ["A", "B", "C", "D", "E"]),
    ],
)
def test_segment_policies_run_on_a_cascade(policy: Policy, early: list[str]) -> None:
    session = Session(policy, backend(PAUSED), VirtualClock(), SessionConfig(chunk=WORD))
    events = [event for _ in PAUSED for event in session.feed(np.zeros(WORD, np.float32))]
    settled = "".join(e.text for e in events if isinstance(e, Settled)).split()
    assert settled == early
    events += session.finish()
    assert "".join(e.text for e in events if isinstance(e, Settled)) == "A B C D E F"


def test_the_released_loop_is_refused_where_no_audio_can_be_cut() -> None:
    for policy in (Consensus(profile="faithful"), Greedy(profile="faithful")):
        with pytest.raises(EvidenceError, match=r"audio that is cut .* Use instead: the profile 'fixed'"):
            Session(policy, backend(), VirtualClock())
    unaligned = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), Unaligned())
    with pytest.raises(
        EvidenceError, match=r"segments .* Use instead: local-agreement, which needs only tokens\.$"
    ):
        Session(Consensus(profile="faithful"), unaligned, VirtualClock())


class Attentive(UpperCase):
    """Attends to the words as `weights` says, whatever the text."""

    def __init__(self, weights: list[list[float]]) -> None:
        super().__init__()
        self.weights = np.array(weights, dtype=np.float32)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        return [replace(result, source_attention=self.weights) for result in super().translate(requests)]


def attended(translator: UpperCase, script: Sequence[str], heard: int) -> Alignment:
    cascade = CascadeBackend(lambda: ScriptedRecognizer(script), translator)
    handle = cascade.open(StreamSpec())
    hear(cascade, handle, np.zeros(heard, np.float32))
    found = cascade.decode([DecodeRequest(handle, 0, cascade.view(handle))])[0].alignment
    assert found is not None
    return found


def test_attention_on_words_lies_on_the_frames_of_their_time() -> None:
    weights = [[0.6, 0.2, 0.1], [0.0, 0.25, 0.75], [0.1, 0.1, 0.8]]
    found = attended(Attentive(weights), ["one", "two", "three"], 4 * WORD)
    assert (found.origin, found.frame) == (0, 640)
    assert found.weights.shape == (3, 10)
    assert found.weights.sum(axis=1) == pytest.approx(np.sum(weights, axis=1))
    # A word of 1600 samples touches three frames of 640.
    assert found.weights[0, :2] == pytest.approx(0.2)
    assert found.weights[1, :2] == pytest.approx(0.0)
    assert found.weights[1, -2:] == pytest.approx(0.0)
    assert found.weights[1].argmax() * 640 in range(2 * WORD - 640, 3 * WORD)


def test_attention_that_does_not_fit_the_words_gives_way_to_the_words_that_tokens_rest_on() -> None:
    for translator in (UpperCase(), Attentive([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])):
        found = attended(translator, ["one", "two", "three"], 3 * WORD)
        assert (found.weights.argmax(axis=1) * 640).tolist() == [0, 1280, 3200]
        assert found.weights.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (AlignAtt(distance_ms=100, normalize="none"), 3),
        (AlignAtt(distance_ms=300, normalize="none"), 2),
        (EDAtt(alpha=0.1, last_ms=80), 3),
        (EDAtt(alpha=0.1, last_ms=200), 2),
    ],
)
def test_attention_policies_stop_at_the_end_of_a_cascades_audio(policy: Policy, words: int) -> None:
    """Of five words heard the last is misheard and the one before not yet confirmed, which leaves three at most."""
    script = ["a", "b", "c", "d", "e", "|"]
    session = Session(policy, backend(script), VirtualClock(), SessionConfig(chunk=WORD))
    settled: list[str] = []
    for _ in script[:5]:
        events = session.feed(np.zeros(WORD, np.float32))
        settled += [event.text for event in events if isinstance(event, Settled)]
    assert "".join(settled).split() == ["A", "B", "C"][:words]
    settled += [event.text for event in session.finish() if isinstance(event, Settled)]
    assert "".join(settled).split() == ["A", "B", "C", "D", "E"]


def test_voice_activity_tells_the_silence_since_the_last_word() -> None:
    cascade = backend(["one"])
    handle = cascade.open(StreamSpec())
    hear(cascade, handle, np.zeros(3 * WORD, np.float32))
    view = cascade.view(handle)
    assert view.activity is not None
    assert view.activity.silence == 2 * WORD
    assert view.units == {"word": 1}


class Counting(ScriptedRecognizer):
    """Counts what it hears over all that were made."""

    heard_by_all = 0

    def push(self, samples: Samples) -> None:
        type(self).heard_by_all += len(samples)
        super().push(samples)


class LowerCase(UpperCase):
    """Writes two languages: upper case and lower case, with one call for both."""

    targets = frozenset({"de", "fr"})

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        self.calls += 1
        results = super().translate(requests)
        return [
            replace(result, tokens=tuple(token.lower() for token in result.tokens))
            if request.target == "fr"
            else result
            for request, result in zip(requests, results, strict=True)
        ]


def test_one_recording_is_heard_once_for_several_languages() -> None:
    def texts(events: Sequence[object], name: str) -> list[tuple[str, int]]:
        return [(e.text, e.heard) for e in events if isinstance(e, Settled) and e.stream == name]

    Counting.heard_by_all = 0
    translator = LowerCase()
    cascade = CascadeBackend(lambda: Counting(SCRIPT), translator)
    config = SessionConfig(chunk=WORD)
    session = Session(LocalAgreement(2), cascade, VirtualClock(), config, beside=("fr", "en"))
    assert len(cascade.streams) == 3
    events = run(session, 9 * WORD, WORD)
    assert Counting.heard_by_all == 9 * WORD
    assert cascade.streams == ()
    for name, made in (("de", str.upper), ("fr", str.lower), ("en", str)):
        assert "".join(text for text, _ in texts(events, name)) == made("one two three four five six")
        alone = Session(
            LocalAgreement(2), CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), LowerCase()), VirtualClock(),
            replace(config, target=name),
        )  # fmt: skip
        assert texts(events, name) == texts(run(alone, 9 * WORD, WORD), "")
    assert [e.stream for e in events if e.type == "end"] == ["de", "fr", "en"]  # type: ignore[attr-defined]
    sources = [(request.source, request.target) for request in translator.seen]
    assert translator.calls <= len(sources) / 2 + 1


def test_a_language_that_is_not_served_beside_is_refused_and_nothing_stays_open() -> None:
    cascade = CascadeBackend(lambda: ScriptedRecognizer(SCRIPT), LowerCase())
    with pytest.raises(UsageError, match="'xx' is not served"):
        Session(LocalAgreement(2), cascade, VirtualClock(), beside=("xx",))
    assert cascade.streams == ()


@pytest.mark.parametrize(("theirs", "own"), [((Term("Newgate"),), ()), ((), (Term("Newgate"),))])
@pytest.mark.parametrize("translator", [None, UpperCase()])
def test_words_become_terms_before_they_are_translated_and_events_say_what_was_heard(
    translator: UpperCase | None, theirs: tuple[Term, ...], own: tuple[Term, ...]
) -> None:
    script = ["at", "new", "gate", "once", "|"]
    cascade = CascadeBackend(lambda: ScriptedRecognizer(script), translator, terms=theirs)
    config = SessionConfig(target="de" if translator else "en", chunk=WORD, terms=own)
    events = run(Session(LocalAgreement(2), cascade, VirtualClock(), config), 6 * WORD, WORD)
    (end,) = (e for e in events if isinstance(e, SegmentEnd))
    heard = [("at", None), ("Newgate", "new gate"), ("once", None)]
    assert [(word.text, word.heard) for word in end.source_words] == heard
    settled = [(w.text, w.heard) for e in events if isinstance(e, Settled) for w in e.words]
    assert settled == ([(text.upper(), None) for text, _ in heard] if translator else heard)


def test_terms_of_a_stream_are_no_other_stream_s_and_reach_each_translator_in_its_language() -> None:
    translator = UpperCase()
    translator.targets = frozenset({"de", "es"})
    cascade = CascadeBackend(lambda: ScriptedRecognizer(["at", "new", "gate", "|"]), translator)
    term = Term("Newgate", (), (("de", "Neues Tor"), ("es", "Puerta Nueva")))
    for terms, source in (((term,), "at Newgate"), ((), "at new gate")):
        translator.seen.clear()
        config = SessionConfig(target="de", chunk=WORD, terms=terms)
        run(Session(LocalAgreement(2), cascade, VirtualClock(), config, beside=("es",)), 5 * WORD, WORD)
        assert {request.source for request in translator.seen if request.complete} - {""} == {source}
        told = {(request.target, request.terms) for request in translator.seen}
        both = (("Newgate", "Neues Tor"),), (("Newgate", "Puerta Nueva"),)
        assert told == set(zip(("de", "es"), both if terms else ((), ()), strict=True))


def test_a_backend_that_takes_no_terms_says_so() -> None:
    backend = ScriptedBackend([])
    with pytest.raises(UsageError, match="scripted takes no terms"):
        backend.open(StreamSpec("en", "de", (Term("Newgate"),)))
