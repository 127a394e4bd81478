"""Runs: resumed exactly, finite, refused where they do not fit; what is exported is what the run time computes with."""

from __future__ import annotations

import math
from collections import ChainMap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from simul.errors import ModelMissingError, SimulError, UsageError
from simul.models.whisper.causal import CausalEncoder
from simul.models.whisper.features import STEP, TAIL
from simul.models.whisper.live import live_encoder
from simul.models.whisper.weights import FileWeights
from simul.training.causal_whisper.augment import augment
from simul.training.causal_whisper.export import export
from simul.training.causal_whisper.loss import WHOLE, SoundBatch, distance, distances
from simul.training.causal_whisper.network import BlockEncoder
from simul.training.causal_whisper.score import score_states
from simul.training.causal_whisper.teacher import read_teacher
from simul.training.causal_whisper.trainer import DistillationConfig, Distiller
from tests.simul.training.causal_whisper.toy import noise, write_model

pytestmark = pytest.mark.usefixtures("one_torch_thread")
TINY = DistillationConfig(
    steps=6, rate=1e-3, warmup_steps=2, audio=4.0, shortest=20, longest=60, layers=(0,), save_every=2
)


class _Stop(Exception):
    pass


def distiller(model: Path, folder: Path, config: DistillationConfig = TINY) -> Distiller:
    return Distiller(config, read_teacher(model), folder)


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(model: Path, folder: Path) -> None:
    whole = distiller(model, folder)
    losses: list[float] = []
    total = whole.run(lambda done, figures: losses.append(figures["loss"]))
    assert total["steps"] == len(losses) == 6
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
    whole.checkpoint.unlink()

    def interrupt(done: float, figures: dict[str, float]) -> None:
        if figures["step"] == 5:
            raise _Stop

    with pytest.raises(_Stop):
        distiller(model, folder).run(interrupt)
    second = distiller(model, folder)
    assert second.step == 4
    second.run()
    assert (second.step, second.heard) == (6, whole.heard)
    before = BlockEncoder(read_teacher(model)).state_dict()
    for name, value in whole.student.state_dict().items():
        assert torch.equal(value, second.student.state_dict()[name])
        # Buffers stay; whatever learns has moved.
        assert torch.equal(value, before[name]) != ("/" in name)
    assert all(torch.equal(value, before[name]) for name, value in whole.teacher.state_dict().items())


def test_a_run_of_minutes_counts_all_sessions_together(model: Path, folder: Path) -> None:
    ticks = iter(range(1000))
    config = replace(TINY, steps=None, minutes=5 / 60)

    def run() -> Distiller:
        return Distiller(config, read_teacher(model), folder, clock=lambda: float(next(ticks)))

    first = run()
    first.run()
    assert first.done == 1
    assert first.seconds >= 5
    steps = first.step
    again = run()
    again.run()
    assert again.step == steps


def test_batches_follow_from_seed_and_step(model: Path, folder: Path) -> None:
    run = distiller(model, folder)
    for step in range(30):
        batch, again = run.batch(step), run.batch(step)
        assert torch.equal(batch.samples, again.samples)
        assert (batch.tail, batch.block) == (again.tail, again.block)
        assert batch.samples.shape[1] % STEP == 0
        assert 2 <= len(batch.samples) <= TINY.most_windows
        assert batch.frames <= run.teacher.longest
        assert float(batch.samples.abs().max()) <= 1
    assert {run.batch(step).block for step in range(60)} == {block for block, _ in TINY.blocks}
    assert not torch.equal(run.batch(0).samples[0, :320], run.batch(1).samples[0, :320])


def test_the_rate_rises_and_falls() -> None:
    config = DistillationConfig(steps=1000, warmup_steps=10)
    rates = [config.learning_rate(step, step / 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(config.rate / 10)
    assert max(rates) == pytest.approx(config.rate, rel=1e-3)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(config.rate * config.last_rate)


@pytest.mark.parametrize("more", [{"minutes": 3.0}, {"steps": None}, {"shortest": 70}])
def test_settings_that_contradict_each_other_are_refused(more: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(TINY, **more)  # type: ignore[arg-type]


def test_another_teacher_is_refused_and_a_damaged_checkpoint_named(
    model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = distiller(model, folder)
    run.save()
    other = write_model(tmp_path_factory.mktemp("other"), seed=1)
    with pytest.raises(SimulError, match="of a run with another teacher"):
        distiller(other, folder)
    run.checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(SimulError, match="delete it to begin anew"):
        distiller(model, folder)


def test_a_loss_that_is_no_number_ends_the_run(
    model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = distiller(model, folder)
    monkeypatch.setattr(run, "_update", lambda batch: math.nan)
    with pytest.raises(SimulError, match="loss is nan at step 0"):
        run.run()
    assert not run.checkpoint.exists()


def test_the_exported_encoder_computes_what_was_trained(
    model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    distiller(model, folder).run()
    target = write_model(tmp_path_factory.mktemp("target"))
    path = export(folder, target)
    assert sorted(file.name for file in target.iterdir()) == [
        "live-encoder.json",
        "live-encoder.npz",
        "model.bin",
    ]
    with np.load(path) as kept:
        assert kept["encoder|conv1|weight"].dtype == np.int8
        assert kept["encoder|layer_0|ffn|linear_0|bias"].dtype == np.float16
    file = FileWeights(target / "model.bin")
    weights = ChainMap(live_encoder(file, target), file)  # type: ignore[arg-type]
    network, encoder = BlockEncoder(weights), CausalEncoder(weights, "float32", 1, 25)
    samples = noise(5, 90 * STEP)
    state = encoder.start()
    encoder.push(state, samples)
    streamed = np.concatenate([encoder.advance([state])[0], encoder.finish(state)])
    with torch.no_grad():
        masked = network(torch.from_numpy(samples)[None], 90 + TAIL // 2, 25)[0][0].numpy()
    np.testing.assert_allclose(streamed, masked, atol=1e-4)
    # And it is the run's encoder up to the rounding to eight bits.
    trained = torch.load(folder / "checkpoint.pt", weights_only=True)["weights"]
    for name, value in trained.items():
        if "/" in name:
            step = value.abs().flatten(1).amax(1).max() / 127 if value.ndim > 1 else value.abs().max() / 512
            assert float((network[name].detach() - value).abs().max()) <= float(step)


def test_an_encoder_beside_another_model_is_refused(
    model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    distiller(model, folder).save()
    with pytest.raises(UsageError, match="is no folder"):
        export(folder, folder / "nowhere")
    other = write_model(tmp_path_factory.mktemp("other"), seed=1)
    export(folder, other)
    with pytest.raises(ModelMissingError, match="trained from another model"):
        live_encoder(FileWeights(other / "model.bin"), other)


def test_there_is_nothing_to_export_without_a_run(folder: Path) -> None:
    with pytest.raises(SimulError, match="causal-whisper train --output"):
        export(folder, folder)


def test_states_are_scored_before_and_after(
    model: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    distiller(model, folder).save()
    target = write_model(tmp_path_factory.mktemp("target"))
    export(folder, target)
    found = score_states(target, folder, 3)
    assert set(found) == {"live", "causal 0.5 s", "causal 0.64 s", "causal 1 s", "causal 1.92 s"}
    # Nothing was learnt, so that only the rounding to eight bits differs.
    for scores in found.values():
        assert scores["after"] == pytest.approx(scores["before"], abs=0.01)
    assert found == score_states(target, folder, 3)


def test_the_distance_to_oneself_is_nothing(model: Path) -> None:
    encoder = BlockEncoder(read_teacher(model))
    samples = torch.from_numpy(noise(1, 50 * STEP))[None]
    tail = encoder.longest - 50
    whole = distances(encoder, encoder, SoundBatch(samples, tail, WHOLE))[0]
    assert float(whole.detach()) == pytest.approx(0, abs=1e-6)
    in_blocks = distances(encoder, encoder, SoundBatch(samples, tail, 10), layers=(0, 1))
    assert len(in_blocks) == 3
    assert all(float(value.detach()) > 0 for value in in_blocks)
    found = torch.ones(1, 2, 4)
    assert float(distance(-found, found)) == pytest.approx(4 + 0.5 * 2)


def test_disguises_keep_shape_and_loudness_and_follow_from_the_generator() -> None:
    samples = torch.from_numpy(np.stack([noise(seed, 8000) for seed in range(16)]))
    outs = [augment(samples, samples.flip(0), torch.Generator().manual_seed(4)) for _ in range(2)]
    assert torch.equal(*outs)
    assert outs[0].shape == samples.shape
    assert float(outs[0].abs().max()) <= 0.9 + 1e-6
    assert not torch.equal(outs[0], augment(samples, samples.flip(0), torch.Generator().manual_seed(5)))


def test_mixed_precision_comes_near_and_its_gradients_are_finite(model: Path) -> None:
    weights = read_teacher(model)
    student, teacher = BlockEncoder(weights), BlockEncoder(weights).eval().requires_grad_(False)
    samples = torch.from_numpy(np.stack([noise(seed, 50 * STEP) for seed in range(2)]))
    batch = SoundBatch(samples, 25, 10)
    plain = float(distances(student, teacher, batch)[0].detach())
    mixed = distances(student, teacher, batch, mixed=True)[0]
    mixed.backward()
    assert float(mixed.detach()) == pytest.approx(plain, rel=0.1)
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in student.parameters())
