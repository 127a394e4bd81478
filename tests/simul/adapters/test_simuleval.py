"""The agent inside the real SimulEval: the scores of its log are those of our own evaluation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from latency_metrics.formats.simuleval import read_instances
from latency_metrics.registry import METRICS
from tests.simul.adapters.marked import backend as marked_backend
from tests.simul.adapters.marked.backend import REFERENCES, write_recording
from tests.simul.scripted_cli import command

pytest.importorskip(
    "simuleval", reason="SimulEval is not installed; `make test` installs it (tests/peers.txt)"
)

ROOT = Path(__file__).resolve().parents[3]
AGENT = "tests.simul.adapters.marked.agent.MarkedAgent"
GERMAN = (1, 2, 3, 4, 5)


@pytest.fixture
def lists(tmp_path):
    """Write the lists of `numbers` as SimulEval wants them and return its arguments."""

    def write(numbers=GERMAN):
        paths = [str(write_recording(tmp_path / f"r{number}.wav", number)) for number in numbers]
        (tmp_path / "source.txt").write_text("\n".join(paths) + "\n", encoding="utf-8")
        lines = "\n".join(REFERENCES[number] for number in numbers) + "\n"
        (tmp_path / "target.txt").write_text(lines, encoding="utf-8")
        return tmp_path

    return write


def simuleval(folder, *options, agent=("--agent-class", AGENT), expect=0):
    """Run the real command; what it said on standard error."""
    program = [str(Path(sys.executable).with_name("simuleval")), *agent]
    files = ["--source", folder / "source.txt", "--target", folder / "target.txt"]
    given = [*program, *files, "--output", folder / "theirs", "--no-progress-bar", *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    done = subprocess.run(
        list(map(str, given)), capture_output=True, text=True, encoding="utf-8", env=environ, timeout=240
    )
    assert (done.returncode == 0) == (expect == 0), done.stderr
    return done.stderr


def ours(folder, *options, loader=marked_backend.load):
    """The same recordings by `simul eval`."""
    lists = ("--source-list", folder / "source.txt", "--references", folder / "target.txt")
    code, _, said = command("eval", *lists, "--log", folder / "ours", *options, loader=loader)
    assert code == 0, said


def scores(path, *options):
    """All scores that `simul score` gives a log, by name, and ATD."""
    level = "--char_level" if "--char_level" in options else "--word_level"
    rest = [option for option in options if option != level]
    code, out, said = command(
        "score", "shortform", "--hypothesis_file", path, level, "--format", "json", *rest
    )
    assert code == 0, said
    found = {score["name"]: score["value"] for score in json.loads(out)["scores"]}
    unit = level.strip("-").removesuffix("_level")
    found["ATD (CU)"] = METRICS["ATD"](latency_unit=unit).corpus(read_instances(path)).value
    return found


def assert_same_scores(folder, *options):
    theirs = scores(folder / "theirs" / "instances.log", *options)
    own = scores(folder / "ours" / "instances.log", *options)
    blind = [name for name in own if "(CA" not in name]
    assert {"BLEU", "chrF", "YAAL (CU)", "AL (CU)", "LAAL (CU)", "AP (CU)", "DAL (CU)"} <= set(blind)
    for name in blind:
        assert theirs[name] == pytest.approx(own[name], rel=1e-9, abs=1e-9, nan_ok=True), name
    return theirs


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--policy", "local-agreement(words=false)"),
        ("--policy", "then(hold-n(n=1), word-hold)", "--chunk-ms", "1000"),
    ],
    ids=["default", "parts-of-words", "expression"],
)
def test_scores_are_those_of_our_own_evaluation(lists, options):
    folder = lists()
    segment = options[options.index("--chunk-ms") + 1] if "--chunk-ms" in options else "500"
    said = simuleval(folder, *options, "--source-segment-size", segment, "--computation-aware")
    assert "made longer" not in said
    ours(folder, *options)
    found = assert_same_scores(folder)
    log = read_instances(folder / "theirs" / "instances.log")
    own = read_instances(folder / "ours" / "instances.log")
    assert [instance.prediction for instance in log] == [instance.prediction for instance in own]
    assert [list(instance.delays) for instance in log] == [list(instance.delays) for instance in own]
    assert sum(len(instance.delays) for instance in log) >= 20
    for instance in log:
        assert list(instance.elapsed) == sorted(instance.elapsed)
        assert all(aware >= blind for aware, blind in zip(instance.elapsed, instance.delays, strict=True))
    assert found["LAAL (CA)"] >= found["LAAL (CU)"]


def test_its_own_report_agrees(lists):
    folder = lists((1, 2, 3, 5))
    simuleval(folder, "--source-segment-size", 500)
    header, row = (folder / "theirs" / "scores.tsv").read_text(encoding="utf-8").splitlines()
    theirs = dict(zip(header.split("\t"), map(float, row.split("\t")), strict=True))
    ours(folder)
    found = scores(folder / "ours" / "instances.log")
    for name in ("LAAL", "AL", "AP", "DAL", "ATD"):
        assert theirs[name] == pytest.approx(found[f"{name} (CU)"], abs=6e-4), name
    assert theirs["BLEU"] == pytest.approx(found["BLEU"], abs=6e-4)


def test_characters(lists):
    folder = lists((6,))
    options = ("--policy", "local-agreement(words=false)")
    simuleval(
        folder, *options, "--target-lang", "zh", "--source-segment-size", 500, "--eval-latency-unit", "char",
        "--sacrebleu-tokenizer", "zh",
    )  # fmt: skip
    ours(folder, *options, "--target", "zh")
    assert_same_scores(folder, "--char_level", "--bleu_tokenizer", "zh")
    (log,) = read_instances(folder / "theirs" / "instances.log")
    assert log.prediction == "今天天气很好，我们去公园。你来吗？"


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """A small SentencePiece model."""
    import sentencepiece

    where = tmp_path_factory.mktemp("pieces")
    (where / "text.txt").write_text("\n".join([*REFERENCES.values()] * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(where / "text.txt"),
        model_prefix=str(where / "spm"),
        vocab_size=65,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    return where / "spm.model"


def test_sentence_pieces_make_the_same_text(lists, pieces):
    folder = lists()
    simuleval(
        folder, "--source-segment-size", 500, "--eval-latency-unit", "spm", "--eval-latency-spm-model", pieces
    )
    ours(folder)
    lines = (folder / "theirs" / "instances.log").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["prediction"] for line in lines]
    own = [i.prediction for i in read_instances(folder / "ours" / "instances.log")]
    assert texts == own
    assert len(json.loads(lines[0])["prediction_spm"]) > len(own[0].split())


def test_sentence_pieces_of_a_language_without_spaces(lists, pieces):
    folder = lists((6,))
    simuleval(
        folder, "--target-lang", "zh", "--source-segment-size", 500, "--eval-latency-unit", "spm",
        "--eval-latency-spm-model", pieces, "--policy", "local-agreement(words=false)",
    )  # fmt: skip
    text = json.loads((folder / "theirs" / "instances.log").read_text(encoding="utf-8"))["prediction"]
    # SentencePiece itself writes full-width punctuation in its ASCII form (NFKC).
    assert text == "今天天气很好,我们去公园。你来吗?"


def test_a_policy_that_settles_parts_of_words_is_told_of(lists):
    folder = lists((2,))
    said = simuleval(folder, "--policy", "hold-n(n=0, words=false)", "--source-segment-size", 500)
    assert re.search(r"WARNING.* \d+ words were made longer .*then\(hold-n, word-hold\)", said)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--policy", "sliding-window"), "takes text back, which SimulEval cannot record"),
        (("--policy", "wait-kk"), "wait-k"),
        (("--target-lang", "xx"), "The target language 'xx' is not served"),
        (("--source-segment-size", "1"), "give --source-segment-size 500"),
        (("--eval-latency-unit", "spm"), "add --eval-latency-spm-model FILE"),
    ],
)
def test_what_is_wrong_is_one_sentence(lists, options, sentence):
    said = simuleval(lists((1,)), "--source-segment-size", 500, *options, expect=1)
    last = said.strip().splitlines()[-1]
    assert last.startswith("simul: ")
    assert sentence in last
    assert "Traceback" not in said


def test_the_file_serves_as_agent_and_help_lists_our_options():
    program = Path(sys.executable).with_name("simuleval")
    file = ROOT / "simul" / "adapters" / "simuleval_agent.py"
    done = subprocess.run(
        [program, "--agent", file, "-h"], capture_output=True, text=True, timeout=120, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    for option in ("--policy NAME", "--policy-arg K=V", "--source-lang LANG", "--target-lang LANG",
                   "--chunk-ms MS", "--model NAME|FOLDER", "--model-device", "--source-segment-size"):  # fmt: skip
        assert option in done.stdout


def test_another_agent_may_feed_states_of_its_own(lists):
    """Stateless use, as in pipelines and in simulstream's wrapper: the states carry the stream."""
    from argparse import ArgumentParser

    from simuleval.data.segments import SpeechSegment

    from tests.simul.adapters.marked.agent import MarkedAgent

    parser = ArgumentParser()
    MarkedAgent.add_args(parser)
    agent = MarkedAgent(parser.parse_args(["--chunk-ms", "500"]))
    streams = {number: agent.build_states() for number in (1, 3)}
    texts = dict.fromkeys(streams, "")
    for step in range(12):
        for number, states in streams.items():
            count = int(marked_backend.SECONDS[number] * 2)
            if step >= count or states.target_finished:
                continue
            samples = [0.0] * 8000
            if step == 0:
                samples[0] = number / 1024
            segment = SpeechSegment(content=samples, sample_rate=16_000, finished=step == count - 1)
            written = agent.pushpop(segment, states)
            texts[number] += "" if written.is_empty else " " + written.content
    joined = {number: " ".join(text.split()) for number, text in texts.items()}
    assert joined == {
        1: "Morgen fahren wir früh los, sagt sie. Und spät kommen wir zurück.",
        3: "Guten Tag. Wie geht es Ihnen?",
    }
