"""The legend under a table of scores: a line for each kind that is there, and none for what is not."""

from latency_metrics import registry
from latency_metrics.legend import legend, paragraph


def test_every_metric_of_the_registry_is_explained() -> None:
    for name in registry.METRICS:
        if name not in ("Erasure", "NormalizedErasure"):
            known = legend([(f"{name} (CU)", 1.0)])
            assert known, name


def test_only_what_is_there_is_explained() -> None:
    lines = legend([("BLEU", 20.0), ("LongYAAL (CU)", 900.0), ("LongYAAL (CA-queue)", 950.0)])
    assert [line.partition(":")[0] for line in lines] == ["BLEU, chrF", "YAAL", "CU", "CA-queue"]


def test_negative_latency_is_explained_where_there_is_some() -> None:
    assert "Below zero" not in paragraph([("LAAL (CU)", 10.0), ("LagP50 (CU)", -5.0)])
    for name in ("LAAL (CU)", "AL (CA)", "LongLAAL (CU)", "YAAL (CU)"):
        assert "Below zero" in paragraph([(name, -2.16)])
    assert paragraph([]) == ""
