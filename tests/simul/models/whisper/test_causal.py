"""The causal encoder against the formulas written out over the whole window, in numpy."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime", reason="the encoder is computed by onnxruntime")

from simul.models.whisper.causal import CausalEncoder, CausalState
from simul.models.whisper.features import FFT, HOP, TAIL, log_energies, normalize
from tests.simul.models.whisper.toy import BANDS, HEADS, LAYERS, WIDTH, random_weights

RATE = 16_000


def masked(weights: dict[str, np.ndarray], samples: np.ndarray, block: int) -> np.ndarray:
    """States [frames, width] of a whole window and half a second of silence, frames seeing no later block."""
    content = len(samples) // HOP
    count = content + content % 2 + TAIL
    padded = np.pad(samples, (0, count * HOP + FFT))
    energies = log_energies(np.concatenate([padded[FFT // 2 : 0 : -1], padded]), BANDS)[:count]
    frames = count // 2
    x = np.zeros((frames, WIDTH))
    first, second = weights["encoder/conv1/weight"], weights["encoder/conv2/weight"]
    last, before = np.zeros((1, BANDS)), np.zeros((1, WIDTH))
    for begin in range(0, frames, block):
        end = min(begin + block, frames)
        own = normalize(energies[2 * begin : 2 * end + 1], float(energies[: 2 * end].max()))
        if 2 * end == count:
            own = np.concatenate([own, np.zeros((1, BANDS))])
        mel = np.concatenate([last, own])
        y = gelu(
            np.stack([np.einsum("ocs,sc->o", first, mel[i : i + 3]) for i in range(2 * (end - begin))])
            + weights["encoder/conv1/bias"]
        )
        wide = np.concatenate([before, y])
        x[begin:end] = gelu(
            np.stack([np.einsum("ocs,sc->o", second, wide[2 * i : 2 * i + 3]) for i in range(end - begin)])
            + weights["encoder/conv2/bias"]
        )
        last, before = own[-2:-1], y[-1:]
    x += weights["encoder/position_encodings/encodings"][:frames]
    place = np.arange(frames) // block
    seen = place[None] <= place[:, None]
    for layer in range(LAYERS):
        name = f"encoder/layer_{layer}/"
        x = x + attention(weights, x, name + "self_attention/", seen)
        h = norm(weights, x, name + "ffn/layer_norm")
        x = x + linear(weights, gelu(linear(weights, h, name + "ffn/linear_0")), name + "ffn/linear_1")
    return norm(weights, x, "encoder/layer_norm")


def attention(weights: dict[str, np.ndarray], x: np.ndarray, name: str, seen: np.ndarray) -> np.ndarray:
    joined = linear(weights, norm(weights, x, name + "layer_norm"), name + "linear_0")
    query, key, value = (part.reshape(len(x), HEADS, -1) for part in np.split(joined, 3, axis=1))
    scores = np.einsum("qhd,khd->hqk", query, key) / math.sqrt(WIDTH / HEADS)
    scores = np.where(seen, scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    found = np.einsum("hqk,khd->qhd", shares, value).reshape(len(x), WIDTH)
    return linear(weights, found, name + "linear_1")


def linear(weights: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    return x @ weights[name + "/weight"].T + weights[name + "/bias"]


def norm(weights: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * weights[name + "/gamma"] + weights[name + "/beta"]


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


WEIGHTS = random_weights()
ENCODERS: dict[int, CausalEncoder] = {}


def encoder(block: int) -> CausalEncoder:
    if block not in ENCODERS:
        ENCODERS[block] = CausalEncoder(WEIGHTS, "float32", 1, block)
    return ENCODERS[block]


def speech(seed: int, length: int) -> np.ndarray:
    """Noise whose loudness changes by powers of ten."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(10 ** rng.uniform(-5, 0, length // 2000 + 1), 2000)[:length]
    return (rng.normal(size=length) * loud).astype(np.float32)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 100),
    length=st.integers(0, 3 * RATE),
    block=st.sampled_from((1, 10, 25)),
    cuts=st.lists(st.integers(0, 3 * RATE), max_size=8),
    peeks=st.booleans(),
)
def test_streamed_equals_masked_offline_for_any_cutting(
    seed: int, length: int, block: int, cuts: list[int], peeks: bool
) -> None:
    samples, model = speech(seed, length), encoder(block)
    state, pieces = model.start(), []
    for piece in np.split(samples, sorted(min(c, length) for c in cuts)):
        model.push(state, piece)
        pieces.append(model.advance([state])[0])
        if peeks:
            model.peek(state)
    seen = model.peek(state)
    pieces.append(model.finish(state))
    np.testing.assert_allclose(pieces[-1], seen, atol=1e-5)
    np.testing.assert_allclose(np.concatenate(pieces), masked(WEIGHTS, samples, block), atol=1e-4)


def test_blocks_come_as_soon_as_their_look_ahead_is_there() -> None:
    model, samples = encoder(10), speech(1, RATE)
    state = model.start()
    need = 20 * HOP + FFT // 2
    model.push(state, samples[: need - 1])
    assert len(model.advance([state])[0]) == 0
    model.push(state, samples[need - 1 : need])
    assert len(model.advance([state])[0]) == 10
    assert need <= 10 * 320 + 0.03 * RATE


def test_what_came_out_does_not_depend_on_what_follows() -> None:
    model = encoder(10)
    quiet, loud = speech(2, RATE), 100 * speech(3, RATE)
    outs = []
    for rest in (quiet, loud):
        state = model.start()
        model.push(state, quiet)
        first = model.advance([state])[0]
        model.push(state, rest)
        model.advance([state])
        outs.append((first, state.keys[1][: len(first)]))
    for a, b in zip(*outs, strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=15)
@given(lengths=st.lists(st.integers(0, 2 * RATE), min_size=2, max_size=4), seed=st.integers(0, 50))
def test_windows_encoded_together_get_what_they_get_alone(lengths: list[int], seed: int) -> None:
    model = encoder(10)
    pieces = [[speech(seed + i, n), speech(seed + 10 + i, n // 2)] for i, n in enumerate(lengths)]
    together, alone = ([model.start() for _ in lengths] for _ in range(2))
    found: list[list[np.ndarray]] = [[] for _ in lengths]
    for part in range(2):
        for state, own in zip(together, pieces, strict=True):
            model.push(state, own[part])
        for out, fresh in zip(found, model.advance(together), strict=True):
            out.append(fresh)
    for state, own, out in zip(alone, pieces, found, strict=True):
        model.push(state, np.concatenate(own))
        np.testing.assert_allclose(np.concatenate(out), model.advance([state])[0], atol=1e-4)


def test_a_stored_state_goes_on_where_it_was() -> None:
    model, samples = encoder(10), speech(4, RATE)
    state = model.start()
    model.push(state, samples)
    model.advance([state])
    stored: dict[str, Any] = asdict(state)
    assert all(isinstance(v, (np.ndarray, tuple, int, float)) for v in stored.values())
    other = CausalState(**stored)
    ends = []
    for each in (state, other):
        model.push(each, samples)
        ends.append(np.concatenate([model.advance([each])[0], model.finish(each)]))
    np.testing.assert_array_equal(ends[0], ends[1])


def test_work_for_a_second_is_the_same_late_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = encoder(25), []
    real = CausalEncoder._encode

    def counted(self: CausalEncoder, states: Any, count: int) -> Any:
        rows.append(count)
        return real(self, states, count)

    monkeypatch.setattr(CausalEncoder, "_encode", counted)
    state, samples = model.start(), speech(5, RATE)
    per_second = []
    for _ in range(6):
        model.push(state, samples)
        model.advance([state])
        per_second.append(sum(rows))
        rows.clear()
    assert per_second[1:] == [50] * 5
