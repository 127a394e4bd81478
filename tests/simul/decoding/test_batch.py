"""The state of several texts: caches, their reuse, and rows that go on from others."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="decoding needs torch")
pytest.importorskip("transformers", reason="decoding needs the caches of transformers")

import torch

from simul.decoding.attention import Capture
from simul.decoding.batch import Batch, KeyValues, cross_cache, cross_keys, run_layers
from tests.simul.decoding.scripted import SIZE, ScriptedDecoder, elsewhere, kept


def told(number: int, seen: tuple[int, ...]) -> tuple[list[float], int]:
    """Logits that spell the text's number and what was seen."""
    return [float(number), *map(float, seen), *[-1.0] * (SIZE - 1 - len(seen))], 0


def seen(batch: Batch) -> list[list[int]]:
    """The number of each row's text and its tokens."""
    return [[int(value) for value in row if value >= 0] for row in batch.logits]


def test_rows_are_fed_go_on_from_others_and_leave() -> None:
    decoder = ScriptedDecoder(told)
    batch = Batch(decoder, [(1, 2), (3,), (4, 5, 6)], [kept(7, 2), kept(8, 4), kept(9, 3, content=1)])
    assert seen(batch) == [[7, 1, 2], [8, 3], [9, 4, 5, 6]]
    assert batch.contents == [2, 4, 1]
    assert batch.attention.shape == (3, 4)
    assert [(row > 0).sum().item() for row in batch.attention] == [2, 4, 3]
    batch.feed(torch.tensor([0, 1, 2]))
    assert seen(batch) == [[7, 1, 2, 0], [8, 3, 1], [9, 4, 5, 6, 2]]
    batch.select(torch.tensor([2, 0, 2]))
    assert seen(batch) == [[9, 4, 5, 6, 2], [7, 1, 2, 0], [9, 4, 5, 6, 2]]
    batch.feed(torch.tensor([1, 2, 3]))
    batch.reorder(torch.tensor([2, 1, 0]))
    batch.feed(torch.tensor([4, 4, 5]))
    assert seen(batch) == [[9, 4, 5, 6, 2, 3, 4], [7, 1, 2, 0, 2, 4], [9, 4, 5, 6, 2, 1, 5]]
    assert [(row > 0).sum().item() for row in batch.attention] == [3, 2, 3]


def test_a_text_that_is_new_stands_beside_one_of_which_much_is_kept() -> None:
    old = kept(1)
    Batch(ScriptedDecoder(told), [(1, 2, 3, 4)], [old]).remember(0, 0, (1, 2, 3, 4))
    decoder = ScriptedDecoder(told)
    assert seen(Batch(decoder, [(1, 2, 3, 4, 0), (5,)], [old, kept(2)])) == [[1, 1, 2, 3, 4, 0], [2, 5]]
    assert decoder.fed == [(2, 1)]


def test_tensors_are_made_on_the_device_of_the_decoder() -> None:
    texts = [kept(7, 2), kept(8, 4)]
    with elsewhere():
        batch = Batch(ScriptedDecoder(told), [(1, 2), (3,)], texts)
        batch.remember(0, 0, (1, 2))
        batch.feed(torch.tensor([0, 1], device="cpu"))
        alone = Batch(ScriptedDecoder(told, crosses=False), [(1, 2), (3,)])
    assert seen(batch) == [[7, 1, 2, 0], [8, 3, 1]]
    assert seen(alone) == [[0, 1, 2], [0, 3]]
    assert (alone.attention.shape, alone.attention.device.type, alone.contents) == ((2, 0), "cpu", [0, 0])


def test_what_is_kept_of_a_text_is_not_fed_again_and_the_last_token_always_is() -> None:
    texts = [kept(1), kept(2)]
    batch = Batch(ScriptedDecoder(told), [(1, 2, 3, 4), (5, 6)], texts)
    batch.remember(0, 0, (1, 2, 3, 4))
    batch.remember(1, 1, (5, 6))
    for asked, fed in (
        ([(1, 2, 3, 4), (5, 6)], 1),
        ([(1, 2, 3, 0, 0), (5, 6, 0)], 2),
        ([(1, 2, 3, 4, 0), (0,)], 1),
        ([(1, 2, 3, 4, 0, 0), (0, 0, 0, 0)], 4),
        ([(1,), (5,)], 1),
    ):
        decoder = ScriptedDecoder(told)
        again = Batch(decoder, asked, texts)
        assert decoder.fed == [(2, fed)]
        assert seen(again) == [[number, *ids] for number, ids in enumerate(asked, start=1)]
    assert [text.ids for text in texts] == [(1, 2, 3, 4), (5, 6)]


def test_frames_are_masked_only_where_some_text_has_fewer() -> None:
    _, mask = cross_cache([kept(1, 3), kept(2, 3)])
    assert mask is None
    cache, mask = cross_cache([kept(1, 2), kept(2, 4)])
    assert mask is not None
    assert mask[:, 0, 0].tolist() == [[True, True, False, False], [True] * 4]
    assert cache.layers[0].keys.shape == (2, 1, 4, 10)


def test_the_frames_of_one_text_alone_are_not_copied() -> None:
    text = KeyValues(torch.rand((1, 2, 3, 5, 10)), 5)
    cache, _ = cross_cache([text])
    assert torch.equal(cache.layers[0].keys, text.cross[:, 0])
    assert torch.equal(cache.layers[0].values, text.cross[:, 1])
    assert cache.layers[0].keys.data_ptr() == text.cross.data_ptr()


def test_keys_and_values_of_encoder_frames_are_those_of_each_layer() -> None:
    torch.manual_seed(0)
    layers = [
        SimpleNamespace(k_proj=torch.nn.Linear(6, 6), v_proj=torch.nn.Linear(6, 6), num_heads=2)
        for _ in range(3)
    ]
    hidden = torch.randn(5, 6)
    found = cross_keys(layers, hidden)
    assert found.shape == (3, 2, 2, 5, 3)
    for index, layer in enumerate(layers):
        for which, project in enumerate((layer.k_proj, layer.v_proj)):
            expected = project(hidden)
            torch.testing.assert_close(found[index, which, 1], expected[:, 3:])
            torch.testing.assert_close(found[index, which, 0], expected[:, :3])


def test_layers_run_in_order_with_masks_caches_and_capture_and_are_told_that_there_is_an_encoder() -> None:
    told: list[tuple[object, ...]] = []

    def layer(
        hidden: torch.Tensor,
        mask: object,
        encoded: torch.Tensor,
        other: object,
        cache: object,
        *,
        capture: object,
    ) -> torch.Tensor:
        told.append((mask, encoded.shape, other, cache, capture))
        return hidden * 10 + len(told)

    decoder = SimpleNamespace(layers=[layer, layer], layer_norm=lambda hidden: hidden + 0.5)
    hidden, mask, cache, capture = torch.ones((3, 2, 4)), torch.ones(1), object(), Capture({})
    found = run_layers(decoder, hidden, mask, cache, capture)  # type: ignore[arg-type]
    assert torch.equal(found, torch.full((3, 2, 4), 112.5))
    assert told == [(mask, (0, 2, 4), None, cache, capture)] * 2
