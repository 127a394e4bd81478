"""Reading chosen heads of cross-attention beside the fused kernel."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="attention is torch's")
pytest.importorskip("transformers", reason="the attention function is registered with transformers")

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from simul.decoding.attention import NAME, Capture, attend, register

HEADS = {1: torch.tensor([2, 0]), 3: torch.tensor([1])}


def tensors(seed: int, queries: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return (
        torch.randn((2, 3, queries, 8), generator=made),
        torch.randn((2, 3, 5, 8), generator=made),
        torch.randn((2, 3, 5, 8), generator=made),
    )


def layer(index: int, causal: bool = False) -> torch.nn.Module:
    return SimpleNamespace(layer_idx=index, is_decoder=True, is_causal=causal, training=False)  # type: ignore[return-value]


def test_heads_are_read_in_their_layers_and_attention_stays_what_it_is() -> None:
    mask = torch.tensor([5, 3])[:, None, None, None] > torch.arange(5)
    capture, newest = Capture(HEADS, mask), Capture(HEADS, mask, newest=True)
    expected = []
    for index in range(4):
        query, key, value = tensors(index)
        for one in (capture, newest):
            found, _ = attend(layer(index), query, key, value, None, 0.5, capture=one)
        scores = (0.5 * query @ key.transpose(2, 3)).masked_fill(~mask, -torch.inf)
        torch.testing.assert_close(found, (scores.softmax(-1) @ value).transpose(1, 2))
        if index in HEADS:
            expected.append(scores[:, HEADS[index]])
    torch.testing.assert_close(capture.scores(), torch.cat(expected, dim=1))
    torch.testing.assert_close(newest.scores(), torch.cat(expected, dim=1)[:, :, -1:])
    mean = torch.cat(expected, dim=1)[:, :, -1].softmax(-1).mean(1)
    torch.testing.assert_close(capture.mean(), mean)
    torch.testing.assert_close(newest.mean(), mean)
    assert (capture.mean()[1, 3:] == 0).all()


def test_self_attention_is_not_read_and_keeps_its_mask() -> None:
    query, key, value = tensors(7, queries=5)
    capture = Capture({0: torch.tensor([0])}, torch.zeros((2, 1, 1, 5), dtype=torch.bool))
    mask = torch.ones((5, 5), dtype=torch.bool).tril()[None, None]
    found, _ = attend(layer(0, causal=True), query, key, value, mask, 1.0, capture=capture)
    scores = (query @ key.transpose(2, 3)).masked_fill(~mask, -torch.inf)
    torch.testing.assert_close(found, (scores.softmax(-1) @ value).transpose(1, 2))
    assert capture._scores == []


def test_what_a_layer_and_its_caller_say_more_reaches_the_fused_kernel() -> None:
    """Heads of keys that serve several of queries each, and a mask that is only told."""
    query, key, value = tensors(3, queries=5)
    query, key, value = torch.cat([query, query[:, :1]], dim=1), key[:, :2], value[:, :2]
    shared = layer(0, causal=True)
    shared.num_key_value_groups = 2  # type: ignore[assignment]
    found, _ = attend(shared, query, key, value, None, 1.0, is_causal=False)
    key, value = key.repeat_interleave(2, dim=1), value.repeat_interleave(2, dim=1)
    scores = query @ key.transpose(2, 3)
    torch.testing.assert_close(found, (scores.softmax(-1) @ value).transpose(1, 2))


def test_a_model_finds_the_attention_and_its_masks_by_the_name() -> None:
    AttentionInterface.register(NAME, sdpa_attention_forward)
    AttentionMaskInterface.register(NAME, eager_mask)
    name = register()
    assert AttentionInterface()[name] is attend
    assert AttentionMaskInterface()[name] is sdpa_mask
