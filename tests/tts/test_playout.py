"""The playout schedule: the onset rule, no overlap, nothing lost, a backlog that stays bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts import Playout, PlayoutConfig, SpeakingPace, TtsError

RATE = 1000
PLAIN = PlayoutConfig(clause_pause=0.0, sentence_pause=0.0)


def run(durations, gap, config, rate=RATE):
    """Commit a unit of each duration (s at its own pace) every `gap` s; the playout and its backlogs."""
    playout = Playout(rate, config)
    backlogs = []
    for number, seconds in enumerate(durations):
        now = round(number * gap * rate)
        pace = playout.pace(now)
        playout.place(round(seconds * rate / pace.speed), now, pace, "so it goes.")
        backlogs.append(playout.backlog(now) / rate)
    return playout, backlogs


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 900), st.integers(1, 6000)), max_size=30))
def test_onset_is_the_later_of_ready_and_the_end_before(units):
    playout = Playout(RATE, PLAIN)
    now = end = 0
    for wait, synthesis, length in units:
        now += wait
        slot = playout.place(length, now + synthesis, playout.pace(now), "well")
        assert slot.onset == max(now + synthesis, end)
        assert slot.end == slot.onset + length
        assert slot.wait == slot.onset - (now + synthesis) >= 0
        end = slot.end
    assert [slot.unit for slot in playout.slots] == list(range(len(units)))
    heard = playout.timeline()
    assert sum(heard.durations) * RATE == pytest.approx(sum(length for *_, length in units))
    if units:
        total = heard.onsets[0] + sum(heard.durations) + sum(heard.silences)
        assert total == pytest.approx(heard.end) == pytest.approx(end / RATE)


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3000), st.integers(1, 4000), st.sampled_from([".", ",", "", '!"', "…", ":"])
        ),
        min_size=1,
        max_size=30,
    )
)
def test_speed_stays_in_bounds_changes_by_steps_and_pauses_never_grow(units):
    config = PlayoutConfig()
    playout = Playout(RATE, config)
    now, before, pause = 0, 1.0, 0.0
    for wait, length, mark in units:
        now += wait
        silent = playout.backlog(now) == 0
        pace = playout.pace(now)
        assert 1 <= pace.speed <= config.fastest
        assert silent or abs(pace.speed - before) <= config.step + 1e-9
        end = playout.end
        slot = playout.place(length, now, pace, "so" + mark)
        assert slot.onset >= end
        if playout.slots[:-1] and slot.onset > now:
            assert slot.onset - end == pytest.approx(pause * (1 - pace.hurry) * RATE, abs=1)
        pause = {".": 0.25, '!"': 0.25, "…": 0.25, ",": 0.12, ":": 0.12, "": 0.0}[mark]
        before = pace.speed


def test_pauses_follow_the_mark_and_vanish_in_a_hurry():
    playout = Playout(RATE)
    calm = SpeakingPace(1.0, 0.0)
    playout.place(500, 0, calm, "Ja.")
    assert playout.place(500, 100, calm, "Gut,").onset == 750
    assert playout.place(500, 200, calm, "dann").onset == 1250 + 120
    assert playout.place(500, 300, calm, "Ende.").onset == 1870
    assert playout.place(500, 400, SpeakingPace(1.25, 1.0), "Schluss.").onset == 2370
    assert playout.timeline().silences == (0.25, 0.12, 0.0, 0.0)


def test_speech_a_fifth_longer_than_its_source_does_not_pile_up():
    durations = [2.4] * 300
    _, controlled = run(durations, 2.0, PlayoutConfig())
    _, free = run(durations, 2.0, PlayoutConfig(fastest=1.0))
    # Backlog after placing includes the 2.4 s unit itself.
    assert max(controlled) < 4.5
    assert max(controlled[-50:]) <= max(controlled[50:100]) + 0.01
    assert free[-1] > 100


def test_the_pace_is_the_engines_own_again_after_a_silence():
    playout, _ = run([3.0] * 6, 1.0, PlayoutConfig())
    assert playout.slots[-1].speed == 1.25
    assert playout.pace(playout.end) == SpeakingPace(1.0, 0.0)
    assert playout.pace(playout.end - 1).speed == pytest.approx(1.2)


def test_nothing_is_dropped_however_far_behind():
    playout, backlogs = run([10.0] * 50, 0.1, PlayoutConfig())
    assert len(playout.slots) == 50
    assert backlogs[-1] > 390


def test_a_rate_must_be_positive():
    with pytest.raises(TtsError, match="rate"):
        Playout(0)


@pytest.mark.parametrize(
    "given",
    [
        {"limit": 0.0},
        {"fastest": 1.0},
        {"fastest": 2.0},
        {"clause_pause": 0.0, "sentence_pause": 0.0},
        {"silence": 0.01},
    ],
)
def test_settings_on_their_border_are_taken(given):
    assert Playout(1, PlayoutConfig(**given)).pace(0) == SpeakingPace(1.0, 0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": -0.1}, "limit of 0 or more"),
        ({"span": 0.0}, "above 0 seconds"),
        ({"step": 0.0}, "above 0 seconds"),
        ({"fastest": 0.99}, "between 1 and 2, not at 0.99"),
        ({"fastest": 2.01}, "between 1 and 2, not at 2.01"),
        ({"clause_pause": -0.1}, "cannot be negative"),
        ({"sentence_pause": -0.1}, "cannot be negative"),
        ({"silence": 0.009}, "at least 0.01"),
    ],
)
def test_settings_beyond_their_border_are_named(given, said):
    with pytest.raises(TtsError, match=said):
        PlayoutConfig(**given)
