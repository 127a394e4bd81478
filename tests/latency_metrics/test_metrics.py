"""Values of single metrics worked out by hand, their rules at the edges, their signatures."""

from __future__ import annotations

import math

import pytest

from latency_metrics import (
    AL,
    AP,
    ATD,
    DAL,
    LAAL,
    METRICS,
    RTF,
    YAAL,
    EndOffset,
    FirstTextDelay,
    Instance,
    LagMax,
    LagMedian,
    LagP95,
    LagSlope,
    LongYAAL,
    MetricsError,
    NormalizedErasure,
    NumChunks,
    PlaybackLag,
    PolicyLag,
    PrefixErasure,
    StartOffset,
    StreamLAAL,
    StreamRTF,
    StreamStats,
    SystemLag,
    diagnose,
)
from latency_metrics.base import package_version
from latency_metrics.scoring.shortform import score_shortform
from latency_metrics.word_lag import lag_quantiles

# Three words over 3 s against a reference of three words: ideal times 0, 1, 2 s.
EVEN = Instance(
    index=7,
    prediction="a b c",
    reference="x y z",
    delays=[1000.0, 2000.0, 3000.0],
    elapsed=[1100.0, 2300.0, 3300.0],
    source_length=3000.0,
)
EMPTY = Instance(index=8, reference="x", delays=[], elapsed=[], source_length=1000.0)


def test_values_by_hand() -> None:
    assert AL().instance(EVEN) == pytest.approx(1000)
    assert LAAL().instance(EVEN) == pytest.approx(1000)
    assert AP().instance(EVEN) == pytest.approx(6000 / 9000)
    assert DAL().instance(EVEN) == pytest.approx(1000)
    assert YAAL().instance(EVEN) == pytest.approx(1000)
    assert (StartOffset().instance(EVEN), EndOffset().instance(EVEN), NumChunks().instance(EVEN)) == (
        1000,
        0,
        3,
    )
    assert RTF(clock="ca").instance(EVEN) == pytest.approx(1.1)
    assert AL(clock="ca").instance(EVEN) == pytest.approx((1100 + 1300 + 1300) / 3)


def test_the_unit_at_the_end_counts_in_laal_and_not_in_yaal() -> None:
    late = Instance(delays=[1000, 1000, 2000], reference="x y z", source_length=2000)
    step = 2000 / 3
    assert LAAL().instance(late) == pytest.approx((1000 + (1000 - step) + (2000 - 2 * step)) / 3)
    assert YAAL().instance(late) == pytest.approx((1000 + (1000 - step)) / 2)
    assert LongYAAL(recording_end="open").instance(late) == pytest.approx(LAAL().instance(late))


def test_longer_hypothesis_spreads_the_ideal_in_laal_only() -> None:
    long = Instance(delays=[500, 500, 500, 500], reference="x y", source_length=1000)
    assert AL().instance(long) == pytest.approx(500 - 500 * 1.5)
    assert LAAL().instance(long) == pytest.approx(500 - 250 * 1.5)
    assert LAAL(use_reference_length=False).instance(long) == AL(use_reference_length=False).instance(long)


def test_first_unit_at_and_after_the_end() -> None:
    at = Instance(delays=[2000, 2000], reference="x y", source_length=2000)
    after = Instance(delays=[2500, 2600], reference="x y", source_length=2000)
    assert (AL().instance(at), LAAL().instance(at), YAAL().instance(at)) == (2000, 2000, None)
    assert (AL().instance(after), LAAL().instance(after), YAAL().instance(after)) == (2500, 2500, None)


def test_scanning_stops_at_the_first_late_unit() -> None:
    jumping = Instance(delays=[500, 3000, 600], reference="x y z", source_length=2000)
    assert YAAL().instance(jumping) == 500
    assert LAAL().instance(jumping) == pytest.approx((500 + 3000 - 2000 / 3) / 2)


def test_dal_charges_every_unit_its_share() -> None:
    burst = Instance(delays=[1000, 1000], source_length=1000)
    # g = 1000, 1500; ideals 0, 500
    assert DAL().instance(burst) == pytest.approx(1000)


def test_ca_yaal_may_fall_below_cu_yaal() -> None:
    slow = Instance(delays=[100, 1900], elapsed=[300, 2100], reference="x y", source_length=2000)
    cu, ca = YAAL().instance(slow), YAAL(clock="ca").instance(slow)
    assert cu is not None
    assert ca is not None
    assert ca < cu


@pytest.mark.parametrize("name", ["AL", "LAAL", "AP", "DAL", "YAAL", "LongYAAL"])
def test_what_has_no_value_is_skipped_and_named(name: str) -> None:
    instances = [
        EVEN,
        EMPTY,
        Instance(index=9, delays=[1.0], reference="x", source_length=0.0),
        Instance(index=10, delays=[1.0], reference="x"),
        Instance(index=11, reference="x", source_length=5.0),
    ]
    score = METRICS[name]().corpus(instances)
    assert score.values[0] == score.value
    assert score.values[1:] == [None] * 4
    reasons = {notice.where: notice.reason for notice in score.notices if "skipped" in notice.reason}
    assert reasons["instance 8"] == "skipped, the hypothesis is empty"
    assert reasons["instance 9"] == "skipped, its source length is 0"
    assert reasons["instance 10"] == "skipped, its source length is unknown"
    assert reasons["instance 11"] == "skipped, the log carries no CU times"
    assert score.counted == 1


def test_nothing_to_average_is_nan_and_never_an_error() -> None:
    for metric in METRICS.values():
        score = metric().corpus([EMPTY])
        assert math.isnan(score.value)
        assert score.notices
        assert math.isnan(metric().corpus([]).value)


def test_missing_ca_is_named() -> None:
    score = LAAL(clock="ca").corpus([Instance(index=3, delays=[1.0], elapsed=[], source_length=2.0)])
    assert [str(notice) for notice in score.notices] == [
        "instance 3: skipped, the log carries no CA times [LAAL (CA)]"
    ]


def test_notices_say_which_scores_they_are_of() -> None:
    """One that several scores share stands once and names them all, so that CU and CA are told apart."""
    early = Instance(index=1, prediction="a", reference="a", delays=[1.0], elapsed=[1.0], source_length=2.0)
    late = Instance(index=2, prediction="a", reference="a", delays=[1.0], elapsed=[3.0], source_length=2.0)
    named = {
        notice.reason: notice.metrics
        for notice in score_shortform([early, late]).notices
        if notice.where == "instance 2" and notice.metrics
    }
    assert named
    assert not any("(CU)" in metric for metrics in named.values() for metric in metrics)
    none = Instance(index=3, prediction="", reference="a", delays=[], elapsed=[], source_length=2.0)
    (shared,) = (n for n in score_shortform([early, none]).notices if "hypothesis is empty" in n.reason)
    assert {"AL (CU)", "AL (CA)", "LAAL (CU)", "DAL (CA)"} <= set(shared.metrics)
    assert len(shared.metrics) == len(set(shared.metrics))


def test_reference_lengths() -> None:
    def al(reference: str, unit: str) -> float | None:
        instance = Instance(delays=[0.0, 0.0], reference=reference, source_length=1000.0)
        return AL(latency_unit=unit).instance(instance)  # type: ignore[arg-type]

    assert al("", "word") == -500  # length 1
    assert al("a  b", "word") == pytest.approx(-1000 / 6)  # an empty piece counts
    assert al(" ab ", "char") == -250  # trimmed
    assert al("", "char") is None
    assert al("a  b", "stream_word") == -250
    assert Instance(reference_length=4, delays=[0.0], source_length=1.0).reference_length == 4


def test_simuleval_edge_rule_returns_the_first_time() -> None:
    instance = Instance(delays=[300.0], reference="x", source_length=0.0)
    assert AL().instance(instance) is None
    assert AL(edge="simuleval").instance(instance) == 300
    assert StreamLAAL().instance(instance) == 300


def test_long_yaal_without_recording_end_is_open_and_says_so() -> None:
    score = LongYAAL().corpus([EVEN])
    assert score.value == pytest.approx(1000)
    assert "without limit" in score.notices[0].reason


def test_atd_mode_follows_the_data() -> None:
    text = Instance(delays=[1, 2], source_length=2, source_kind="text")
    assert ATD().instance(text) == 1  # word t comes out one unit after source token t
    speech = Instance(delays=[600.0], durations=[300.0], source_length=600.0)
    assert ATD().instance(speech) == 600 + 300 - 300
    assert ATD(mode="speech-text").instance(speech) == 600 - 300


def test_lag_distribution_and_slope() -> None:
    assert (LagMedian().corpus([EVEN]).value, LagMax().corpus([EVEN]).value) == (1000, 1000)
    two = [
        Instance(index=i, recording="r", segment=i, offset=i * 1000.0, delays=[500.0 + i * 100], reference="x",
                 source_length=1000.0)
        for i in range(5)
    ]  # fmt: skip
    slope = LagSlope().corpus(two)
    assert slope.value == pytest.approx(0.1)  # 100 ms more lag in every second
    assert slope.counted == 1
    assert LagP95().corpus(two).value == 900
    assert LagMedian().corpus(two[:4]).value == 600  # of an even number, the lower of the middle two
    assert LagMax().corpus(two).value == 900
    together = lag_quantiles([*two, EMPTY])
    assert together == [metric().corpus([*two, EMPTY]) for metric in (LagMedian, LagP95, LagMax)]


def test_lag_split_adds_up() -> None:
    instance = Instance(
        delays=[1000.0, 2000.0], elapsed=[1200.0, 2400.0], playback=[1500.0, 3000.0], reference="x y",
        source_length=2000.0,
    )  # fmt: skip
    parts = [PolicyLag().instance(instance), SystemLag(clock="ca").instance(instance)]
    parts.append(PlaybackLag(clock="ca").instance(instance))
    assert parts == [1000, 300, 450]
    heard = [1500 - 0, 3000 - 1000]
    assert sum(part for part in parts if part is not None) == sum(heard) / 2


def test_erasure_of_both_definitions() -> None:
    stats = StreamStats(units=4, erased_units=3, prefix_erased_units=2, compute_ms=500, audio_ms=2000)
    recordings = [
        Instance(stream=stats),
        Instance(stream=StreamStats(units=0, erased_units=1, audio_ms=1000)),
    ]
    assert NormalizedErasure().corpus(recordings).value == 1.0
    assert PrefixErasure().corpus(recordings).value == 0.5
    assert StreamRTF().corpus(recordings).value == pytest.approx(1 / 6)


def test_first_text_delay_takes_the_earliest() -> None:
    assert FirstTextDelay().instance(Instance(delays=[700.0, -50.0, 900.0])) == -50


def test_degeneracy_of_a_policy_that_waits_for_the_end() -> None:
    lone = Instance(delays=[100.0] + [10000.0] * 9, reference=" ".join("x" * 10), source_length=10000.0)
    diagnosis = diagnose([lone])
    assert diagnosis.swf == 10
    assert diagnosis.efsw == pytest.approx(99)
    assert diagnosis.dsptv == pytest.approx(89)
    assert diagnosis.degenerate
    assert not diagnose([EVEN]).degenerate
    assert math.isnan(diagnose([EMPTY]).swf)
    assert diagnose([Instance(index=4, delays=[1.0])]).notices[0].where == "instance 4"


def test_signatures_pin_down_the_rules() -> None:
    assert LongYAAL(clock="ca", latency_unit="char").signature() == (
        "metric:LongYAAL|version:1|unit:ms|clock:CA|count:char|length:reference|edge:skip|end:segmentation"
        f"|simul:{package_version()}"
    )
    signatures = {metric().signature() for metric in METRICS.values()}
    assert len(signatures) == len(METRICS)


@pytest.mark.parametrize("options", [{"clock": "wall"}, {"latency_unit": "byte"}, {"edge": "?"}])
def test_unknown_options_are_one_sentence(options: dict[str, str]) -> None:
    with pytest.raises(MetricsError, match="not known; use"):
        LAAL(**options)  # type: ignore[arg-type]
    with pytest.raises(MetricsError, match="not known"):
        ATD(mode="speech")  # type: ignore[arg-type]
    with pytest.raises(MetricsError, match="not known"):
        LongYAAL(recording_end="log")  # type: ignore[arg-type]


def test_the_field_s_metrics_are_known_by_their_names() -> None:
    assert {"AP", "AL", "LAAL", "DAL", "ATD", "YAAL", "LongYAAL", "StreamLAAL"} <= set(METRICS)
