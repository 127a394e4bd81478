"""Attention policies on Whisper on torch: sessions, stop rules, batches of streams, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the torch backend needs torch")
pytest.importorskip("transformers", reason="the torch backend needs transformers")
pytest.importorskip("faster_whisper", reason="the torch backend uses faster-whisper's front end")

import soundfile

from policies import make_policy
from policies.base import Candidate, Decision, Evidence, Need, Policy, StopRule
from simul.backends.base import DecodeRequest
from simul.backends.families import ModelConfig, load_backend
from simul.backends.whisper import WhisperBackend
from simul.backends.whisper_recognizer import WhisperRecognizer
from simul.clock import VirtualClock
from simul.errors import EvidenceError
from simul.models.whisper.ctranslate2 import WhisperModel
from simul.models.whisper.features import STEP
from simul.models.whisper.torch import TorchWhisper
from simul.session import Session, SessionConfig
from simul.session.events import End, Retract, SegmentEnd, Settled
from tests.simul.backends.test_whisper import ask, settled, stream, text
from tests.simul.scripted_cli import command
from tests.simul.tone_speech import Loud, talk, utterances
from tests.tiny_models import ENGLISH, RATE

pytestmark = pytest.mark.usefixtures("one_torch_thread")
CLIP = Path(__file__).parents[1] / "clips" / "lj001-0008.flac"
ATTENTIVE = (
    "align-att(distance_ms=300)",
    "align-att(distance_ms=300, normalize=none)",
    "edatt(alpha=0.6)",
    "stream-att(align-att(distance_ms=300), keep=2)",
    "token-confidence(threshold=0.5)",
)


@pytest.fixture(scope="session")
def model(torch_whisper: Path) -> TorchWhisper:
    return TorchWhisper(torch_whisper, "cpu", window="bucket")


@pytest.fixture
def backend(model: TorchWhisper) -> WhisperBackend:
    return WhisperBackend(model, activity=None)


def run(
    policy: Policy, backend: WhisperBackend, audio: np.ndarray, chunk: int = 4800, feed: int = 10**9
) -> list[Any]:
    session = Session(policy, backend, VirtualClock(), SessionConfig("de", "en", chunk=chunk))
    events: list[Any] = []
    for begin in range(0, len(audio), feed):
        events += session.feed(audio[begin : begin + feed])
    return events + session.finish()


def test_the_backend_provides_what_the_model_shows(torch_whisper: Path, backend: WhisperBackend) -> None:
    assert {Need.ALIGNMENT, Need.SPANS, Need.LOGPROBS} <= backend.provides
    assert not {Need.BEAMS, Need.SEGMENTS} & backend.provides
    wide = WhisperBackend(
        TorchWhisper(torch_whisper, "cpu", beam=3, window="bucket"), timestamps=True, activity=Loud
    )
    assert {Need.BEAMS, Need.ACTIVITY, Need.SEGMENTS, Need.ALIGNMENT} <= wide.provides
    _, audio, _ = utterances(1, seed=20)[0]
    found = ask(wide, stream(wide, audio))
    assert found.segments
    assert found.alignment is not None
    assert len(found.alignment.weights) == len(found.tokens)
    other = WhisperBackend(WhisperModel(torch_whisper.parent / "ctranslate2", "cpu", "float32", threads=1))
    with pytest.raises(EvidenceError, match="align-bridge"):
        Session(make_policy("align-att"), other, VirtualClock())
    beams = WhisperBackend(TorchWhisper(torch_whisper, "cpu", beam=3, window="bucket"), activity=None)
    found = ask(beams, stream(beams, audio))
    assert len(found.beams) == 2
    assert found.tokens not in found.beams


def test_attention_follows_the_words_from_the_window_s_beginning(backend: WhisperBackend) -> None:
    errors = []
    for words, audio, truth in utterances(6, seed=21):
        for cut in (0, int(truth[0, 1])):
            handle = stream(backend, audio)
            if cut:
                backend.trim(handle, cut)
            found = ask(backend, handle)
            alignment = found.alignment
            assert alignment is not None
            assert (alignment.frame, alignment.origin) == (STEP, cut)
            assert alignment.weights.shape == (len(found.tokens), -(-(len(audio) - cut) // STEP))
            assert alignment.weights.dtype == np.float32
            assert (alignment.weights.sum(1) <= 1 + 1e-4).all()
            assert text(found) == [ENGLISH[w] for w in words[cut > 0 :]]
            starts = [i for i, token in enumerate(found.tokens) if token.startswith(" ")]
            middle = cut + (alignment.weights[starts].argmax(1) + 0.5) * STEP
            errors += list(np.abs(middle - truth[cut > 0 :].mean(1)))
    assert max(errors) < 0.2 * RATE


@pytest.mark.parametrize("expression", ATTENTIVE)
def test_sessions_settle_what_was_said_and_keep_their_promises(model: TorchWhisper, expression: str) -> None:
    audio, said = talk(22, 2)
    backend = WhisperBackend(model, activity=Loud)
    events = run(make_policy(expression), backend, audio)
    segments = [e for e in events if isinstance(e, SegmentEnd)]
    words = " ".join(e.text for e in segments).split()
    assert words == [ENGLISH[w] for w in said]
    assert settled(events).split() == words
    assert not any(isinstance(e, Retract) for e in events)
    heard = [e.heard for e in events if isinstance(e, Settled)]
    assert heard == sorted(heard)
    assert heard[0] < segments[0].end, "nothing was settled before the first pause"
    end = events[-1]
    assert isinstance(end, End)
    assert (end.heard, end.skipped, end.bad_samples) == (len(audio), 0, 0)
    cut = run(make_policy(expression), backend, audio, feed=1777)
    assert [e for e in cut if e.type != "lag"] == [e for e in events if e.type != "lag"]


def test_align_att_that_waits_for_more_than_there_is_is_offline(model: TorchWhisper) -> None:
    audio, _ = talk(23, 2)
    backend = WhisperBackend(model, activity=Loud)
    texts = {
        expression: [
            e.text for e in run(make_policy(expression), backend, audio) if isinstance(e, SegmentEnd)
        ]
        for expression in ("offline", "align-att(distance_ms=30000)")
    }
    assert len({tuple(t) for t in texts.values()}) == 1


class NoStops(WhisperBackend):
    """Ignores stop rules, as a backend may; the policy then judges whole candidates."""

    def decode(self, requests: Sequence[DecodeRequest]) -> list[Candidate]:
        from dataclasses import replace

        return super().decode([replace(request, stop=None) for request in requests])


@pytest.mark.parametrize(
    "expression",
    [
        "align-att(distance_ms=100, normalize=none)",
        "align-att(distance_ms=400, normalize=none, words=false)",
        "align-att(distance_ms=800, normalize=none)",
        "token-confidence(threshold=0.8)",
        "token-confidence(threshold=0.99, words=false)",
    ],
)
def test_a_stop_rule_settles_what_judging_the_whole_candidate_settles(
    model: TorchWhisper, expression: str
) -> None:
    policy = make_policy(expression)
    shorter = 0
    for _, audio, _ in utterances(3, seed=24, words=5):
        found: dict[type, list[Any]] = {}
        lengths: dict[type, int] = {}
        for kind in (WhisperBackend, NoStops):
            seen: list[int] = []
            backend = kind(model, activity=None)
            events = run(_Watched(policy, seen), backend, audio)
            found[kind] = [(e.tokens, e.heard, e.reason) for e in events if isinstance(e, Settled)]
            lengths[kind] = sum(seen)
        assert found[WhisperBackend] == found[NoStops]
        shorter += lengths[WhisperBackend] < lengths[NoStops]
    assert shorter


class _Watched(Policy):
    """Another policy, noting how long the candidates are."""

    def __init__(self, inner: Policy, seen: list[int]) -> None:
        self._inner, self._seen = inner, seen
        self.name = inner.name  # type: ignore[misc]

    def start(self) -> Any:
        return self._inner.start()

    def plan(self, state: Any, source: Any) -> Any:
        return self._inner.plan(state, source)

    def judge(self, state: Any, evidence: Evidence) -> tuple[Any, Decision]:
        self._seen.append(len(evidence.candidate.tokens))
        return self._inner.judge(state, evidence)


def test_a_stopped_candidate_shows_its_last_token_but_does_not_offer_it(backend: WhisperBackend) -> None:
    _, audio, _ = utterances(1, seed=25)[0]
    handle = stream(backend, audio)
    whole = ask(backend, handle)
    found = ask(backend, handle, stop=StopRule(at_frame=RATE))
    assert found.tokens == whole.tokens[: len(found.tokens)]
    assert len(found.tokens) < len(whole.tokens)
    assert found.committable == found.limit == len(found.tokens) - 1
    assert not found.ended
    assert whole.committable is None


def test_streams_decoded_together_get_what_they_get_alone(torch_whisper: Path) -> None:
    for window, timestamps in (("bucket", False), ("padded", True)):
        backend = WhisperBackend(TorchWhisper(torch_whisper, "cpu", window=window), timestamps, activity=None)
        tokens = backend.model.tokens

        def requests(
            backend: WhisperBackend = backend, encode: Callable[..., Any] = tokens.encode
        ) -> list[DecodeRequest]:
            made = []
            for number, (_, audio, _) in enumerate(utterances(4, seed=26)):
                handle = stream(backend, audio[: len(audio) - 3000 * number], "de", ("de", "en")[number % 2])
                prefix = encode(" blue house"[: 5 + 6 * (number // 2)]) if number % 2 else ()
                made.append(
                    DecodeRequest(
                        handle,
                        0,
                        backend.view(handle),
                        prefix=backend.model.tokens.surfaces(prefix),
                        prefix_ids=prefix,
                        context_ids=encode(" red") if number == 2 else (),
                        stop=StopRule(at_frame=RATE // 3) if number == 1 else None,
                    )
                )
            return made

        batch = backend.decode(requests())
        for together, request in zip(batch, requests(), strict=True):
            alone = backend.decode([request])[0]
            assert (together.ids, together.ended, together.limit) == (alone.ids, alone.ended, alone.limit)
            places = [
                [(s.start, s.end, s.text, s.tokens) for s in found.segments or ()]
                for found in (together, alone)
            ]
            assert places[0] == places[1]
            np.testing.assert_allclose(together.logprobs, alone.logprobs, atol=1e-4)
            np.testing.assert_array_equal(together.spans, alone.spans)
            assert together.alignment is not None
            assert alone.alignment is not None
            np.testing.assert_allclose(together.alignment.weights, alone.alignment.weights, atol=1e-5)


def test_the_recogniser_of_a_cascade_hears_the_same_on_torch_and_ctranslate2(
    model: TorchWhisper, torch_whisper: Path
) -> None:
    audio, _ = talk(27, 2)
    other = WhisperModel(torch_whisper.parent / "ctranslate2", "cpu", "float32", threads=1, window="bucket")
    heard = []
    for network in (model, other):
        recognizer = WhisperRecognizer(network, "de", activity=Loud)
        recognizer.push(audio)
        found = recognizer.finish()
        heard.append([(w.text, w.start_sample, w.end_sample) for u in found for w in u.words])
    assert heard[0] == heard[1]
    assert len(heard[0]) >= 5


def test_a_transformers_folder_serves_the_command_line_with_attention_policies(
    torch_whisper: Path, tmp_path: Path
) -> None:
    audio, said = talk(28, 2)
    soundfile.write(tmp_path / "talk.wav", audio, RATE, subtype="FLOAT")
    backends: list[WhisperBackend] = []

    def hears_tones(*given: Any, **more: Any) -> Any:
        loaded = load_backend(*given, **more)
        loaded.backend.activity = Loud
        backends.append(loaded.backend)
        return loaded

    options = (
        "--model",
        torch_whisper,
        "--source",
        "de",
        "--target",
        "en",
        "--threads",
        1,
        "--chunk-ms",
        500,
    )
    for policy in ("align-att", "edatt(alpha=0.6)", "stream-att(align-att(distance_ms=300), keep=2)"):
        given = ("translate", tmp_path / "talk.wav", *options, "--policy", policy)
        code, out, err = command(*given, loader=hears_tones)
        assert (code, "Traceback" in err) == (0, False)
        assert out.split() == settled(run(make_policy(policy), backends[-1], audio, chunk=8000)).split()
        assert set(out.split()) & {ENGLISH[w] for w in said}
        assert "translation into English" in err


def test_the_command_line_runs_on_speech_as_a_folder_comes(torch_whisper: Path) -> None:
    given = (
        "translate",
        CLIP,
        "--model",
        torch_whisper,
        "--target",
        "en",
        "--threads",
        1,
        "--policy",
        "align-att",
    )
    code, out, _ = command(*given, "--format", "json", loader=load_backend)
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert (code, kinds[0], kinds[-1]) == (0, "start", "end")
    assert "settled" in kinds


def test_a_cascade_takes_a_transformers_folder_as_recogniser(torch_whisper: Path) -> None:
    loaded = load_backend(ModelConfig(asr=str(torch_whisper), device="cpu", threads=1), "de", "de", [])
    assert loaded.backend.limits.sources == {"de"}
    recognizer = loaded.backend.make_recognizer()  # type: ignore[attr-defined]
    assert isinstance(recognizer._model, TorchWhisper)
