"""Properties that hold for every input: bounds between metrics, invariance, conservation, equality of forms."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency_metrics import (
    AL,
    AP,
    DAL,
    LAAL,
    METRICS,
    YAAL,
    Instance,
    LongYAAL,
    RecordingHypothesis,
    ReferenceSegment,
    resegment,
    score_longform,
    score_shortform,
)

TIMES = st.lists(st.integers(-500, 20000).map(float), min_size=1, max_size=25)
ORDERED = TIMES.map(sorted)
LENGTHS = st.integers(1, 20000).map(float)
WORDS = st.sampled_from(
    [
        "a",
        "ab",
        "abc",
        "über",
        "Hund",
        "Katze",
        ".",
        ",",
        "!",
        "(so)",
        "„x“",
        "3,5",
        "...",
        "e.g.",
        "l'eau",
        "\xad",
        "ﬁn",
        "中文",
    ]
)


@st.composite
def instances(draw: st.DrawFn) -> Instance:
    delays = draw(st.one_of(TIMES, ORDERED, st.just([])))
    costs = draw(st.lists(st.integers(0, 500), min_size=len(delays), max_size=len(delays)))
    return Instance(
        prediction=" ".join("w" * len(delays)),
        reference=" ".join("r" * draw(st.integers(1, 30))),
        delays=delays,
        elapsed=[d + sum(costs[: i + 1]) for i, d in enumerate(delays)],
        source_length=draw(st.one_of(LENGTHS, st.none(), st.just(0.0))),
        time_to_recording_end=draw(st.one_of(LENGTHS, st.none())),
    )


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[ReferenceSegment], list[RecordingHypothesis]]:
    segments: list[ReferenceSegment] = []
    hypotheses: list[RecordingHypothesis] = []
    for document in range(draw(st.integers(1, 3))):
        name = f"talk_{document}.wav"
        start = 0.0
        for number in range(draw(st.integers(1, 4))):
            length = draw(st.integers(0, 4000))
            reference = " ".join(draw(st.lists(WORDS, max_size=8)))
            segments.append(ReferenceSegment(name, start, float(length), reference, document, number))
            start += length
        units = draw(st.lists(WORDS, max_size=20))
        delays = sorted(
            draw(st.lists(st.integers(0, 15000).map(float), min_size=len(units), max_size=len(units)))
        )
        hypotheses.append(
            RecordingHypothesis(
                name, units, delays=delays, elapsed=[d + 100.0 * i for i, d in enumerate(delays)]
            )
        )
    return segments, hypotheses


@given(instances())
def test_laal_is_never_below_al(instance: Instance) -> None:
    laal, al = LAAL().instance(instance), AL().instance(instance)
    assert (laal is None) == (al is None)
    if laal is not None and al is not None:
        assert laal >= al - 1e-6


@given(ORDERED, LENGTHS, st.integers(1, 30))
def test_laal_is_yaal_plus_the_unit_at_the_end(
    delays: list[float], source_length: float, reference: int
) -> None:
    instance = Instance(delays=delays, reference=" ".join("r" * reference), source_length=source_length)
    yaal, laal = YAAL().instance(instance), LAAL().instance(instance)
    early = sum(1 for time in delays if time < source_length)
    assert laal is not None
    if early == 0:
        assert yaal is None
        assert laal == delays[0]
        return
    assert yaal is not None
    assert yaal < source_length
    if early == len(delays):
        assert laal == pytest.approx(yaal, abs=1e-6)
    else:
        crossing = delays[early] - early * source_length / max(reference, len(delays))
        assert laal * (early + 1) == pytest.approx(yaal * early + crossing, abs=1e-3)
        assert min(yaal, crossing) - 1e-6 <= laal <= max(yaal, crossing) + 1e-6


@given(ORDERED, LENGTHS)
def test_long_yaal_with_the_end_of_the_segment_is_yaal(delays: list[float], source_length: float) -> None:
    instance = Instance(
        delays=delays, reference="a b c", source_length=source_length, time_to_recording_end=source_length
    )
    assert LongYAAL().instance(instance) == YAAL().instance(instance)
    assert LongYAAL(recording_end="open").instance(instance) == LongYAAL().instance(
        replace(instance, time_to_recording_end=math.inf)
    )


@given(ORDERED, LENGTHS)
def test_dal_is_at_least_the_first_time_and_the_lag(delays: list[float], source_length: float) -> None:
    dal = DAL().instance(Instance(delays=delays, source_length=source_length))
    assert dal is not None
    assert dal >= delays[0] - 1e-6


@given(instances(), st.integers(1, 7))
def test_times_and_length_in_another_unit_scale_the_value(instance: Instance, factor: int) -> None:
    if not instance.source_length:
        return
    scaled = replace(
        instance,
        delays=[time * factor for time in instance.delays or ()],
        source_length=instance.source_length * factor,
    )
    for metric, power in ((AL, 1), (LAAL, 1), (YAAL, 1), (DAL, 1), (AP, 0)):
        before, after = metric().instance(instance), metric().instance(scaled)
        assert (before is None) == (after is None)
        if before is not None:
            assert after == pytest.approx(before * factor**power, rel=1e-9, abs=1e-6)


@given(st.lists(instances(), max_size=8), st.randoms())
def test_no_metric_raises_and_order_does_not_matter(found: list[Instance], rng: object) -> None:
    shuffled = list(found)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    for metric in METRICS.values():
        for clock in ("cu", "ca", "queue"):
            one, two = metric(clock=clock).corpus(found), metric(clock=clock).corpus(shuffled)  # type: ignore[arg-type]
            assert one.value == pytest.approx(two.value, rel=1e-12, nan_ok=True)
            if len(one.values) == len(found):
                named = {notice.where for notice in one.notices}
                assert all(value is not None or named for value in one.values)


@given(st.lists(instances(), max_size=8))
@settings(max_examples=40)
def test_short_form_always_reports(found: list[Instance]) -> None:
    report = score_shortform(found)
    skipped = [i for i in found if not i.delays or not i.source_length]
    assert len(report.notices) >= (1 if skipped else 0)
    assert report.scores_tsv().startswith("metric\tvalue\n")


@given(recordings())
@settings(max_examples=60)
def test_resegmentation_conserves_every_unit(
    given_: tuple[list[ReferenceSegment], list[RecordingHypothesis]],
) -> None:
    segments, hypotheses = given_
    for method in ("soft", "mwer"):
        found = resegment(segments, hypotheses, method=method, lang="de")  # type: ignore[arg-type]
        for hypothesis in hypotheses:
            own = [i for i in found.instances if i.recording == hypothesis.recording]
            kept = [unit for i in own for unit in i.prediction.split(" ") if unit]
            gone = {position for name, position, _ in found.dropped if name == hypothesis.recording}
            assert kept == [unit for i, unit in enumerate(hypothesis.units) if i not in gone]
            times = [time + i.offset for i in own for time in i.delays or ()]
            assert times == [time for i, time in enumerate(hypothesis.delays or ()) if i not in gone]
            if gone:
                assert any(hypothesis.recording in n.where and "dropped" in n.reason for n in found.notices)


@given(recordings(), st.randoms())
@settings(max_examples=30)
def test_order_of_recordings_does_not_matter(
    given_: tuple[list[ReferenceSegment], list[RecordingHypothesis]], rng: object
) -> None:
    segments, hypotheses = given_
    names = list(dict.fromkeys(segment.recording for segment in segments))
    rng.shuffle(names)  # type: ignore[attr-defined]
    moved = [segment for name in names for segment in segments if segment.recording == name]
    one = score_longform(segments, hypotheses, lang="en")
    two = score_longform(moved, hypotheses[::-1], lang="en")
    assert [s.name for s in one.scores] == [s.name for s in two.scores]
    for a, b in zip((*one.scores, *one.extra), (*two.scores, *two.extra), strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-9, nan_ok=True)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.data())
@settings(max_examples=40)
def test_perfect_segmentation_equals_short_form(lengths: list[int], data: st.DataObject) -> None:
    """Words that share no letters and are said as in the reference go where they belong; then the forms agree."""
    letters = iter(chr(code) for code in range(0x4E00, 0x9FFF))
    segments, single, units, delays = [], [], [], []
    start = 0.0
    for number, length in enumerate(lengths):
        words = [next(letters) for _ in range(length)]
        duration = float(data.draw(st.integers(500, 5000)))
        own = sorted(data.draw(st.lists(st.integers(0, 4000), min_size=length, max_size=length)))
        segments.append(ReferenceSegment("t", start, duration, " ".join(words), 0, number))
        single.append(
            Instance(
                index=number,
                prediction=" ".join(words),
                reference=" ".join(words),
                delays=[float(time) for time in own],
                source_length=duration,
            )
        )
        units += words
        delays += [start + time for time in own]
        start += duration
    long = score_longform(segments, [RecordingHypothesis("t", units, delays=delays)])
    short = score_shortform(single)
    assert long["BLEU"].value == short["BLEU"].value
    for name in ("AL", "LAAL", "AP", "DAL"):
        assert long[f"Long{name} (CU)"].value == pytest.approx(short[f"{name} (CU)"].value, rel=1e-9)
