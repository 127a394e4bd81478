"""`simul train causal-whisper` from recordings to an encoder for `--window causal`; mistakes are named."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from simul.errors import ExitCode
from tests.simul.scripted_cli import command
from tests.simul.tone_speech import audio
from tests.simul.training.causal_whisper.toy import write_sound, write_wav

pytestmark = [
    pytest.mark.skipif(
        not all(find_spec(name) for name in ("torch", "onnxruntime")),
        reason="the recipe needs the extras [train] and [whisper]",
    ),
    pytest.mark.usefixtures("one_torch_thread"),
]
RECIPE = ("train", "causal-whisper")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, prepared."""
    root = tmp_path_factory.mktemp("causal")
    sound, folder = write_sound(root / "sound"), root / "run"
    code, out, _ = command(*RECIPE, "prepare", "--audio", sound / "a", sound / "b", "--output", folder)
    assert code == ExitCode.OK
    assert out == "a: 3 recordings, 0.1 min\nb: 1 recordings, 0.1 min\n"
    return folder


def test_an_encoder_is_trained_continued_exported_scored_and_used(
    run: Path, tiny_whisper: Path, tmp_path: Path
) -> None:
    train = (*RECIPE, "train", "--teacher", tiny_whisper, "--output", run, "--audio", 2, "--longest", 1)
    code, out, _ = command(*train, "--steps", 1)
    assert code == ExitCode.OK
    assert out.startswith("1 steps, 0.00 h of sound heard in ")
    code, out, said = command(*train, "--steps", 2)
    assert code == ExitCode.OK
    assert "Going on from step 1" in said
    model = tmp_path / "model"
    shutil.copytree(tiny_whisper, model)
    code, out, _ = command(*RECIPE, "export", "--run", run, "--output", model)
    assert code == ExitCode.OK
    assert out.startswith(f"{model / 'live-encoder.npz'}: ")
    about = json.loads((model / "live-encoder.json").read_text())
    assert (about["step"], about["config"]["audio"], set(about["sets"])) == (2, 2.0, {"a", "b"})
    speech = tmp_path / "speech.wav"
    write_wav(speech, audio(1, 3, 4)[0])
    (tmp_path / "clips.tsv").write_text("file\ttext\nspeech.wav\tred blue\n")
    code, out, _ = command(
        *(*RECIPE, "score", "--model", model, "--run", run, "--windows", 1),
        *("--clips", tmp_path / "clips.tsv", "--beam", 1),
    )
    assert code == ExitCode.OK
    found = json.loads(out)
    ways = {"live", "causal 0.5 s", "causal 0.64 s", "causal 1 s", "causal 1.92 s"}
    assert set(found["distance"]) == ways
    assert set(found["word errors %"]) == {"padded", *ways}
    for block in (500, 640):
        code, out, _ = command(
            *("translate", speech, "--model", model, "--source", "en", "--target", "en"),
            *("--window", "causal", "--block-ms", block, "--threads", 1, "--format", "json"),
        )
        assert code == ExitCode.OK
        assert json.loads(out.splitlines()[-1])["type"] == "end"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), ExitCode.USAGE, "Name a step: prepare, train, export, score;"),
        (("tune",), ExitCode.USAGE, "no command `simul train causal-whisper tune`"),
        (("score",), ExitCode.USAGE, "There is nothing to score; give --run FOLDER, --clips FILE or both."),
        (
            ("train", "--teacher", "whisper-huge", "--output", "x"),
            ExitCode.USAGE,
            "The catalogue has no model 'whisper-huge'",
        ),
        (("export", "--run", "nowhere", "--output", "."), ExitCode.FAILED, "causal-whisper train --output"),
        (("prepare", "--audio", "nowhere", "--output", "x"), ExitCode.FAILED, "There is no audio in nowhere"),
    ],
)
def test_mistakes_on_the_command_line_are_named(
    arguments: tuple[str, ...],
    code: ExitCode,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _, said = command(*RECIPE, *arguments)
    assert found == code
    assert message in said


def test_a_folder_that_is_no_teacher_is_named(run: Path, tmp_path: Path) -> None:
    code, _, said = command(*RECIPE, "train", "--teacher", tmp_path, "--output", run)
    assert code == ExitCode.USAGE
    assert f"The teacher {tmp_path} holds no model that is known" in said


def test_sound_that_was_not_prepared_is_named(tiny_whisper: Path, tmp_path: Path) -> None:
    code, _, said = command(*RECIPE, "train", "--teacher", tiny_whisper, "--output", tmp_path)
    assert code == ExitCode.FAILED
    assert f"run `simul train causal-whisper prepare --output {tmp_path}` first" in said


def test_clips_that_cannot_be_read_are_named(tiny_whisper: Path, tmp_path: Path) -> None:
    (tmp_path / "clips.tsv").write_text("name\ttext\n1.wav\tred\n")
    code, _, said = command(*RECIPE, "score", "--model", tiny_whisper, "--clips", tmp_path / "clips.tsv")
    assert code == ExitCode.USAGE
    assert "give a table with tab stops and the columns file and text" in said


def test_help_lists_the_steps() -> None:
    for words in (("--help",), ("causal-whisper", "--help")):
        code, out, _ = command("train", *words)
        assert code == ExitCode.OK
        for step in ("prepare", "train", "export", "score"):
            assert f"  {step} " in out
    assert "student" not in out
