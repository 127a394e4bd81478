"""Where results go: `-` is standard output, no two outputs share a place, and a full disk takes one output only."""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from simul.errors import ExitCode
from tests.simul.scripted_cli import LINES, command, talk

ROOT = Path(__file__).parents[3]


@pytest.fixture
def wav(tmp_path):
    return talk(tmp_path / "talk.wav")


def program(*arguments, **options):
    """The command as a process, with the scripted model."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simul.scripted_cli", *map(str, arguments)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        check=False,
        **options,
    )


def test_a_dash_is_standard_output(wav, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("translate", wav, "-o", "-")[:2] == command("translate", wav)[:2] == (0, LINES)
    assert command("translate", wav, "--format", "srt", "-o", "-")[1].startswith("1\n00:00:0")
    assert os.listdir(tmp_path) == ["talk.wav"]


def test_speech_goes_to_standard_output_while_the_text_has_a_file(wav, tmp_path):
    pytest.importorskip("espeakng_loader")
    text = tmp_path / "talk.txt"
    done = program("translate", wav, "--speak", "-", "-o", text, stdout=subprocess.PIPE)
    assert (done.returncode, text.read_text(encoding="utf-8")) == (0, LINES), done.stderr
    samples, rate = soundfile.read(io.BytesIO(done.stdout))
    assert len(samples) > 2 * rate
    assert abs(samples).max() > 0.1
    assert not (ROOT / "-").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--speak", "-"], "--speak - would mix with the text on standard output"),
        (["-o", "-", "--speak", "-"], "--speak and -o would both write to standard output"),
        (["-o", "{}/x.txt", "--speak", "{}/x.txt"], "--speak and -o would both write to"),
        (["-o", "{}/x.txt", "--speak", "{}/y/../x.txt"], "--speak and -o would both write to"),
        (["-o", "{}/link.txt", "--speak", "{}/there.txt"], "--speak and -o would both write to"),
        (["-o", "{}/hard.txt", "--speak", "{}/there.txt"], "--speak and -o would both write to"),
        (["-o", "{}/d/instances.log", "--log", "{}/d"], "--log and -o would both write to"),
        (["--speak", "{}/d/events/talk.jsonl", "--log", "{}/d"], "--log and --speak would both write to"),
        (["--speak", "{}/talk.wav"], "is an input and would be overwritten by --speak"),
        (["-o", ""], "The name that -o gives is empty"),
        (["--speak", " "], "The name that --speak gives is empty"),
        (["--log", "-"], "--log names a folder, and - is standard output"),
        (["--log", ""], "The name that --log gives is empty"),
        (["--speak", "{}/x.mp3"], "--speak writes WAV, not .mp3"),
        (["--speak", "{}/x.Opus"], "--speak writes WAV, not .opus"),
    ],
)
def test_places_that_cannot_be_are_refused_before_anything_is_written(wav, tmp_path, arguments, told):
    (tmp_path / "y").mkdir()
    (tmp_path / "there.txt").write_text("mine")
    (tmp_path / "link.txt").symlink_to(tmp_path / "there.txt")
    os.link(tmp_path / "there.txt", tmp_path / "hard.txt")
    before = sorted(os.listdir(tmp_path))
    code, out, err = command("translate", wav, *(text.format(tmp_path) for text in arguments))
    assert (code, out) == (ExitCode.USAGE, "")
    assert told in err
    assert err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before
    assert (tmp_path / "there.txt").read_text() == "mine"


def test_the_microphone_has_places_of_its_own_too(tmp_path):
    for options, told in (
        (["--save-audio", tmp_path / "a.wav", "--speak", tmp_path / "a.wav"], "--save-audio and --speak"),
        (["--save-audio", "-"], "--save-audio - would mix with the text"),
        (["-o", tmp_path / "a.flac", "--save-audio", tmp_path / "b.flac"], "--save-audio writes WAV"),
    ):
        code, _, err = command("mic", *options)
        assert (code, told in err) == (ExitCode.USAGE, True), err
    assert os.listdir(tmp_path) == []


def test_missing_folders_on_the_way_to_an_output_are_made(wav, tmp_path):
    text, speech = tmp_path / "a" / "b" / "x.txt", tmp_path / "c" / "d" / "x.wav"
    code, _, err = command("translate", wav, "-o", text, "--speak", speech, "-q")
    assert (code, err) == (0, "")
    assert text.read_text(encoding="utf-8")
    assert speech.stat().st_size > 44


def test_a_name_that_begins_with_a_dash_needs_two_dashes(wav, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-a.wav").write_bytes(Path(wav).read_bytes())
    code, _, err = command("translate", "-a.wav")
    assert (code, "put `--` before names that begin with a dash: -- -a.wav" in err) == (2, True)
    assert command("translate", "-q", "--", "-a.wav")[0] == 0


def test_devices_that_take_anything_may_be_named_twice(wav):
    pytest.importorskip("espeakng_loader")
    assert command("translate", wav, "-o", os.devnull, "--speak", os.devnull)[:2] == (0, "")


def test_a_file_behind_standard_output_is_a_place_as_well(wav, tmp_path):
    with open(tmp_path / "x.wav", "w") as out:
        done = program("translate", wav, "--speak", tmp_path / "x.wav", stdout=out)
    assert done.returncode == ExitCode.USAGE
    assert b"would both write to" in done.stderr


def test_inputs_of_one_name_have_outputs_of_their_own(tmp_path):
    (tmp_path / "x").mkdir()
    files = [talk(tmp_path / name) for name in ("ok.wav", "x/ok.wav", "ok-2.wav")]
    assert command("translate", *files, "-o", f"{tmp_path}/out/")[0] == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["ok-2-2.txt", "ok-2.txt", "ok.txt"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
class TestFullDisk:
    def test_the_only_output_is_named(self, wav):
        code, out, err = command("translate", wav, "-o", "/dev/full", "-q")
        assert (code, out) == (ExitCode.FAILED, "")
        assert err == "simul: /dev/full cannot be written: No space left on device.\n"

    def test_standard_output_is_named(self, wav):
        with open("/dev/full", "w") as full:
            done = program("translate", wav, "-q", stdout=full)
        assert done.returncode == ExitCode.FAILED
        assert done.stderr == b"simul: Standard output cannot be written: No space left on device.\n"

    def test_the_text_goes_on_without_the_speech(self, wav):
        pytest.importorskip("espeakng_loader")
        code, out, err = command("translate", wav, "--speak", "/dev/full", "-q")
        assert (code, out) == (ExitCode.FAILED, LINES)
        assert err.count("/dev/full cannot be written: No space left") == err.count("\n") == 1

    def test_the_log_is_whole_without_the_text(self, wav, tmp_path):
        code, _, err = command("translate", wav, "-o", "/dev/full", "--log", tmp_path / "d", "-q")
        assert (code, err.count("\n")) == (ExitCode.FAILED, 1)
        events = (tmp_path / "d" / "events" / "talk.jsonl").read_text(encoding="utf-8").splitlines()
        assert '"end"' in events[-1]
        assert "Morgen fahren" in (tmp_path / "d" / "instances.log").read_text(encoding="utf-8")

    def test_the_text_goes_on_when_the_log_cannot(self, wav, tmp_path):
        """The event log reaches the largest size that this process may write."""

        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))

        done = program(
            "translate", wav, "--log", tmp_path / "d", "-q", stdout=subprocess.PIPE, preexec_fn=little_room
        )
        assert (done.returncode, done.stdout.decode()) == (ExitCode.FAILED, LINES)
        assert b"talk.jsonl cannot be written: File too large" in done.stderr
        assert b"Traceback" not in done.stderr

    def test_an_evaluation_ends_with_the_name_of_the_file(self, wav, tmp_path):
        table = tmp_path / "list.tsv"
        table.write_text(f"audio\treference\n{wav}\tMorgen.\n", encoding="utf-8")

        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

        done = program("eval", table, "--log", tmp_path / "d", stdout=subprocess.PIPE, preexec_fn=little_room)
        assert (done.returncode, done.stdout) == (ExitCode.FAILED, b"")
        assert b".jsonl cannot be written: File too large" in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_reader_that_stops_takes_only_its_own_output(wav, tmp_path):
    """Standard output is a pipe that nobody reads; the log is whole all the same, and the text beside speech."""
    log = tmp_path / "log"
    reading, writing = os.pipe()
    os.close(reading)
    done = program("translate", wav, "--format", "json", "--log", log, "-q", stdout=writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"end"' in (log / "events" / "talk.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert "Morgen" in (log / "instances.log").read_text(encoding="utf-8")
    text = tmp_path / "x.txt"
    done = program("translate", wav, "--speak", "-", "-o", text, "-q", stdout=writing)
    os.close(writing)
    assert text.read_text(encoding="utf-8") == LINES
    assert (done.returncode, done.stderr.count(b"\n")) == (ExitCode.FAILED, 1)
    assert b"Standard output cannot be written: Broken pipe" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize(
    "asked", [["--help"], ["sweep", "--help"], ["train", "student", "prepare", "--help"]]
)
def test_help_that_cannot_be_written_says_so(asked):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "simul", *asked],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "simul: Standard output cannot be written: No space left on device.\n"
