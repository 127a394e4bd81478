"""The speaker: every word once, in order, at its place in time; failures and slow engines do not stop it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts import ChunkerConfig, PlayoutConfig, Speaker, SpeakerConfig, SynthesizedSpeech, ToneEngine


class Ticker:
    """A stopwatch that moves on by `step` seconds at every reading."""

    def __init__(self, step):
        self.step, self.now = step, 0.0

    def __call__(self):
        self.now += self.step
        return self.now


def talk(speaker, pieces, gap=0.5):
    units, time = [], 0.0
    for piece in pieces:
        units += speaker.push(piece, time)
        time += gap
    return units + speaker.finish(time)


PIECES = st.lists(
    st.sampled_from(
        [" we", " go", " home.", " Yes,", " and", " then", " the", " house", " 10", " (well)", " ?", " -"]
    )
)


@settings(max_examples=100)
@given(PIECES, st.floats(0, 0.8), st.floats(0, 0.5))
def test_every_word_is_spoken_once_in_order_without_overlap(pieces, gap, cost):
    speaker = Speaker(ToneEngine(per_character=0.01), stopwatch=Ticker(cost))
    units = talk(speaker, pieces, gap)
    spoken = " ".join(unit.text for unit in units).split()
    assert [w for w in spoken if any(map(str.isalnum, w))] == [
        w for w in "".join(pieces).split() if any(map(str.isalnum, w))
    ]
    assert [unit.unit for unit in units] == list(range(len(units)))
    end = 0.0
    for unit in units:
        assert unit.error == ""
        assert unit.onset >= max(end, unit.time) - 1e-4
        end = unit.onset + len(unit.samples) / unit.rate
    assert all(a.time + cost <= b.time + 1e-9 for a, b in pairwise(units))
    assert len(speaker.playout.slots) == len(units)


def test_synthesis_time_delays_the_onset():
    instant = Speaker(ToneEngine()).push("Hello there.", 2.0)[0]
    assert (instant.onset, instant.time) == (2.0, 2.0)
    slow = Speaker(ToneEngine(), stopwatch=Ticker(0.25)).push("Hello there. Good day.", 2.0)
    assert [unit.time for unit in slow] == [2.25, 2.5]
    assert slow[0].onset == 2.25


def test_a_failing_unit_is_reported_and_the_rest_is_spoken():
    speaker = Speaker(ToneEngine(fails_on="bad"))
    units = talk(speaker, ["Good one.", " A bad one.", " The last."])
    assert [bool(unit.error) for unit in units] == [False, True, False]
    assert "bad" in units[1].error
    assert len(units[1].samples) == 0
    assert len(units[2].samples) > 0
    assert len(speaker.playout.slots) == 2


def test_marks_alone_are_not_sent_to_the_engine():
    speaker = Speaker(ToneEngine())
    assert talk(speaker, ["...", " –", ' "']) == []


def test_backlog_makes_the_sound_shorter_and_marks_move_along():
    engine = ToneEngine(per_character=0.1)
    config = SpeakerConfig(playout=PlayoutConfig(limit=0.5, span=0.5, step=1.0))
    text = " one two three four."
    units = [Speaker(engine, config).push(text, 0.0)[0]]
    speaker = Speaker(engine, config)
    units += [speaker.push(text, 0.0)[0], speaker.push(text, 0.0)[0]]
    alone, first, hurried = units
    np.testing.assert_array_equal(alone.samples, first.samples)
    assert hurried.speed == 1.25
    assert len(hurried.samples) < len(first.samples) / 1.2
    assert [w.start for w in hurried.words] == [w.start for w in first.words] == [0, 4, 8, 14]
    ends = [w.sample for w in hurried.words]
    assert ends == sorted(ends)
    assert ends[-1] < len(hurried.samples)


def test_in_a_hurry_silences_inside_a_unit_are_cut_short():
    config = SpeakerConfig(playout=PlayoutConfig(limit=0.1, span=0.5, fastest=1.0, silence=0.2))
    speaker = Speaker(ToneEngine(per_character=0.1), config)
    first, second = speaker.push("one          two. one          two.", 0.0)
    assert len(first.samples) == 1.7 * first.rate
    assert len(second.samples) == pytest.approx(0.9 * second.rate, abs=0.01 * second.rate)


def test_an_engine_with_a_rate_setting_is_asked_for_the_speed():
    class Fast(ToneEngine):
        def synthesize(self, text, speed=1.0):
            asked.append(speed)
            return super().synthesize(text)

    asked = []
    engine = Fast(per_character=0.2, follows_speed=True)
    talk(Speaker(engine), ["One sentence here.", " Another sentence here.", " And a third one."], gap=0.0)
    assert asked[0] == 1.0
    assert asked[0] < asked[1] < asked[2] <= 1.25


def test_text_that_waits_is_let_go_only_when_playback_runs_dry():
    config = SpeakerConfig(chunker=ChunkerConfig(pause=1.0))
    speaker = Speaker(ToneEngine(per_character=0.2), config)
    assert speaker.push("A sentence.", 0.0)
    assert speaker.push(" and then some", 0.1) == []
    assert speaker.poll(1.5) == []
    assert [unit.text for unit in speaker.poll(2.0)] == ["and then"]
    assert [unit.text for unit in speaker.segment_end(2.1)] == ["some"]


def test_open_phrases_keep_the_voice_up_and_sentences_do_not():
    prompts = []

    class Listening(ToneEngine):
        def synthesize(self, text, speed=1.0):
            prompts.append(text)
            return SynthesizedSpeech(np.zeros(10, np.float32), self.rate)

    talk(Speaker(Listening()), ["All is well.", " and so on", " 25 %"])
    assert prompts == ["All is well.", "and so on 25 %"]
    prompts.clear()
    talk(Speaker(Listening()), ["and so on"])
    assert prompts == ["and so on,"]


def test_an_engines_own_mistakes_are_told_and_the_rest_is_spoken():
    class Broken(ToneEngine):
        def synthesize(self, text, speed=1.0):
            if "bad" in text:
                raise RuntimeError("defect\nand more")
            return super().synthesize(text, speed)

    units = talk(Speaker(Broken()), ["Good one.", " A bad one.", " The last."])
    assert [len(unit.samples) > 0 for unit in units] == [True, False, True]
    assert "RuntimeError: defect)" in units[1].error
