"""`simul translate`: what comes out in which format, and what is said about inputs that cannot be used."""

import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from simul.cli.context import Context
from simul.cli.main import main
from simul.clock import VirtualClock
from simul.errors import ExitCode
from simul.session.events import from_json
from tests.simul.scripted_cli import LINES, SECOND, TEXT, command, load, talk
from tests.simul.terminal import replay

ROOT = Path(__file__).parents[3]


def text_of(json_lines):
    """The settled text of a stream of events, line by line as `--format text` writes it."""
    events = [from_json(line) for line in json_lines.splitlines()]
    lines, line = [], ""
    for event in events:
        if event.type == "settled":
            line += event.text
        elif event.type == "segment":
            lines.append(line.strip() + "\n")
            line = ""
    return "".join(lines)


def start(*arguments, **options):
    """The command as a process of its own, with the scripted model."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simul.scripted_cli", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


@pytest.fixture
def wav(tmp_path):
    return talk(tmp_path / "talk.wav")


@pytest.mark.parametrize("chunk_ms", [100, 320, 500, 1000])
def test_settled_text_is_whole_whatever_the_chunk(wav, chunk_ms):
    assert command("translate", wav, "--chunk-ms", chunk_ms)[:2] == (0, LINES)


def test_json_is_one_event_a_line_with_the_same_text(wav):
    code, out, err = command("translate", wav, "--format", "json")
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert (code, err) == (0, "Scripted model.\n")
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert text_of(out) == LINES


@pytest.fixture
def clock(monkeypatch):
    """The wall clock of the command, which waits without taking time."""
    made = VirtualClock()
    monkeypatch.setattr("simul.clock.WallClock", lambda: made)
    return made


def test_text_comes_the_moment_it_settles(wav, clock):
    class Watched(io.StringIO):
        def flush(self):
            shown.append((clock.now(), self.getvalue()))

    shown = []
    context = Context(io.BytesIO(), Watched(), io.StringIO(), {}, load)
    assert main(["translate", str(wav), "--simulate"], context) == 0
    events = [from_json(line) for line in command("translate", wav, "--format", "json")[1].splitlines()]
    settled = [e for e in events if e.type == "settled" and e.text]
    assert len(settled) > 4
    for number, event in enumerate(settled):
        text = "".join(e.text for e in settled[: number + 1])
        at = next(moment for moment, seen in shown if "".join(seen.split()) == "".join(text.split()))
        assert at == pytest.approx(event.heard / SECOND)


def test_real_time_and_as_fast_as_possible_settle_the_same_text(tmp_path, clock):
    path = talk(tmp_path / "short.wav", 1.7)
    fast = command("translate", path, "--format", "json")
    assert clock.now() == 0
    live = command("translate", path, "--format", "json", "--simulate")
    assert clock.now() == pytest.approx(1.7)
    assert text_of(live[1]) == text_of(fast[1]) != ""


def test_times_without_waiting_are_those_of_live_speech(wav):
    out = command("translate", wav, "--format", "json")[1]
    events = [from_json(line) for line in out.splitlines()]
    settled = [event for event in events if event.type == "settled" and event.text]
    assert len(settled) > 4
    assert all(event.time >= event.heard / SECOND for event in settled)


def test_subtitles(wav):
    srt = command("translate", wav, "--format", "srt", "--bilingual")[1]
    blocks = srt.strip().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2"]
    assert blocks[0].split("\n")[1].startswith("00:00:00,")
    assert "Morgen fahren wir früh los, sagt sie." in blocks[0]
    assert "<i>we leave early tomorrow</i>" in blocks[0]
    vtt = command("translate", wav, "--format", "vtt")[1]
    assert vtt.startswith("WEBVTT\n\n00:00:00.")
    assert "<i>" not in vtt


def test_the_output_file_is_written_and_its_name_gives_the_format(wav, tmp_path):
    target = tmp_path / "talk.jsonl"
    code, out, _ = command("translate", wav, "-o", target)
    assert (code, out) == (0, "")
    assert text_of(target.read_text(encoding="utf-8")) == LINES


def test_speech_is_written_and_its_events_agree_with_the_file(wav, tmp_path):
    pytest.importorskip("espeakng_loader")
    target = tmp_path / "speech.wav"
    out = command("translate", wav, "--format", "json", "--speak", target)[1]
    events = [from_json(line) for line in out.splitlines()]
    spoken = [event for event in events if event.type == "speech"]
    assert " ".join(event.text for event in spoken) == TEXT
    with wave.open(str(target)) as file:
        rate, frames = file.getframerate(), file.getnframes()
        sound = np.frombuffer(file.readframes(frames), "<i2")
    assert all(event.rate == rate for event in spoken)
    assert frames == round(spoken[-1].onset * rate) + spoken[-1].samples
    first = round(spoken[0].onset * rate)
    assert not sound[:first].any()
    assert np.abs(sound[first:]).max() > 1000


def test_speech_is_refused_for_a_policy_that_takes_text_back(wav, tmp_path):
    pytest.importorskip("espeakng_loader")
    code, _, err = command("translate", wav, "--policy", "sliding-window", "--speak", tmp_path / "s.wav")
    assert code == ExitCode.USAGE
    assert "taken back" in err


def test_a_log_is_read_by_the_metrics(wav, tmp_path):
    from latency_metrics.formats.simuleval import read_instances

    code, out, _ = command("translate", wav, wav, "--log", tmp_path / "log", "--stats")
    instances = read_instances(tmp_path / "log" / "instances.log")
    assert (code, out) == (0, LINES * 2)
    assert [instance.prediction for instance in instances] == [TEXT, TEXT]
    for instance in instances:
        assert len(instance.delays) == len(instance.elapsed) == len(TEXT.split())
        assert instance.source_length == 6000
        assert all(late >= early for early, late in zip(instance.delays, instance.elapsed, strict=True))
    logged = (tmp_path / "log" / "events" / "talk-2.jsonl").read_text(encoding="utf-8")
    assert text_of(logged) == LINES


def test_the_latency_table_goes_to_standard_error(wav):
    code, out, err = command("translate", wav, "--stats")
    assert (code, out) == (0, LINES)
    assert "LAAL, this computer" in err
    assert "6.0 s" in err


def test_the_name_is_in_every_event_of_several_files(wav, tmp_path):
    other = talk(tmp_path / "other.wav", 2)
    out = command("translate", wav, other, "--format", "json")[1]
    names = [json.loads(line)["file"] for line in out.splitlines()]
    assert list(dict.fromkeys(names)) == [str(wav), str(other)]


def test_several_files_of_one_name_do_not_overwrite_each_other(wav, tmp_path):
    (tmp_path / "b").mkdir()
    code, _, _ = command(
        "translate", wav, talk(tmp_path / "b" / "talk.wav"), "-o", f"{tmp_path}/out/", "--format", "srt"
    )
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["talk-2.srt", "talk.srt"]


def test_patterns_that_the_shell_left_alone(tmp_path):
    for name in ("a", "b"):
        talk(tmp_path / f"{name}.wav")
    assert command("translate", tmp_path / "*.wav")[:2] == (0, LINES * 2)
    code, _, err = command("translate", tmp_path / "*.flac")
    assert code == ExitCode.FAILED
    assert "No file matches" in err


# Inputs.


@pytest.mark.parametrize(
    "options",
    [
        {"subtype": "PCM_U8"},
        {"subtype": "PCM_24"},
        {"subtype": "FLOAT"},
        {"channels": 2},
        {"rate": 48_000},
        {"rate": 8_000, "channels": 2, "subtype": "ULAW"},
    ],
)
def test_other_kinds_of_wav_work(tmp_path, options):
    assert command("translate", talk(tmp_path / "talk.wav", **options))[:2] == (0, LINES)


def test_samples_that_are_no_numbers_count_as_silence(tmp_path):
    import soundfile

    sound = np.zeros(6 * SECOND, np.float32)
    sound[100:140] = np.nan
    soundfile.write(tmp_path / "nan.wav", sound, SECOND, subtype="FLOAT")
    code, out, err = command("translate", tmp_path / "nan.wav")
    assert (code, out) == (0, LINES)
    assert "40 samples were no numbers" in err


def corrupt(path):
    path.write_bytes(b"RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00garbage that is no header")


def no_sound(path):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SECOND)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"just some text, not audio"), "cannot be read|not audio"),
        (corrupt, "cannot be read|damaged|not audio"),
        (no_sound, "no sound"),
        (lambda path: path.mkdir(), "folder"),
    ],
)
def test_unusable_files_are_one_line_and_exit_code_1(tmp_path, make, told):
    path = tmp_path / "broken.wav"
    make(path)
    code, out, err = command("translate", path)
    assert (code, out, err.count("\n")) == (ExitCode.FAILED, "", 1)
    assert str(path) in err
    assert any(part in err for part in told.split("|"))


def test_one_unusable_file_does_not_hold_up_the_others(wav, tmp_path):
    code, out, err = command("translate", tmp_path / "none.wav", wav, tmp_path / "none2.wav")
    assert (code, out) == (ExitCode.PARTIAL, LINES)
    assert err.count("does not exist") == 2
    assert command("translate", tmp_path / "none.wav", tmp_path / "none2.wav")[0] == ExitCode.FAILED


def test_what_comes_before_the_damage_is_settled(tmp_path):
    path = talk(tmp_path / "cut.flac", 6)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3] + b"\x00" * 2000)
    code, out, err = command("translate", path, "--format", "json")
    kinds = [json.loads(line)["type"] for line in out.splitlines()]
    assert code == ExitCode.FAILED
    assert "damaged after" in err
    assert kinds[-2:] == ["error", "end"]
    assert text_of(out).startswith(LINES.splitlines()[0])


def test_an_unknown_language_is_named(wav):
    code, out, err = command("translate", wav, "--target", "xx")
    assert (code, out) == (ExitCode.USAGE, "")
    assert "'xx'" in err


def test_an_unknown_model_is_exit_code_3(wav, tmp_path):
    from simul.cli.context import load_installed

    code, out, err = command("translate", wav, "--model", "nosuchmodel", loader=load_installed)
    assert (code, out, err.count("\n")) == (ExitCode.MODEL_MISSING, "", 1)
    assert "nosuchmodel" in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-o", "{}/talk.wav/out.txt"], "talk.wav is a file"),
        (["--speak", "{}/talk.wav/out.wav"], "talk.wav is a file"),
        (["--log", "{}/talk.wav"], "is a file"),
    ],
)
def test_unwritable_outputs_are_named(wav, tmp_path, options, told):
    code, out, err = command("translate", wav, *(option.format(tmp_path) for option in options))
    assert (code, out) == (ExitCode.FAILED, "")
    assert told in err


@pytest.mark.parametrize("option", ["-o", "--speak"])
def test_an_input_is_never_overwritten(wav, option):
    before = wav.read_bytes()
    code, _, err = command("translate", wav, option, wav)
    assert (code, wav.read_bytes()) == (ExitCode.USAGE, before)
    assert "overwritten" in err


def test_options_that_contradict_each_other(wav):
    for options in (["--format", "srt"], ["--speak", "one.wav"]):
        assert command("translate", wav, wav, *options)[0] == ExitCode.USAGE
    assert command("translate", wav, "--play")[0] == ExitCode.USAGE
    assert command("translate", wav, "--bilingual")[0] == ExitCode.USAGE
    assert command("translate", wav, "--captions", "--format", "srt")[0] == ExitCode.USAGE
    assert command("translate", "-", "-")[0] == ExitCode.USAGE


# Standard input.


def pcm(seconds=6.0):
    return (np.random.default_rng(0).uniform(-3000, 3000, int(seconds * SECOND))).astype("<i2").tobytes()


def test_standard_input_raw_and_with_a_header(wav):
    assert command("translate", "-", stdin=wav.read_bytes())[:2] == (0, LINES)
    assert command("translate", "-", "--raw", stdin=pcm())[:2] == (0, LINES)
    doubled = np.frombuffer(pcm(), "<i2").astype("<f4").repeat(2) / 32768
    options = ("--raw", "--encoding", "f32le", "--channels", "2", "--rate", "16000")
    assert command("translate", "-", *options, stdin=doubled.tobytes())[:2] == (0, LINES)


@pytest.mark.parametrize("data", [b"", pcm(1)])
def test_unusable_standard_input(data):
    code, out, err = command("translate", "-", stdin=data)
    assert (code, out) == (ExitCode.FAILED, "")
    assert "standard input" in err


def test_a_pipe_is_read_as_it_comes():
    process = start("translate", "-", "--raw", stdin=subprocess.PIPE)
    process.stdin.write(pcm(4))
    process.stdin.flush()
    heard = os.read(process.stdout.fileno(), 100).decode()
    process.stdin.write(pcm(2))
    out, err = process.communicate(timeout=200)
    assert heard + out.decode() == LINES
    assert process.returncode == 0, err


# Ctrl-C and closed pipes.


def test_ctrl_c_settles_what_was_heard_and_exits_with_130(tmp_path):
    process = start("translate", talk(tmp_path / "long.wav", 60), "--simulate", "--format", "json")
    seen = b""
    while b'"settled"' not in seen:
        seen += os.read(process.stdout.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=200)
    events = [from_json(line) for line in (seen + out).decode().splitlines()]
    assert process.returncode == ExitCode.INTERRUPTED, err
    assert events[-1].type == "end"
    assert 0 < events[-1].heard < 30 * SECOND
    assert [event.type for event in events].count("segment") >= 1
    assert b"Traceback" not in err


def test_ctrl_c_ends_waiting_for_standard_input():
    process = start("translate", "-", "--raw", "--format", "json", stdin=subprocess.PIPE)
    process.stdin.write(pcm(1.2))
    process.stdin.flush()
    seen = b""
    while b'"tail"' not in seen:
        seen += os.read(process.stdout.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    out = process.stdout.read()
    assert process.wait(timeout=200) == ExitCode.INTERRUPTED
    process.stdin.close()
    process.stderr.close()
    process.stdout.close()
    last = from_json((seen + out).decode().splitlines()[-1])
    assert (last.type, last.heard) == ("end", round(1.2 * SECOND))


def test_the_second_ctrl_c_ends_at_once(tmp_path):
    slow = {**os.environ, "SECONDS_PER_PASS": "600"}
    process = start("translate", talk(tmp_path / "a.wav"), "--format", "json", env=slow)
    assert [process.stderr.readline() for _ in range(2)] == [b"Scripted model.\n", b"A pass.\n"]
    pressed = 0
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        pressed += 1
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
    # Two that come at once may count as one.
    assert pressed >= 2
    out, err = process.communicate()
    assert (process.returncode, out, err) == (ExitCode.INTERRUPTED, b"", b"")


def test_a_closed_pipe_is_silent(tmp_path):
    process = start(
        "translate", talk(tmp_path / "long.wav", 6), "--format", "json", "--simulate", "--chunk-ms", "100"
    )
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=200) == 0
    assert err == b"Scripted model.\n"
    process.stderr.close()


def test_a_full_disk_is_one_line(wav):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tests.simul.scripted_cli", "translate", str(wav)],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == ExitCode.FAILED
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unfinished_header_of_a_pipe_is_no_obstacle(wav):
    data = bytearray(wav.read_bytes())
    data[4:8] = struct.pack("<I", 0xFFFFFFFF)
    data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    assert command("translate", "-", stdin=bytes(data))[:2] == (0, LINES)


# Terminals.


def test_a_terminal_shows_tail_and_progress_and_keeps_only_settled_text(wav):
    code, out, _ = command("translate", wav, terminal=True, environ={"NO_COLOR": "1"})
    assert code == 0
    assert "━" in out
    assert "\x1b[32m" not in out
    assert replay(out, 80) == LINES.splitlines()
    assert "\x1b[32m" in command("translate", wav, terminal=True)[1]
    assert "━" not in command("translate", wav, "-q", terminal=True)[1]


def test_a_file_beside_a_terminal_gets_plain_text(wav, tmp_path):
    command("translate", wav, "-o", tmp_path / "out.txt", terminal=True)
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == LINES


def test_captions_without_a_terminal_are_plain_text(wav):
    code, out, err = command("translate", wav, "--captions")
    assert (code, out) == (0, LINES)
    assert "needs a terminal" in err


def test_captions_leave_the_settled_text_on_the_terminal(wav):
    code, out, _ = command("translate", wav, "--captions", terminal=True, environ={"NO_COLOR": "1"})
    assert code == 0
    assert "╭" in out
    first, second = LINES.splitlines()
    left = [line.strip() for line in replay(out, 80)]
    assert left == ["0:00  we leave early tomorrow", first, "0:03  and come back late", second]
