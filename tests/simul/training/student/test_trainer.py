"""Runs: resumed exactly, averages, refusals; the encoder stays when frozen; exported parts are the run's."""

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from simul.errors import SimulError, UsageError
from simul.models.marian.parts import read_part
from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest
from simul.training.student.batches import Shapes, make_batches
from simul.training.student.export import export, quantised, untouched
from simul.training.student.network import StudentDecoder, StudentEncoder, as_tensor, greedy
from simul.training.student.score import score
from simul.training.student.start import read_start
from simul.training.student.trainer import Trainer, TrainingConfig, checkpoint_of

TINY = TrainingConfig(
    steps=6,
    rate=1e-2,
    warmup_steps=2,
    average=0.4,
    frequent=8,
    drawn=8,
    bfloat16=False,
    pool=60,
    save_every=2,
    shapes=Shapes(300),
)


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    """A copy of the prepared text, to train in."""
    for name in ("de.npz", "de.model"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    return tmp_path


def _trainer(student: Path, folder: Path, config: TrainingConfig = TINY, **more: object) -> Trainer:
    return Trainer(config, {"de": read_start(student)}, folder, **more)  # type: ignore[arg-type]


class _Stop(Exception):
    pass


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(student: Path, folder: Path) -> None:
    whole = _trainer(student, folder)
    whole.run()
    whole.checkpoint.unlink()

    def interrupt(done: float, figures: dict[str, float]) -> None:
        if figures["step"] == 5:
            raise _Stop

    with pytest.raises(_Stop):
        _trainer(student, folder).run(interrupt)
    second = _trainer(student, folder)
    assert second.step == 4
    second.run()
    assert second.step == 6
    assert second.positions == whole.positions
    assert second.tokens == whole.tokens
    for name, value in whole.averages.items():
        assert torch.equal(value, second.averages[name])
        assert torch.equal(whole.weights[name], second.weights[name])


def test_only_the_decoder_learns_unless_the_encoder_shall(student: Path, folder: Path) -> None:
    frozen = _trainer(student, folder)
    before = [p.clone() for p in frozen.encoder.parameters()]
    start = {name: value.detach().clone() for name, value in frozen.weights.items()}
    frozen.run()
    assert all(torch.equal(a, b) for a, b in zip(before, frozen.encoder.parameters(), strict=True))
    assert all(name.startswith("decoders.de.") for name in frozen.weights)
    assert not any(
        torch.equal(value, start[name]) for name, value in frozen.weights.items() if "_bk" not in name
    )
    frozen.checkpoint.unlink()
    learning = _trainer(student, folder, replace(TINY, tune_encoder=True))
    learning.run()
    assert not torch.equal(before[0], learning.encoder["encoder_Wemb"])


def test_the_average_lies_between_start_and_end(student: Path, folder: Path) -> None:
    trainer = _trainer(student, folder, replace(TINY, steps=1))
    name = "decoders.de.decoder_l1_rnn_W"
    trainer.run()
    assert torch.equal(trainer.averages[name], trainer.weights[name])
    trainer.config = replace(TINY, steps=2)
    first = trainer.weights[name].detach().clone()
    trainer.run()
    assert torch.allclose(trainer.averages[name], (first + trainer.weights[name]) / 2, atol=1e-6)
    with trainer.averaged():
        assert torch.equal(trainer.decoder("de")["decoder_l1_rnn_W"], trainer.averages[name])
    assert torch.equal(trainer.decoder("de")["decoder_l1_rnn_W"], trainer.weights[name])


def test_a_run_by_the_clock_ends_with_its_time_and_goes_on_with_it(student: Path, folder: Path) -> None:
    ticks = iter(range(0, 10_000, 10))
    config = replace(TINY, steps=None, minutes=1.0)
    shares: list[float] = []
    trainer = _trainer(student, folder, config, clock=lambda: float(next(ticks)))
    trainer.run(lambda done, figures: shares.append(done))
    assert shares == pytest.approx([k / 6 for k in range(1, 7)])
    longer = _trainer(student, folder, replace(config, minutes=2.0), clock=lambda: float(next(ticks)))
    assert longer.done == 0.5
    longer.run()
    assert longer.step == 12


def test_the_learning_rate_warms_up_stays_and_falls_to_zero() -> None:
    config = TrainingConfig(steps=1000, rate=1.0, warmup_steps=100, decay_share=0.7)
    assert config.learning_rate(0, 0.0) == pytest.approx(0.01)
    assert config.learning_rate(150, 0.3) == 1.0
    assert config.learning_rate(650, 0.65) == pytest.approx(0.5)
    assert config.learning_rate(999, 1.0) == 0.0
    with pytest.raises(UsageError, match="steps or of minutes"):
        TrainingConfig()


def test_a_checkpoint_of_other_sizes_is_refused(student: Path, folder: Path) -> None:
    trainer = _trainer(student, folder)
    trainer.save()
    with pytest.raises(SimulError, match="other languages or sizes"):
        _trainer(student, folder, replace(TINY, tune_encoder=True))


def test_the_loss_over_all_pieces_is_the_one_that_is_checked(student: Path, folder: Path) -> None:
    trainer = _trainer(student, folder, replace(TINY, drawn=None, smoothing=0.0))
    held = trainer.makers["de"].held_out()
    loss = pieces = 0.0
    for batch in make_batches(held, Shapes(200), 0, Random(1)):
        value, count = trainer._loss("de", batch, np.random.default_rng(1))
        loss, pieces = loss + float(value.detach()), pieces + count
    assert trainer.cross_entropy("de", held) == pytest.approx(loss / pieces, rel=1e-4)
    assert pieces == sum(len(e.target) + 1 for e in held)


def test_several_languages_learn_in_one_run(student: Path, run: Path, folder: Path) -> None:
    for ending in ("npz", "model"):
        (folder / f"es.{ending}").write_bytes((run / f"de.{ending}").read_bytes())
    start = read_start(student)
    trainer = Trainer(replace(TINY, tune_encoder=True, steps=2), {"de": start, "es": start}, folder)
    trainer.run()
    assert trainer.checkpoint == checkpoint_of(folder, ("de", "es"))
    out = folder / "parts"
    size = export(folder, ("de", "es"), start, out, "pt")
    assert {p.name for p in out.iterdir()} == {
        "encoder.npz",
        "source.spm",
        "de.npz",
        "de.model",
        "es.npz",
        "es.model",
        "student.json",
        "pt.npz",
    }
    assert size == sum(p.stat().st_size for p in out.iterdir())
    learnt = as_tensor(read_part(out / "encoder.npz")["encoder_Wemb"])
    assert torch.allclose(
        learnt, trainer.averages["encoder.encoder_Wemb"], atol=float(learnt.abs().max()) / 127
    )


def test_exported_parts_give_the_trained_scores(student: Path, folder: Path) -> None:
    trainer = _trainer(student, folder)
    trainer.run()
    start = read_start(student)
    export(folder, ("de",), start, folder / "parts")
    again = read_start(folder / "parts", "de")
    decoder = StudentDecoder(again.decoder, again.heads)
    memory, mask = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1)), torch.zeros(2, 1, 1, 5)
    previous = torch.tensor([[-1, 4, 9, 30], [-1, 7, 7, 2]])
    with torch.no_grad(), trainer.averaged():
        expected = trainer.decoder("de").logits(trainer.decoder("de")(previous, memory, mask)[0])
        found = decoder.logits(decoder(previous, memory, mask)[0])
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()
    for name, value in untouched(start.encoder).items():
        assert np.array_equal(np.load(folder / "parts" / "encoder.npz")[name], value)


def test_the_translator_reads_exported_parts_and_gives_the_trained_text(student: Path, folder: Path) -> None:
    trainer = _trainer(student, folder)
    trainer.run()
    start = read_start(student)
    export(folder, ("de",), start, folder / "parts")
    again = read_start(folder / "parts", "de")
    encoder, decoder = StudentEncoder(again.encoder, again.heads), StudentDecoder(again.decoder, again.heads)
    english = "The dog sees the man, and the man sees the dog."
    ids = torch.tensor([[*start.source.encode(english), start.source.eos_id()]])
    lengths = torch.tensor([ids.shape[1]])
    result = MarianTranslator(folder / "parts", targets=["de"]).translate(
        [TextRequest(english, "de", max_new_tokens=6)]
    )[0]
    assert list(result.ids) == greedy(encoder, decoder, ids, lengths, 0)[0][: len(result.ids)]
    found = score(folder / "parts", folder, ("de",), beam=2, limit=3)
    assert {form: s["sentences"] for form, s in found["de"]["kept-out"].items()} == {
        "written": 3,
        "spoken": 3,
    }


def test_integers_lie_within_half_a_step_of_each_row() -> None:
    values = (
        torch.randn(5, 40, generator=torch.Generator().manual_seed(2))
        * torch.tensor([1e-3, 1, 0, 5, 100])[:, None]
    )
    made = quantised([("W", values), ("b", values[0])])
    error = np.abs(made["W"] * made["W.scale"][:, None] - values.numpy())
    assert (error <= made["W.scale"][:, None] * 0.5001 + 1e-12).all()
    assert np.abs(made["W"][values.numpy().any(1)]).max(1).tolist() == [127] * 4
    assert made["b"].dtype == np.float32


def test_a_run_that_is_not_there_is_named(student: Path, tmp_path: Path) -> None:
    with pytest.raises(SimulError, match="train"):
        export(tmp_path, ("de",), read_start(student), tmp_path / "parts")
