"""The processor inside the real simulstream: the scores of its log are those of our own evaluation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from latency_metrics.formats.simulstream import read_simulstream
from tests.simul.adapters.marked import backend as marked_backend
from tests.simul.adapters.marked.backend import REFERENCES, SECONDS, write_recording
from tests.simul.scripted_cli import command

pytest.importorskip(
    "simulstream", reason="simulstream is not installed; `make test` installs it (tests/peers.txt)"
)

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
PROCESSOR = "tests.simul.adapters.marked.processor.MarkedProcessor"
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
READABLE = {"detokenizer_type": "simuleval", "latency_unit": "spm"}


@pytest.fixture
def folder(tmp_path):
    """Recordings, their list, reference segments and references."""
    return prepare(tmp_path, (1, 2, 3, 5, 7))


def prepare(where, numbers):
    names, segments = [], []
    for number in numbers:
        write_recording(where / f"r{number}.wav", number)
        names.append(f"r{number}.wav")
        segments.append({"wav": f"r{number}.wav", "offset": 0.0, "duration": SECONDS[number]})
    (where / "wavs.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    paths = "\n".join(str(where / name) for name in names) + "\n"
    (where / "source.txt").write_text(paths, encoding="utf-8")
    (where / "segments.yaml").write_text(yaml.safe_dump(segments), encoding="utf-8")
    lines = "\n".join(REFERENCES[number] for number in numbers) + "\n"
    (where / "references.txt").write_text(lines, encoding="utf-8")
    return where


def configuration(folder, **options):
    config = {"type": PROCESSOR, "speech_chunk_size": 0.5, **READABLE, **options}
    (folder / "processor.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    return folder / "processor.yaml"


def inference(folder, *options, expect=0):
    """Run the real command; what it said on standard error."""
    given = [BIN / "simulstream_inference", "--speech-processor-config", folder / "processor.yaml"]
    given += [
        "--wav-list-file",
        folder / "wavs.txt",
        "--metrics-log-file",
        folder / "metrics.jsonl",
        *options,
    ]
    done = subprocess.run(
        list(map(str, given)), capture_output=True, text=True, encoding="utf-8", env=ENVIRON, timeout=240
    )
    assert (done.returncode == 0) == (expect == 0), done.stderr
    return done.stderr


def ours(folder, *options, loader=marked_backend.load):
    """The same recordings by `simul eval`."""
    code, _, said = command(
        "eval", "--source-list", folder / "source.txt", "--segmentation", folder / "segments.yaml",
        "--references", folder / "references.txt", "--log", folder / "ours", *options, loader=loader,
    )  # fmt: skip
    assert code == 0, said


def scores(folder, *options, level="--word_level"):
    code, out, said = command(
        "score", "longform", level, "--speech_segmentation", folder / "segments.yaml", "--ref_sentences_file",
        folder / "references.txt", "--stream-laal", "--format", "json", "--jobs", 1, *options,
    )  # fmt: skip
    assert code == 0, said
    document = json.loads(out)
    return {score["name"]: score["value"] for score in [*document["scores"], *document.get("extra", [])]}


def assert_same_scores(folder, *options, level="--word_level"):
    theirs = scores(
        folder, "--hypothesis_file", folder / "metrics.jsonl", "--hypothesis_format", "simulstream",
        "--simulstream_config_file", folder / "processor.yaml", *options, level=level,
    )  # fmt: skip
    own = scores(folder, "--hypothesis_file", folder / "ours" / "instances.log", *options, level=level)
    blind = [name for name in own if "(CA" not in name and "system" not in name.lower()]
    wanted = {"BLEU", "chrF", "LongYAAL (CU)", "LongAL (CU)", "LongLAAL (CU)", "LongAP (CU)", "LongDAL (CU)"}
    assert wanted <= set(blind)
    for name in blind:
        assert theirs[name] == pytest.approx(own[name], rel=1e-9, abs=1e-9, nan_ok=True), name
    return theirs


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"policy": "local-agreement", "policy_arg": {"words": False}},
        {"policy": "then(hold-n(n=1), word-hold)", "speech_chunk_size": 1.0},
        {"policy": "sliding-window"},
    ],
    ids=["default", "parts-of-words", "expression", "revising"],
)
def test_scores_are_those_of_our_own_evaluation(folder, options):
    config = configuration(folder, **options)
    inference(folder)
    flags = ["--policy", options.get("policy", "local-agreement")]
    flags += [f for k, v in options.get("policy_arg", {}).items() for f in ("--policy-arg", f"{k}={v}")]
    ours(folder, *flags, "--chunk-ms", round(options.get("speech_chunk_size", 0.5) * 1000))
    found = assert_same_scores(folder)
    assert found["LongLAAL (CA)"] >= found["LongLAAL (CU)"]
    log = read_simulstream(folder / "metrics.jsonl", yaml.safe_load(config.read_text(encoding="utf-8")))
    own = [json.loads(line) for line in (folder / "ours" / "instances.log").open(encoding="utf-8")]
    assert [recording.text for recording in log] == [line["prediction"] for line in own]
    for recording in log:
        pairs = zip(recording.elapsed, recording.delays, strict=True)
        assert all(aware >= blind for aware, blind in pairs)
        assert list(recording.elapsed) == sorted(recording.elapsed)
    deleted = sum(recording.stream.erased_units for recording in log)
    assert (deleted > 0) == (options.get("policy") == "sliding-window")


def test_characters(tmp_path):
    folder = prepare(tmp_path, (6,))
    configuration(folder, target="zh", policy="local-agreement(words=false)")
    inference(folder)
    ours(folder, "--target", "zh", "--policy", "local-agreement(words=false)")
    assert_same_scores(folder, "--lang", "zh", "--bleu_tokenizer", "zh", level="--char_level")


def test_simulstream_reads_the_log(folder):
    """Its own reader rebuilds our text, and its own counts are ours."""
    from simulstream.metrics.readers import LogReader

    configuration(folder, policy="sliding-window")
    inference(folder)
    reader = LogReader(SimpleNamespace(**READABLE), str(folder / "metrics.jsonl"))
    found = {
        name: (output.final_text, [1000 * delay for delay in output.ideal_delays])
        for name, output in reader.final_outputs_and_latencies().items()
    }
    own = read_simulstream(folder / "metrics.jsonl", READABLE)
    assert found == {recording.recording: (recording.text, list(recording.delays)) for recording in own}
    assert reader.num_deleted_tokens() == sum(recording.stream.erased_units for recording in own) > 0


@contextmanager
def server(folder, pool=2):
    """The real server on a port of its own; its address."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "hostname": "127.0.0.1", "port": port, "pool_size": pool, "acquire_timeout": 10,
        "metrics": {"enabled": True, "filename": str(folder / "metrics.jsonl")},
    }  # fmt: skip
    (folder / "server.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    given = [BIN / "simulstream_server", "--server-config", folder / "server.yaml"]
    given += ["--speech-processor-config", folder / "processor.yaml"]
    with (folder / "server.err").open("w") as said:
        running = subprocess.Popen(list(map(str, given)), env=ENVIRON, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + 60
        while True:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None, (folder / "server.err").read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"ws://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(20)


def talk_to(address, path, target=None):
    """What a client sees at the end, putting new text on and taking deleted text off."""
    import soundfile
    from websockets.sync.client import connect

    samples, rate = soundfile.read(path, dtype="int16")
    shown = ""
    with connect(address) as socket_:
        about = {"sample_rate": rate, "metrics_metadata": {"wav_name": str(path)}}
        socket_.send(json.dumps(about | ({"target_lang": target} if target else {})))
        for begin in range(0, len(samples), 1600):
            socket_.send(samples[begin : begin + 1600].tobytes())
        socket_.send(json.dumps({"end_of_stream": True}))
        while "end_of_processing" not in (message := json.loads(socket_.recv(timeout=30))):
            assert shown.endswith(message["deleted"])
            shown = shown[: len(shown) - len(message["deleted"])] + message["new"]
    return shown


TEXTS = {
    1: "Morgen fahren wir früh los, sagt sie. Und spät kommen wir zurück.",
    2: "Die Straßenbahn hält am Marktplatz, glaube ich.",
    3: "Guten Tag. Wie geht es Ihnen?",
}


@pytest.mark.parametrize("policy", ["local-agreement", "sliding-window"])
def test_its_server_serves_several_clients_from_one_model(folder, policy):
    from concurrent.futures import ThreadPoolExecutor

    configuration(folder, policy=policy)
    with server(folder) as address, ThreadPoolExecutor(3) as pool:
        files = [folder / f"r{number}.wav" for number in (1, 2, 3, 2)]
        shown = list(pool.map(lambda path: talk_to(address, path), files))
        assert shown == [TEXTS[number] for number in (1, 2, 3, 2)]


def test_a_language_that_no_model_serves_ends_one_connection_and_the_next_is_served(folder):
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    configuration(folder)
    with server(folder, pool=1) as address:
        with connect(address) as client:
            client.send(json.dumps({"sample_rate": 16_000, "target_lang": "xx"}))
            client.send(bytes(16_000))
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=30)
        assert talk_to(address, folder / "r3.wav", target="fr") == TEXTS[3]
    said = (folder / "server.err").read_text(encoding="utf-8")
    assert "The target language 'xx' is not served" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"polcy": "wait-k"}, "has no option 'polcy' (did you mean 'policy'?)"),
        ({"policy": "wait-kk"}, "wait-k"),
        ({"chunk_ms": "half"}, "chunk_ms is 'half'; give a whole number"),
        ({"target": "xx"}, "The target language 'xx' is not served"),
        ({"latency_unit": "word"}, "has latency_unit: word, but"),
        ({"speech_chunk_size": None}, "needs speech_chunk_size"),
    ],
)
def test_a_configuration_is_checked(options, sentence):
    from policies.errors import PolicyError
    from simul.errors import SimulError
    from tests.simul.adapters.marked.processor import MarkedProcessor

    config = SimpleNamespace(**{"type": PROCESSOR, "speech_chunk_size": 0.5, **READABLE, **options})
    with pytest.raises((SimulError, PolicyError)) as error:
        MarkedProcessor.load_model(config)
    assert sentence in str(error.value)


def processor(**options):
    from tests.simul.adapters.marked.processor import MarkedProcessor

    config = SimpleNamespace(type=PROCESSOR, speech_chunk_size=0.5, **options)
    MarkedProcessor.load_model(config)
    return MarkedProcessor(config), MarkedProcessor(config)


def test_processors_of_one_configuration_share_the_model_but_no_state():
    first, second = processor()
    assert first._session.backend is second._session.backend
    samples = {number: recording(number) for number in (1, 2)}
    shown = {1: "", 2: ""}
    for begin in range(0, max(map(len, samples.values())), 8000):
        for which, number in ((first, 1), (second, 2)):
            piece = samples[number][begin : begin + 8000]
            shown[number] += which.process_chunk(piece).new_string if len(piece) else ""
    for which, number in ((first, 1), (second, 2)):
        shown[number] += which.end_of_stream().new_string
        which.clear()
    assert shown == {number: TEXTS[number] for number in shown}


def recording(number):
    import numpy as np

    samples = np.zeros(int(SECONDS[number] * 16_000), np.float32)
    samples[0] = number / 1024
    return samples


def test_a_language_changes_between_streams_and_not_within():
    from simul.errors import UsageError

    one, _ = processor()
    one.set_target_language("fr")
    one.process_chunk(recording(3)[:8000])
    assert one._session.config.target == "fr"
    one.set_target_language("fr")
    with pytest.raises(UsageError, match="cannot change within a stream"):
        one.set_target_language("de")
    one.end_of_stream()
    one.clear()
    one.process_chunk(recording(3)[:8000])
    assert one._session.config.target == "de"


def test_audio_after_the_end_of_a_stream_goes_on_in_the_same_text():
    """simulstream's voice-activity wrapper ends the stream after each stretch of speech and does not clear."""
    one, _ = processor()
    text = ""
    for number in (3, 5):
        text += one.process_chunk(recording(number)).new_string + one.end_of_stream().new_string
    assert text == TEXTS[3] + " Ja."
