"""The network in torch: states continue a text exactly, the scan and the loss equal their plain forms, tables move."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from simul.training.student.loss import Candidates, SmoothedLoss
from simul.training.student.network import Scan, StudentDecoder, StudentEncoder, greedy, mask_of
from simul.training.student.start import piece_rows, read_start, with_table


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32))


@pytest.fixture(scope="module")
def parts(student: Path) -> tuple[StudentEncoder, StudentDecoder]:
    start = read_start(student)
    return StudentEncoder(start.encoder, start.heads), StudentDecoder(start.decoder, start.heads)


def test_sizes_come_from_the_weights(parts: tuple[StudentEncoder, StudentDecoder]) -> None:
    encoder, decoder = parts
    assert (encoder.layers, decoder.layers, encoder.width, encoder.heads) == (2, 1, 16, 8)


def test_padding_changes_nothing(parts: tuple[StudentEncoder, StudentDecoder]) -> None:
    encoder, _ = parts
    ids = torch.tensor([[5, 6, 7, 0]])
    padded = torch.cat([ids, torch.zeros(1, 3, dtype=torch.long)], 1)
    short = encoder(ids, mask_of(torch.tensor([4]), 4))
    long = encoder(padded, mask_of(torch.tensor([4]), 7))
    assert torch.allclose(short, long[:, :4], atol=1e-5)


@given(st.integers(1, 7))
def test_a_state_continues_a_text_as_if_it_were_read_whole(
    parts: tuple[StudentEncoder, StudentDecoder], cut: int
) -> None:
    encoder, decoder = parts
    mask = mask_of(torch.tensor([4]), 4)
    memory = encoder(torch.tensor([[5, 6, 7, 0]]), mask)
    previous = torch.tensor([[-1, 3, 8, 2, 9, 4, 4, 11]])
    whole, last = decoder(previous, memory, mask)
    _, state = decoder(previous[:, :cut], memory, mask)
    rest, end = decoder(previous[:, cut:], memory, mask, state, cut)
    assert torch.allclose(whole[:, cut:], rest, atol=1e-5)
    assert torch.allclose(last[0], end[0], atol=1e-5)


def test_greedy_takes_the_best_piece_each_time(parts: tuple[StudentEncoder, StudentDecoder]) -> None:
    encoder, decoder = parts
    source, lengths = torch.tensor([[5, 6, 7, 0], [8, 0, 0, 0]]), torch.tensor([4, 2])
    eos = 0
    found = greedy(encoder, decoder, source, lengths, eos)
    for row, text in enumerate(found):
        mask = mask_of(lengths[row : row + 1], 4)
        hidden, _ = decoder(torch.tensor([[-1, *text]]), encoder(source[row : row + 1], mask), mask)
        best = decoder.logits(hidden)[0].argmax(-1).tolist()
        assert best[: len(text)] == text
        assert len(text) == 12 or best[len(text)] == eos


@given(st.integers(2, 6), st.integers(0, 99))
def test_the_scan_and_its_gradient_are_those_of_the_plain_loop(length: int, seed: int) -> None:
    forget, new, weigh = (
        torch.sigmoid(_random(2, length, 3, seed=seed)),
        _random(2, length, 3, seed=seed + 1),
        _random(2, length, 3),
    )
    grads = []
    for plain in (True, False):
        f, u = forget.clone().requires_grad_(), new.clone().requires_grad_()
        if plain:
            cells = [u[:, 0]]
            for t in range(1, length):
                cells.append(f[:, t] * cells[-1] + u[:, t])
            out = torch.stack(cells, 1)
        else:
            out = Scan.apply(f, u)
        (out * weigh).sum().backward()
        grads.append((out.detach(), f.grad[:, 1:], u.grad))
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_the_loss_and_its_gradient_are_those_of_torch() -> None:
    labels = torch.tensor([3, 0, 6, 6, 2])
    results = []
    for own in (True, False):
        hidden, table, bias = (
            x.requires_grad_() for x in (_random(5, 4), _random(7, 4, seed=1), _random(7, seed=2))
        )
        if own:
            loss = SmoothedLoss.apply(hidden, table, bias, labels, 0.1, 2)
        else:
            scores = hidden @ table.T + bias
            loss = torch.nn.functional.cross_entropy(scores, labels, reduction="sum", label_smoothing=0.1)
        (3 * loss).backward()
        results.append((loss.detach(), hidden.grad, table.grad, bias.grad))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@given(st.lists(st.integers(0, 49), min_size=1, max_size=30), st.integers(0, 60), st.integers(0, 99))
def test_candidates_hold_labels_and_frequent_pieces_and_count_all(
    labels: list[int], drawn: int, seed: int
) -> None:
    choice = Candidates.of(np.arange(50.0), 5, drawn)
    pieces, added, places = choice.choose(np.array(labels), np.random.default_rng(seed))
    assert len(set(pieces.tolist())) == len(pieces)
    assert pieces[places].tolist() == labels
    assert {45, 46, 47, 48, 49} <= set(pieces.tolist())
    if drawn:
        assert np.exp(added).sum() == pytest.approx(50, rel=1e-5)


def test_a_new_table_starts_from_the_pieces_that_spell_its_own(student: Path, run: Path) -> None:
    from simul.training.student.start import processor

    start, german = read_start(student), processor(run / "de.model")
    rows = piece_rows(german, start.target)
    made = with_table(start.decoder, rows)
    old = start.decoder["decoder_Wemb"]
    assert len(made["decoder_Wemb"].values) == german.get_piece_size() == len(made["decoder_ff_logit_out_b"])
    for index, ids in enumerate(rows):
        expected = old.rows(np.array(ids)).mean(0)
        assert np.allclose(made["decoder_Wemb"].rows(np.array([index]))[0], expected, atol=1e-6)
    same = next(
        i for i in range(german.get_piece_size()) if start.target.piece_to_id(german.id_to_piece(i)) > 2
    )
    assert rows[same] == [start.target.piece_to_id(german.id_to_piece(same))]
    assert rows[german.eos_id()] == [start.target.eos_id()]
