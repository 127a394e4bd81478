"""The tables of the experiment: the paper's layout, and all latencies."""

from __future__ import annotations

from simul.evaluation.dugan.experiment import ROWS, CellResult, experiment
from simul.evaluation.dugan.tables import LATENCY_HEADER, latency_rows, paper_table
from tests.simul.evaluation.dugan.oracle import utterances, words


def test_the_table_has_their_layout() -> None:
    pairs = {f"{language}-en": utterances([list("abcdefgh")]) for language in ("ja", "es", "ru", "ar")}
    results = experiment(pairs, words)
    for profile in ("faithful", "fixed"):
        lines = paper_table(results, profile).splitlines()
        assert lines[0].startswith("| policy | ja-en 1s | ja-en 2s | es-en 1s")
        assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == [row[0] for row in ROWS]
        assert sum(line.count("(") + line.count("same") for line in lines[2:]) == 48
        assert lines[-1].count("same") == 4
    assert len(latency_rows(results)) == 96


def result(row: str, window: float, bleu: float, published: float | None) -> CellResult:
    return CellResult(
        row, "ja-en", window, "fixed", bleu, 50.0, published, None, 1.0, 2.0, None, 1.5, 2.5, 3.5, 3, 4
    )  # fmt: skip


def test_a_cell_that_is_as_under_the_first_window_says_same() -> None:
    results = [
        result(
            row,
            window,
            10.0 + (window == 2 and row in ("CP 0.5", "Offline")),
            None if row == "Greedy" else 1.25,
        )
        for row, _, _ in ROWS
        for window in (1.0, 2.0)
    ]
    rows = {line.split(" | ")[0].strip("| "): line for line in paper_table(results, "fixed").splitlines()}
    assert rows["CAP 0.9"] == "| CAP 0.9 | 10.0 (1.2) | same |"
    assert rows["CP 0.5"] == "| CP 0.5 | 10.0 (1.2) | 11.0 (1.2) |"
    assert rows["Greedy"] == "| Greedy | 10.0 (nan) | same |"
    assert rows["Offline"] == "| Offline | 10.0 (1.2) | same |"


def test_latencies_stand_under_their_names() -> None:
    (row,) = latency_rows([result("Greedy", 1.0, 20.0, 1.25)])
    assert dict(zip(LATENCY_HEADER, row, strict=True)) == {
        "policy": "Greedy", "profile": "fixed", "pair": "ja-en", "window s": "1", "BLEU": "20.0", "chrF": "50.0",
        "AL as printed": "1.25", "AL CA": "1.50", "AL": "1.00", "LAAL CA": "2.50", "LAAL": "2.00", "YAAL CA": "3.50",
        "YAAL": "n/a", "early": "3/4",
    }  # fmt: skip
