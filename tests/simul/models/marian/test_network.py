"""The network against its mathematics written plainly, for every depth, file form and kind of vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simul.errors import ModelMissingError
from simul.models.marian.binary import read_binary
from simul.models.marian.network import Decoder, Encoder, Memory
from tests.simul.models.marian import tiny

SOURCE, TARGET = [5, 9, 2, 17, 0], [3, 8, 1, 8]


def forced(encoder: Encoder, decoder: Decoder, source: list[int], target: list[int]) -> tuple[Any, Any]:
    """Logits and attention after each beginning of `target`."""
    memory, states = Memory(decoder, [encoder(source)]), decoder.start()[None]
    logits, shares = [], []
    for at, previous in enumerate([-1, *target]):
        hidden, states, share = decoder.step(
            np.array([previous]), np.array([at]), states, memory, np.array([0])
        )
        logits.append(decoder.logits(hidden, None)[0])
        shares.append(share[0])
    return np.array(logits), np.array(shares)


@pytest.mark.parametrize(
    ("form", "target", "encoder", "decoder"),
    [("float", None, 2, 2), ("int8", None, 6, 2), ("alphas", 20, 3, 4), ("int8", 20, 1, 1)],
)
def test_logits_and_alignment_are_those_of_the_formulas(
    tmp_path: Path, form: str, target: int | None, encoder: int, decoder: int
) -> None:
    made = tiny.weights(30, target, encoder, decoder, seed=encoder)
    tiny.write_binary(tmp_path / "model.bin", made, form)
    arrays, config = read_binary(tmp_path / "model.bin")
    logits, shares = forced(Encoder(arrays, config, "m"), Decoder(arrays, config, "m"), SOURCE, TARGET)
    wanted, attention = tiny.plain(made, SOURCE, TARGET)
    np.testing.assert_allclose(logits, wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(shares, attention, atol=1e-4)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("begin", [0, 1, 3])
def test_known_pieces_at_once_are_single_steps(tmp_path: Path, begin: int) -> None:
    tiny.write_binary(tmp_path / "model.bin", tiny.weights(30), "int8")
    arrays, config = read_binary(tmp_path / "model.bin")
    encoder, decoder = Encoder(arrays, config, "m"), Decoder(arrays, config, "m")
    memory, state = Memory(decoder, [encoder([7, 0]), encoder(SOURCE)]), decoder.start()[None]
    before, found, source = np.array([-1, *TARGET]), [], np.array([1])
    for at in range(len(before)):
        hidden, state, share = decoder.step(before[at : at + 1], np.array([at]), state, memory, source)
        found.append((hidden[0], state[0], share[0]))
    begun = found[begin - 1][1] if begin else decoder.start()
    for single, whole in zip(
        zip(*found[begin:], strict=True),
        decoder.follow(before[begin:], begin, begun, memory, 1),
        strict=True,
    ):
        np.testing.assert_array_equal(np.array(single), whole)


def test_the_model_says_which_layer_aligns(tmp_path: Path) -> None:
    made = tiny.weights(30)
    shares: list[NDArray[np.float32]] = []
    for layer in ("last", "1", "2"):
        tiny.write_binary(tmp_path / "model.bin", made, options={"transformer-guided-alignment-layer": layer})
        arrays, config = read_binary(tmp_path / "model.bin")
        shares.append(forced(Encoder(arrays, config, "m"), Decoder(arrays, config, "m"), SOURCE, TARGET)[1])
    np.testing.assert_array_equal(shares[0], shares[2])
    assert np.abs(shares[0] - shares[1]).max() > 0.01
    with pytest.raises(ModelMissingError, match="no layer 3"):
        Decoder(arrays, {**config, "transformer-guided-alignment-layer": "3"}, "m")


def test_some_scores_are_those_of_all(tmp_path: Path) -> None:
    tiny.write_binary(tmp_path / "model.bin", tiny.weights(30))
    arrays, config = read_binary(tmp_path / "model.bin")
    decoder = Decoder(arrays, config, "m")
    hidden = np.random.default_rng(1).normal(size=(3, tiny.WIDTH)).astype(np.float32)
    some = np.array([0, 7, 29])
    np.testing.assert_array_equal(decoder.logits(hidden, some), decoder.logits(hidden, None)[:, some])


def test_a_source_is_encoded_once(tmp_path: Path) -> None:
    tiny.write_binary(tmp_path / "model.bin", tiny.weights(30))
    encoder = Encoder(*read_binary(tmp_path / "model.bin"), "m")
    assert encoder(SOURCE) is encoder(list(SOURCE))
    assert not encoder(SOURCE).flags.writeable


def test_a_missing_weight_is_named(tmp_path: Path) -> None:
    made = tiny.weights(30)
    del made["decoder_l2_context_Wq"]
    tiny.write_binary(tmp_path / "model.bin", made)
    arrays, config = read_binary(tmp_path / "model.bin")
    with pytest.raises(ModelMissingError, match="decoder_l2_context_Wq"):
        Decoder(arrays, config, "m")
