"""Which attention heads a Whisper decoder shows."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the decoder is torch's")
pytest.importorskip("transformers", reason="the decoder's caches are those of transformers")

import torch

from simul.models.whisper.decoder import alignment_heads


def test_without_published_heads_all_of_the_last_half_of_the_layers_align() -> None:
    device = torch.device("cpu")
    listed = alignment_heads([(3, 5), (1, 0), (3, 2)], 4, 6, device)
    assert {layer: heads.tolist() for layer, heads in listed.items()} == {1: [0], 3: [5, 2]}
    default = alignment_heads(None, 5, 2, device)
    assert {layer: heads.tolist() for layer, heads in default.items()} == {
        2: [0, 1],
        3: [0, 1],
        4: [0, 1],
    }
