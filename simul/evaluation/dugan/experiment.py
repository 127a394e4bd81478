"""The cells of the experiment: what each policy speaks of a pair's utterances, and what that scores.

The rules and loops are in `policies.dugan`. Scores are BLEU, and average lagging as Dugan et al. print it (one
reference token above the standard value, computation-aware) beside AL, LAAL and YAAL as the field defines them, with
and without computation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from latency_metrics import AL, LAAL, YAAL, Instance
from latency_metrics.quality import quality_scores
from policies.dugan import EvaluationLoop, Spoken, published_average_lagging, published_corpus_lagging
from policies.offline import Offline
from policies.registry import make_policy
from policies.segments import SegmentPolicy
from simul.evaluation.dugan.windows import DecodedUtterance, DecodedWindows

WINDOWS = (1.0, 2.0)
"""Increments of the window, in seconds."""
PROFILES = ("faithful", "fixed")
ROWS: Sequence[tuple[str, str, Mapping[str, Any]]] = (
    ("CAP 0.9", "confidence-aware", {"confidence_threshold": 0.9}),
    ("CAP 0.5", "confidence-aware", {"confidence_threshold": 0.5}),
    ("CP 0.75", "consensus", {"consensus_threshold": 0.75}),
    ("CP 0.5", "consensus", {"consensus_threshold": 0.5}),
    ("Greedy", "greedy", {}),
    ("Offline", "offline", {}),
)
"""Rows of their table: name, policy, parameters."""


@dataclass(frozen=True)
class CellResult:
    """One cell of the table: BLEU in percent, latencies in seconds; None where no utterance has a value.

    published: average lagging as they print it; published_laal likewise. `al`, `laal`, `yaal` are standard and
    computation-unaware, those with `_ca` computation-aware. spoken: utterances in which a policy spoke before the
    end, the others being handed to the offline translation.
    """

    row: str
    pair: str
    window: float
    profile: str
    bleu: float
    chrf: float
    published: float | None
    published_laal: float | None
    al: float | None
    laal: float | None
    yaal: float | None
    al_ca: float | None
    laal_ca: float | None
    yaal_ca: float | None
    spoken: int
    utterances: int


def speak(
    policy: SegmentPolicy | Offline,
    utterance: DecodedWindows,
    window: float,
    faithful: bool,
    timed: bool = True,
) -> list[Spoken]:
    """What a policy speaks of an utterance; `timed`: computing takes its time, otherwise none."""
    loop = EvaluationLoop(policy, utterance.length, window, faithful)
    while (clip := loop.clip) is not None:
        segments, elapsed = utterance.window(*clip)
        loop.judge(segments, elapsed if timed else (0.0,) * len(elapsed))
    if loop.needs_offline:
        text, seconds = utterance.whole()
        loop.offline(text, seconds if timed else 0.0)
    return loop.spoken


@dataclass(frozen=True)
class _Said:
    """What a policy spoke of an utterance, with computing taking its time and taking none; `tokens` counts a text's."""

    utterance: DecodedUtterance
    timed: list[Spoken]
    untimed: list[Spoken]
    tokens: Callable[[str], int]

    @property
    def text(self) -> str:
        return "".join(said.text for said in self.timed).strip()

    @property
    def early(self) -> bool:
        """Whether something was spoken before the end."""
        return any(said.delay < self.utterance.windows.length for said in self.untimed)

    def instance(self, timed: bool) -> Instance:
        """As the metrics read it."""
        return Instance(
            self.utterance.name,
            self.text,
            self.utterance.reference,
            delays=self._delays(self.timed if timed else self.untimed),
            source_length=1000 * self.utterance.windows.length,
            reference_length=self.tokens(self.utterance.reference),
        )

    def published(self, length_adaptive: bool = False) -> float | None:
        """Average lagging as they print it, in seconds."""
        value = published_average_lagging(
            self._delays(self.timed),
            1000 * self.utterance.windows.length,
            self.tokens(self.utterance.reference),
            length_adaptive,
        )
        return None if value is None else value / 1000

    def _delays(self, spoken: Sequence[Spoken]) -> list[float]:
        """Milliseconds of every token."""
        return [1000 * said.delay for said in spoken for _ in range(self.tokens(said.text))]


def cell(
    row: tuple[str, str, Mapping[str, Any]],
    pair: str,
    utterances: Sequence[DecodedUtterance],
    window: float,
    profile: str,
    tokens: Callable[[str], int],
    spoke: Callable[[DecodedUtterance], None] = lambda utterance: None,
) -> CellResult:
    """One cell: a row of the table on the utterances of a language pair.

    tokens: counts the tokens of a text. spoke: told of every utterance that is done.
    """
    title, name, args = row
    policy = make_policy(name, args)
    assert isinstance(policy, (SegmentPolicy, Offline))
    said = []
    for utterance in utterances:
        timed, untimed = (
            speak(policy, utterance.windows, window, profile == "faithful", timed) for timed in (True, False)
        )
        said.append(_Said(utterance, timed, untimed, tokens))
        spoke(utterance)
    bleu, chrf = quality_scores([s.text for s in said], [u.reference for u in utterances])[:2]
    with_computing, without = ([s.instance(timed) for s in said] for timed in (True, False))
    return CellResult(
        title,
        pair,
        window,
        profile,
        bleu.value,
        chrf.value,
        published=published_corpus_lagging([s.published() for s in said]),
        published_laal=published_corpus_lagging([s.published(length_adaptive=True) for s in said]),
        al=_corpus(AL, without),
        laal=_corpus(LAAL, without),
        yaal=_corpus(YAAL, without),
        al_ca=_corpus(AL, with_computing),
        laal_ca=_corpus(LAAL, with_computing),
        yaal_ca=_corpus(YAAL, with_computing),
        spoken=sum(s.early for s in said),
        utterances=len(said),
    )


def _corpus(metric: type[AL] | type[YAAL], instances: Sequence[Instance]) -> float | None:
    value = metric().corpus(instances).value
    return None if math.isnan(value) else value / 1000


def experiment(
    pairs: Mapping[str, Sequence[DecodedUtterance]],
    tokens: Callable[[str], int],
    windows: Sequence[float] = WINDOWS,
    profiles: Sequence[str] = PROFILES,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> list[CellResult]:
    """All cells: every row, language pair, window and profile.

    progress: told after every utterance of every cell how many are done, how many there are, and which it was.
    """
    results: list[CellResult] = []
    total = sum(map(len, pairs.values())) * len(profiles) * len(windows) * len(ROWS)
    done = 0
    for profile, (pair, utterances), window, row in product(profiles, pairs.items(), windows, ROWS):
        place = f"{pair}, {window:g} s, {profile}: {row[0]}"

        def spoke(utterance: DecodedUtterance, place: str = place) -> None:
            nonlocal done
            done += 1
            progress(done, total, f"{place}, {utterance.name}")

        results.append(cell(row, pair, utterances, window, profile, tokens, spoke))
    return results
